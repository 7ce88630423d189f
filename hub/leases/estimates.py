"""How long those who wait will wait: the future played through many times with holding times as they have been. Pure.

A device is free when somebody leaves, and how long people stay is known only from those who left. So each run of the play draws, for whoever
holds a share, one of the recorded holding times that is longer than they have held it already, and for whoever follows any of them; then
shares are given out in the order of the queue. The estimate of a place is the median of its runs, and the time that four runs of five stay
below. Sizes are counted, not placed, and nobody overtakes: who asks for little may be served earlier than told.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import ceil
from random import Random
from typing import NamedTuple

LEAST_RECORDS = 5
"""Fewer leases that have ended say nothing about the next."""
STEPS = 10_000
"""Draws for one forecast, about 20 ms of work at most: the longer the queue, the fewer runs."""
LEAST_RUNS, MOST_RUNS = 15, 75
MOST_PLACES = 256
"""Places played through; those behind wait in proportion."""
NEVER = float("inf")


class Holder(NamedTuple):
    """Somebody who holds a share: since when, and how much."""

    held_s: float
    size_milli: int


class Guess(NamedTuple):
    """Seconds until a place is served; None where the play never served it."""

    median_s: int | None
    most_s: int | None


NO_GUESS = Guess(None, None)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Guesses for the places of a queue, and for whoever would join its end with a share of a size."""

    places: tuple[Guess, ...] = ()
    joining: dict[int, Guess] | None = None

    def place(self, at: int) -> Guess:
        """The guess for the place `at`, counted from 0."""
        if at < len(self.places):
            return self.places[at]
        if not self.places:
            return NO_GUESS
        last, factor = self.places[-1], (at + 1) / len(self.places)
        return Guess(*(None if one is None else round(one * factor) for one in last))

    def join(self, size_milli: int) -> Guess:
        """The guess for a new ask of that size; it must be one that `forecast` was told of."""
        return (self.joining or {}).get(size_milli, NO_GUESS)


def forecast(
    holders: Sequence[Holder], queue: Sequence[int], joining: Sequence[int], records_s: Sequence[float]
) -> Forecast:
    """What to expect in one pool in which nothing usable is free: `queue` and `joining` are sizes, `records_s` holding times of the past.

    The same for the same arguments. No guesses while there are fewer than `LEAST_RECORDS` records.
    """
    if len(records_s) < LEAST_RECORDS:
        return Forecast()
    records = sorted(records_s)
    thin = ceil(len(holders) / MOST_PLACES) or 1
    sample = [Holder(held_s, size * thin) for held_s, size in holders[::thin]]
    played = queue[:MOST_PLACES]
    joined = sorted(set(joining))
    runs = max(LEAST_RUNS, min(MOST_RUNS, STEPS // (len(sample) + len(played) + 1)))
    random = Random(len(queue))  # noqa: S311 - a simulation, and the same each time
    times = [_play(sample, played, joined, records, random) for _ in range(runs)]
    by_place = [_guess([run[at] for run in times]) for at in range(len(played) + len(joined))]
    behind = max(1, len(queue)) / max(1, len(played))
    ends = [
        Guess(*(None if one is None else round(one * behind) for one in guess)) for guess in by_place[len(played) :]
    ]
    return Forecast(tuple(by_place[: len(played)]), dict(zip(joined, ends, strict=True)))


def left_s(held_s: float, records: Sequence[float], random: Random) -> float:
    """A draw of how much longer somebody holds who has held so long; `records` sorted.

    Who has outlasted every record is expected to stay for about as long again (a Pareto tail with its median at that).
    """
    first = bisect_right(records, held_s)
    if first < len(records):
        return records[random.randrange(first, len(records))] - held_s
    chance = random.random()
    return held_s * chance / (1 - chance)


def _play(
    holders: Sequence[Holder], queue: Sequence[int], joining: Sequence[int], records: Sequence[float], random: Random
) -> list[float]:
    """One run: when each place of the queue is served, then when each of the joining sizes would be."""
    leaving = [(left_s(held_s, records, random), size) for held_s, size in holders]
    heapify(leaving)
    now_s, free, served = 0.0, 0, []
    for at, size in enumerate((*queue, *joining)):
        while free < size and leaving:
            now_s, given = heappop(leaving)
            free += given
        served.append(now_s if free >= size else NEVER)
        if at < len(queue) and free >= size:  # those who would join do not take from one another
            free -= size
            heappush(leaving, (now_s + records[random.randrange(len(records))], size))
    return served


def _guess(times: list[float]) -> Guess:
    times.sort()
    median, most = times[len(times) // 2], times[ceil(len(times) * 0.8) - 1]
    return Guess(None if median == NEVER else round(median), None if most == NEVER else round(most))

"""What somebody who waits, or thinks of asking, can expect: position, reason, estimate, how much is free."""

import time
from collections import defaultdict, deque
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from hub.gpu.model import Demand
from hub.leases.book import Book
from hub.leases.estimates import Forecast, Holder, forecast
from hub.leases.model import Availability, Lease, LeaseStatus, Outlook, Wait
from hub.leases.published import Published
from hub.leases.quotas import size_milli

RECORDS = 200
"""Holding times kept for each pool: enough for a picture, few enough to follow a change of habits."""
FRESH_S = 2.0
"""How long a forecast, and a count of what is free, is good enough to be shown again."""
QUOTAS = {Wait.COHORT_QUOTA, Wait.LEARNER_QUOTA}


class _Count(NamedTuple):
    at_s: float
    version: int
    free: int


class Outlooks:
    """Answers from what is published, and from the book for what is free. Whoever asks gives the time in steady seconds."""

    def __init__(self, published: Published) -> None:
        self._published = published
        self._records: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=RECORDS))
        self._positions: tuple[int, dict[str, tuple[int, int]]] = (-1, {})
        self._waiting_in: dict[str, int] = {}
        self._forecasts: dict[str, tuple[float, Forecast]] = {}
        self._free: dict[Demand, _Count] = {}
        self._pause_s = 0.0

    def start(self, pool: str, holding_times_s: Iterable[float]) -> None:
        """How long leases of the pool that ended have been held, the latest last."""
        self._records[pool] = deque(holding_times_s, maxlen=RECORDS)

    def learn(self, leases: Iterable[Lease]) -> None:
        """Take in leases that have just changed."""
        for lease in leases:
            if lease.ended_at is not None and lease.held_at is not None:
                self._records[lease.pool].append((lease.ended_at - lease.held_at).total_seconds())

    def of(self, lease: Lease, book: Book, now: datetime, steady_s: float) -> Outlook | None:
        """The outlook of a lease; None unless it waits."""
        position, waiting = self._find_positions().get(lease.id, (0, 0))
        if not position:
            return None
        why = book.why(lease)
        guess = self._forecast(lease.pool, book, now, steady_s).place(position - 1)
        if why in QUOTAS:  # it waits for somebody of the same cohort, not for the next who leaves
            return Outlook(position, waiting, why, None, None)
        return Outlook(position, waiting, why, guess.median_s, guess.most_s)

    def availability(self, owner: str, cohort: str, book: Book, now: datetime, steady_s: float) -> list[Availability]:
        """Every share on offer as it is for this person."""
        self._find_positions()
        found = []
        for profile in book.offers.profiles:
            pool, demand = profile.pool, profile.demand
            quota = book.never_admits(cohort, pool, demand)
            refusal = quota.value if quota else None if book.ever_fits(demand) else "never-fits"
            free = min(self._count(demand, book, steady_s), book.quota_room(cohort, owner, pool, demand))
            waiting = self._waiting_in.get(pool, 0)
            estimate_s = None
            if refusal is None:
                at_once = free > 0 and not waiting
                forecast = self._forecast(pool, book, now, steady_s)
                estimate_s = 0 if at_once else forecast.join(size_milli(demand)).median_s
            found.append(Availability(profile, free, waiting, estimate_s, refusal))
        return found

    def _find_positions(self) -> dict[str, tuple[int, int]]:
        """Of each lease that waits its position and how many wait for the same pool; worked out once for each version."""
        version, positions = self._positions
        if version != self._published.version:
            lines: dict[str, list[str]] = {}
            for lease in self._published.waiting():
                lines.setdefault(lease.pool, []).append(lease.id)
            positions = {each: (at, len(line)) for line in lines.values() for at, each in enumerate(line, 1)}
            self._positions = self._published.version, positions
            self._waiting_in = {pool: len(line) for pool, line in lines.items()}
        return positions

    def _count(self, demand: Demand, book: Book, steady_s: float) -> int:
        """How many more fit; a count may be `FRESH_S` old while nothing, or much, happens."""
        counted = self._free.get(demand)
        version = self._published.version
        if counted is None or (counted.version != version and steady_s - counted.at_s > self._pause_s):
            began_s = time.perf_counter()
            counted = _Count(steady_s, version, book.count(demand))
            self._pause_s = min(FRESH_S, 20 * (time.perf_counter() - began_s))
            self._free[demand] = counted
        return counted.free

    def _forecast(self, pool: str, book: Book, now: datetime, steady_s: float) -> Forecast:
        at_s, known = self._forecasts.get(pool, (-FRESH_S, Forecast()))
        if steady_s - at_s < FRESH_S:
            return known
        live = [lease for lease in self._published.live() if lease.pool == pool]
        queue = [lease for lease in live if lease.status is LeaseStatus.WAITING]
        made = forecast(
            [_holder(lease, now) for lease in live if lease.takes],
            [size_milli(lease.demand) for lease in queue],
            [size_milli(profile.demand) for profile in book.offers.profiles if profile.pool == pool],
            self._records[pool],
        )
        self._forecasts[pool] = steady_s, made
        return made


def _holder(lease: Lease, now: datetime) -> Holder:
    since = lease.held_at or lease.offered_at or now
    return Holder(max(0.0, (now - since).total_seconds()), size_milli(lease.demand))

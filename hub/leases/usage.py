"""What people held within a period, summed from the records of their leases. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from hub.leases.model import UsageLine


class Holding(NamedTuple):
    """One lease as usage sees it. `ended_at` None: it is still held."""

    owner: str
    cohort: str
    organisation: str
    pool: str
    profile: str
    size_milli: int
    held_at: datetime
    ended_at: datetime | None


def sum_up(holdings: Iterable[Holding], since: datetime, until: datetime, now: datetime) -> list[UsageLine]:
    """A line for each person, cohort, organisation and profile, in that order; what is still held counts until now.

    Seconds are rounded once per line, so that many short leases are not rounded away.
    """
    sums: dict[tuple[str, str, str, str, str], list[float]] = {}
    for one in holdings:
        held_s = (min(one.ended_at or now, until) - max(one.held_at, since)).total_seconds()
        if held_s < 0:
            continue
        line = sums.setdefault(one[:5], [0, 0.0, 0.0])
        line[0] += 1
        line[1] += held_s
        line[2] += held_s * one.size_milli
    return [
        UsageLine(*key, int(leases), round(held), round(milli)) for key, (leases, held, milli) in sorted(sums.items())
    ]

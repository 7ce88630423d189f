"""When work is due and for whom: pure, decided by the server's clock alone.

The second named as the deadline still belongs to it: due at 23:59:00, work of 23:59:00.999 is on time and work of
23:59:01.000 is late, because people read a clock in seconds. Grace is silent on top of that; an extension is a learner's own.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Self
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)


class Verdict(StrEnum):
    """On a receipt."""

    ON_TIME = "on-time"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for one learner and one assignment. Times have a zone; without `due_at` nothing is ever late.

    Work is taken, marked late, until `closes_at`; without it for ever. `attempts` is the most hand-ins there may be.
    """

    due_at: datetime | None = None
    grace: timedelta = timedelta()
    closes_at: datetime | None = None
    attempts: int | None = None

    def __post_init__(self) -> None:
        for moment in (self.due_at, self.closes_at):
            if moment is not None and moment.tzinfo is None:
                raise ValueError("a deadline without a time zone")
        if self.grace < timedelta():
            raise ValueError("a negative grace")

    def extended(self, by: timedelta) -> Self:
        """The same terms with deadline and closing time moved by a learner's extension."""
        return replace(
            self,
            due_at=None if self.due_at is None else self.due_at + by,
            closes_at=None if self.closes_at is None else self.closes_at + by,
        )

    def verdict(self, moment: datetime) -> Verdict:
        """Whether work of that moment is on time."""
        return Verdict.LATE if self.seconds_late(moment) > 0 else Verdict.ON_TIME

    def seconds_late(self, moment: datetime) -> float:
        """Seconds after the deadline, 0 within grace: a penalty counts from the deadline, not from the end of grace."""
        if self.due_at is None or moment < self.due_at + self.grace + _SECOND:
            return 0.0
        return (moment - self.due_at).total_seconds()

    def is_closed(self, moment: datetime) -> bool:
        """Whether nothing is taken any more."""
        return self.closes_at is not None and moment >= self.closes_at + _SECOND


def moment_in(text: str, zone: str) -> datetime:
    """UTC for a wall-clock time such as `2026-11-30 23:59` in an IANA zone.

    An hour that happens twice (clocks go back) counts as the later one, in the learner's favour. Raises `ValueError` for
    text that is no time and `zoneinfo.ZoneInfoNotFoundError` (a `KeyError`) for an unknown zone.
    """
    naive = datetime.fromisoformat(text)
    if naive.tzinfo is not None:
        return naive.astimezone(UTC)
    return naive.replace(tzinfo=ZoneInfo(zone), fold=1).astimezone(UTC)

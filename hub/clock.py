"""The one source of time, so that long timers test fast and a clock that goes back is met in one place."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall time in UTC for what is written down, and a steady counter for how long something took."""

    def now(self) -> datetime: ...

    def steady_s(self) -> float: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def steady_s(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that moves only when told; it may be told to go back, as real ones sometimes do."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 9, 1, 8, 0, tzinfo=UTC)
        self._steady_s = 0.0

    def now(self) -> datetime:
        return self._now

    def steady_s(self) -> float:
        return self._steady_s

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on both clocks."""
        self._now += timedelta(seconds=seconds)
        self._steady_s += seconds

    def step_wall(self, seconds: float) -> None:
        """Move the wall clock alone, forwards or back, as NTP or an operator does."""
        self._now += timedelta(seconds=seconds)

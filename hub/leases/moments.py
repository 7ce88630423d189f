"""The allocator's time: a clock that went back, or was wrong before a restart, makes no lease end before it began."""

from datetime import datetime, timedelta

from hub.clock import Clock


class Moments:
    """Wall time that never goes back. While the wall clock is behind, time goes on at the pace of the steady one, so that offers lapse."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: datetime | None = None
        self._steady_s = 0.0

    def not_before(self, earliest: datetime | None) -> None:
        """What was written down before a restart."""
        if earliest is not None and (self._latest is None or earliest > self._latest):
            self._latest, self._steady_s = earliest, self._clock.steady_s()

    def now(self) -> datetime:
        """The time now; never before an earlier answer."""
        wall, steady_s = self._clock.now(), self._clock.steady_s()
        if self._latest is not None:
            wall = max(wall, self._latest + timedelta(seconds=max(0.0, steady_s - self._steady_s)))
        self._latest, self._steady_s = wall, steady_s
        return wall

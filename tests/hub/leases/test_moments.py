from datetime import UTC, datetime, timedelta

from hub.clock import ManualClock
from hub.leases.moments import Moments


def test_time_never_goes_back_and_goes_on_while_the_clock_is_behind() -> None:
    clock = ManualClock()
    moments = Moments(clock)
    first = moments.now()
    clock.step_wall(-3600)
    assert moments.now() == first
    clock.advance(30)
    assert moments.now() == first + timedelta(seconds=30)
    clock.step_wall(7200)
    assert moments.now() == clock.now()


def test_time_goes_on_from_what_was_written_before_a_restart() -> None:
    clock = ManualClock(datetime(2026, 9, 1, tzinfo=UTC))
    moments = Moments(clock)
    moments.not_before(datetime(2026, 9, 2, tzinfo=UTC))
    clock.advance(5)
    assert moments.now() == datetime(2026, 9, 2, 0, 0, 5, tzinfo=UTC)

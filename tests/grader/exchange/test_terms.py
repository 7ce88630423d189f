"""Late or not: pure, to the second, in the learner's zone and favour."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.exchange.terms import Terms, Verdict, moment_in

DUE = datetime(2026, 11, 30, 23, 59, tzinfo=ZoneInfo("Asia/Shanghai"))


def test_the_second_of_the_deadline_still_belongs_to_it() -> None:
    terms = Terms(due_at=DUE)
    assert terms.verdict(DUE + timedelta(microseconds=999_999)) is Verdict.ON_TIME
    assert terms.verdict(DUE + timedelta(seconds=1)) is Verdict.LATE
    assert terms.seconds_late(DUE + timedelta(seconds=1)) == 1.0


def test_grace_is_silent_and_lateness_counts_from_the_deadline() -> None:
    terms = Terms(due_at=DUE, grace=timedelta(minutes=5))
    assert terms.verdict(DUE + timedelta(minutes=5)) is Verdict.ON_TIME
    assert terms.seconds_late(DUE + timedelta(minutes=6)) == 360.0


def test_an_extension_moves_deadline_and_closing() -> None:
    terms = Terms(due_at=DUE, closes_at=DUE + timedelta(days=1)).extended(timedelta(days=2))
    assert terms.verdict(DUE + timedelta(days=2)) is Verdict.ON_TIME
    assert not terms.is_closed(DUE + timedelta(days=3))
    assert terms.is_closed(DUE + timedelta(days=3, seconds=1))


def test_without_a_deadline_nothing_is_late() -> None:
    assert Terms().verdict(datetime.max.replace(tzinfo=UTC)) is Verdict.ON_TIME


def test_the_zone_of_the_clock_does_not_matter() -> None:
    assert Terms(due_at=DUE).verdict(datetime(2026, 11, 30, 15, 59, tzinfo=UTC)) is Verdict.ON_TIME
    assert Terms(due_at=DUE).verdict(datetime(2026, 11, 30, 16, 0, tzinfo=UTC)) is Verdict.LATE


def test_a_deadline_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        Terms(due_at=datetime(2026, 11, 30))  # noqa: DTZ001
    with pytest.raises(ValueError, match="grace"):
        Terms(grace=timedelta(seconds=-1))


def test_wall_clock_times_are_read_in_their_zone() -> None:
    assert moment_in("2026-11-30 23:59", "Asia/Shanghai") == datetime(2026, 11, 30, 15, 59, tzinfo=UTC)
    # 02:30 happens twice that night: the later one counts.
    assert moment_in("2026-10-25 02:30", "Europe/Berlin") == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    with pytest.raises(ZoneInfoNotFoundError):
        moment_in("2026-11-30 23:59", "Mars/Olympus")


@given(st.integers(-(10**6), 10**6), st.integers(0, 10**5))
def test_more_time_never_makes_work_late(offset_s: int, more_s: int) -> None:
    moment = DUE + timedelta(seconds=offset_s)
    terms = Terms(due_at=DUE)
    if terms.verdict(moment) is Verdict.ON_TIME:
        assert terms.extended(timedelta(seconds=more_s)).verdict(moment) is Verdict.ON_TIME
        assert Terms(due_at=DUE, grace=timedelta(seconds=more_s)).verdict(moment) is Verdict.ON_TIME

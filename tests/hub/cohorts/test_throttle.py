from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hub.cohorts.model import Attempts
from hub.cohorts.throttle import MAX_WAIT_S, UNKNOWN_BUCKETS, account_of, judge, wait_after

NOW = datetime(2026, 9, 1, tzinfo=UTC)


def test_five_typing_errors_cost_nothing_and_then_the_wait_doubles_up_to_the_cap() -> None:
    assert [wait_after(failures) for failures in range(14)] == [0, 0, 0, 0, 0, 5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert wait_after(10**9) == MAX_WAIT_S


def test_an_attempt_during_the_wait_is_not_counted() -> None:
    verdict = judge(Attempts(5, NOW), NOW + timedelta(seconds=1))
    assert (verdict.wait_s, verdict.attempts) == (4, None)


def test_after_the_wait_an_attempt_is_looked_at_and_counted() -> None:
    verdict = judge(Attempts(5, NOW), NOW + timedelta(seconds=5))
    assert (verdict.wait_s, verdict.attempts) == (0, Attempts(6, NOW + timedelta(seconds=5)))


@given(st.integers(1, 50), st.integers(1, 10**9))
def test_a_clock_that_goes_back_neither_unlocks_nor_locks_for_ever(failures: int, seconds_back: int) -> None:
    earlier = NOW - timedelta(seconds=seconds_back)
    verdict = judge(Attempts(failures, NOW), earlier)
    assert verdict.wait_s == wait_after(failures)
    assert verdict.attempts is not None
    later = judge(verdict.attempts, earlier + timedelta(seconds=MAX_WAIT_S))
    assert later.wait_s == 0


@given(st.lists(st.integers(0, 400), max_size=60))
def test_no_pattern_of_attempts_gets_more_guesses_than_the_schedule_allows(gaps_s: list[int]) -> None:
    attempts: Attempts | None = None
    now, looked_at = NOW, []
    for gap_s in gaps_s:
        now += timedelta(seconds=gap_s)
        verdict = judge(attempts, now)
        attempts = verdict.attempts or attempts
        if not verdict.wait_s:
            looked_at.append(now)
    for index in range(5, len(looked_at)):
        assert (looked_at[index] - looked_at[index - 1]).total_seconds() >= wait_after(index)


@given(st.text(max_size=400))
def test_invented_names_share_a_bounded_number_of_rows(name: str) -> None:
    kind, _, bucket = account_of(None, name).partition(":")
    assert kind == "unknown"
    assert 0 <= int(bucket) < UNKNOWN_BUCKETS

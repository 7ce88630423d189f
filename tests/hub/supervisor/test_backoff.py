"""Delays before a restart."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hub.supervisor.backoff import FIRST_S, FORGIVEN_AFTER_S, LONGEST_S, Backoff


def test_doubles_from_a_fifth_of_a_second_to_ten() -> None:
    backoff = Backoff()
    assert [backoff.delay_s(0) for _ in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_thirty_healthy_seconds_are_a_new_beginning() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.delay_s(FORGIVEN_AFTER_S - 0.1)
    assert backoff.delay_s(FORGIVEN_AFTER_S) == FIRST_S
    assert backoff.delay_s(0) == 2 * FIRST_S


@given(st.lists(st.floats(0, 100)))
def test_never_outside_its_bounds_and_never_shrinks_without_health(runs: list[float]) -> None:
    backoff = Backoff()
    delays = [backoff.delay_s(healthy) for healthy in runs]
    assert all(FIRST_S <= delay <= LONGEST_S for delay in delays)
    for (_, before), (healthy, after) in pairwise(zip(runs, delays, strict=True)):
        assert after >= before or healthy >= FORGIVEN_AFTER_S

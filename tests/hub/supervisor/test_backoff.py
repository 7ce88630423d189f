"""Delays before a restart."""

from hypothesis import given
from hypothesis import strategies as st

from hub.supervisor.backoff import FIRST_S, FORGIVEN_AFTER_S, LONGEST_AFTER_HEALTH_S, LONGEST_S, Backoff


def test_what_never_starts_is_tried_less_and_less_often_down_to_every_ten_seconds() -> None:
    backoff = Backoff()
    assert [backoff.delay_s(0) for _ in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_what_was_well_is_never_waited_for_longer_than_a_second() -> None:
    backoff = Backoff()
    assert [backoff.delay_s(5) for _ in range(6)] == [0.2, 0.4, 0.8, 1.0, 1.0, 1.0]


def test_thirty_healthy_seconds_are_a_new_beginning() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.delay_s(0)
    assert backoff.delay_s(FORGIVEN_AFTER_S) == FIRST_S
    assert backoff.delay_s(0) == 2 * FIRST_S


@given(st.lists(st.floats(0, 100)))
def test_never_outside_its_bounds(runs: list[float]) -> None:
    backoff = Backoff()
    for healthy_s in runs:
        assert FIRST_S <= backoff.delay_s(healthy_s) <= (LONGEST_AFTER_HEALTH_S if healthy_s > 0 else LONGEST_S)

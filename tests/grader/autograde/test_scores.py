"""Points are read outside, by nbgrader's rules, and only with evidence."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.autograde.run import CellOutcome, End
from grader.autograde.scores import explained, points_of
from grader.store.model import Outcome


@pytest.mark.parametrize(
    ("value", "points", "outcome"),
    [
        (None, 3.0, Outcome.PASSED),
        (3.0, 3.0, Outcome.PASSED),
        (3.0 + 1e-12, 3.0, Outcome.PASSED),
        (1.5, 1.5, Outcome.PARTIAL),
        (0.0, 0.0, Outcome.PARTIAL),
        (3.5, 0.0, Outcome.OUT_OF_RANGE),
        (-1.0, 0.0, Outcome.OUT_OF_RANGE),
        (math.nan, 0.0, Outcome.OUT_OF_RANGE),
        (math.inf, 0.0, Outcome.OUT_OF_RANGE),
    ],
)
def test_a_number_is_points_if_it_can_be(value: float | None, points: float, outcome: Outcome) -> None:
    assert points_of(CellOutcome(End.OK, value=value), 3.0) == (points, outcome)


@pytest.mark.parametrize("end", [End.ERROR, End.TIMEOUT, End.DEAD, End.NOT_RUN])
def test_no_evidence_no_points(end: End) -> None:
    points, outcome = points_of(CellOutcome(end, value=3.0), 3.0)
    assert points == 0.0
    assert outcome.value == end.value
    assert explained(CellOutcome(end, error_type="TypeError", message="no", line=2))


@given(st.floats(), st.floats(0, 1000))
def test_points_are_never_outside_their_range(value: float, most: float) -> None:
    points, _ = points_of(CellOutcome(End.OK, value=value), most)
    assert 0 <= points <= most

"""From what happened in a test cell to its points: nbgrader's rules, read outside, with evidence instead of silence. Pure.

As nbgrader: an error gives nothing, a number as the last value gives that many points, everything else gives all. Unlike
nbgrader: what is printed on standard error costs nothing; a number that is not from 0 to the cell's points gives nothing
and is shown to a person (nbgrader gives full points for -1 and for NaN, and stops the batch for too many); a NumPy number
is a number (nbgrader 0.9 reads `np.float64(0.5)` as text and gives full points); a cell that was not reached, or in which
the process died, gives nothing.
"""

import math

from grader.autograde.run import CellOutcome, End
from grader.store.model import Outcome

_ROUNDING = 1e-9
_ENDS = {
    End.ERROR: Outcome.ERROR,
    End.TIMEOUT: Outcome.TIMEOUT,
    End.DEAD: Outcome.DEAD,
    End.NOT_RUN: Outcome.NOT_RUN,
}


def points_of(happened: CellOutcome, max_points: float) -> tuple[float, Outcome]:
    """Points from 0 to `max_points`, and the outcome that explains them."""
    if happened.end is not End.OK:
        return 0.0, _ENDS[happened.end]
    if happened.value is None:
        return max_points, Outcome.PASSED
    value = happened.value
    if not math.isfinite(value) or value < 0 or value > max_points * (1 + _ROUNDING):
        return 0.0, Outcome.OUT_OF_RANGE
    points = min(value, max_points)
    return points, Outcome.PASSED if points == max_points else Outcome.PARTIAL


def explained(happened: CellOutcome) -> str:
    """What happened, in words for the instructor."""
    if happened.end is End.OK:
        return "" if happened.value is None else f"value {happened.value:g}"
    if happened.end is End.TIMEOUT:
        return f"stopped after {happened.seconds:.0f} s"
    if happened.end is End.DEAD:
        return "the process ended while the cell ran"
    if happened.end is End.NOT_RUN:
        return "not reached, because the process had ended before"
    where = f" (line {happened.line})" if happened.line else ""
    return f"{sentence(happened)}{where}"


def sentence(happened: CellOutcome) -> str:
    """An error as a learner reads it: a check's own sentence, otherwise the error's name and what it says."""
    if happened.error_type in {"AssertionError", "NotYet"} and happened.message.strip():
        return happened.message.strip()
    return f"{happened.error_type}: {happened.message}".rstrip(": ")

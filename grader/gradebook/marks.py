"""What nbgrader keeps of a learner's marks, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class CellMarks:
    """What nbgrader keeps of one graded cell; None where nothing was given."""

    auto: float | None
    manual: float | None
    extra_credit: float | None
    needs_person: bool
    auto_comment: str | None
    manual_comment: str | None


@dataclass(frozen=True, slots=True)
class LearnerMarks:
    """Everything about one learner's work on one assignment. Times are aware; `penalties` are by notebook."""

    learner: str
    display_name: str | None
    submitted_at: datetime
    extension: timedelta | None
    cells: Mapping[tuple[str, str], CellMarks]
    penalties: Mapping[str, float]

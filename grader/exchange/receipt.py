"""What a learner gets for a hand-in, and can hold the centre to."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from grader.exchange.terms import Verdict


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that these bytes were accepted. They lay on disk, and this record in the database, before it was given.

    `submitted_at` (UTC) decides about late; `attempt` counts the learner's hand-ins of this assignment from 1.
    """

    id: str
    course: str
    assignment: str
    learner: str
    sha256: str
    size: int
    submitted_at: datetime
    verdict: Verdict
    attempt: int

    def to_json(self) -> dict[str, Any]:
        """JSON values; the time as `2026-11-24T06:30:00.123456Z`."""
        return {
            "id": self.id,
            "course": self.course,
            "assignment": self.assignment,
            "learner": self.learner,
            "sha256": self.sha256,
            "size": self.size,
            "submitted_at": self.submitted_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "verdict": self.verdict.value,
            "attempt": self.attempt,
        }

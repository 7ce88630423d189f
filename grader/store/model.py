"""What the grader keeps, as plain values."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from grader.exchange.receipt import Receipt
from grader.exchange.terms import Terms, Verdict


@dataclass(frozen=True, slots=True, order=True)
class Work:
    """One learner's work on one assignment, over all attempts."""

    course: str
    assignment: str
    learner: str


@dataclass(frozen=True, slots=True)
class Submission:
    """One accepted hand-in. `due_at` and `seconds_late` are what held when it was accepted."""

    id: int
    receipt_id: str
    work: Work
    attempt: int
    announced: int
    """Grows with every announced hand-in, whatever the clock says: of several attempts the one announced last counts."""
    sha256: str
    size: int
    language: str
    submitted_at: datetime
    accepted_at: datetime
    due_at: datetime | None
    verdict: Verdict
    seconds_late: float

    @property
    def receipt(self) -> Receipt:
        return Receipt(
            id=self.receipt_id,
            course=self.work.course,
            assignment=self.work.assignment,
            learner=self.work.learner,
            sha256=self.sha256,
            size=self.size,
            submitted_at=self.submitted_at,
            verdict=self.verdict,
            attempt=self.attempt,
        )


class UploadStatus(StrEnum):
    """OPEN takes pieces. The others are final."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Upload:
    """One announced hand-in with the terms of that moment; how much has arrived is the size of its file."""

    number: int
    id: str
    work: Work
    sha256: str
    size: int
    opened_at: datetime
    status: UploadStatus
    terms: Terms
    submission_id: int | None


class JobStatus(StrEnum):
    """QUEUED and RUNNING go on; the others are final, and only GRADED gives marks."""

    QUEUED = "queued"
    RUNNING = "running"
    GRADED = "graded"
    NEEDS_PERSON = "needs-person"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Job:
    """One grading of one submission. `fence` grows with every claim: an older claim's results are refused."""

    id: int
    submission_id: int
    status: JobStatus
    priority: int
    tries: int
    """How often it was claimed."""
    failures: int
    """How often grading it went wrong, not counting workers that died or a sandbox that did not start."""
    fence: int
    requested_by: str
    requested_at: datetime
    claimed_by: str | None
    lease_until: datetime | None
    sandbox: str | None
    started_at: datetime | None
    finished_at: datetime | None
    reason: str | None
    detail: str | None
    source_sha256: str | None
    recorded_at: datetime | None


class Outcome(StrEnum):
    """How a graded cell ended. Only PASSED, PARTIAL and NO_RESPONSE are ordinary; the others come with a detail."""

    PASSED = "passed"
    PARTIAL = "partial"
    ERROR = "error"
    TIMEOUT = "timeout"
    DEAD = "dead"
    OUT_OF_RANGE = "out-of-range"
    NOT_RUN = "not-run"
    NO_RESPONSE = "no-response"
    BY_HAND = "by-hand"


@dataclass(frozen=True, slots=True)
class CellResult:
    """What one graded cell came to. `points` is None where a person has to give them."""

    notebook: str
    grade_id: str
    max_points: float
    points: float | None
    outcome: Outcome
    detail: str
    answer_sha256: str
    """Of the learner's text, for cells graded by hand: a mark is looked at again when the answer changed."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something about a submission that a person may want to know, or must decide."""

    notebook: str
    grade_id: str | None
    code: str
    detail: str
    needs_person: bool = False


@dataclass(frozen=True, slots=True)
class Grading:
    """Everything one grading found out, stored in one transaction."""

    status: JobStatus
    results: tuple[CellResult, ...] = ()
    messages: tuple[tuple[str, str, str], ...] = ()
    """(notebook, grade_id, what the learner may read of why points were lost)."""
    notes: tuple[Note, ...] = ()
    reason: str | None = None
    detail: str | None = None
    source_sha256: str | None = None


UNKNOWN_ANSWER = ""
"""Stands for the digest of an answer that was read elsewhere, before its course was taken over."""


@dataclass(frozen=True, slots=True)
class ManualGrade:
    """What a person gave one cell; each part may be missing."""

    work: Work
    notebook: str
    grade_id: str
    points: float | None
    extra_credit: float | None
    comment: str | None
    answer_sha256: str
    graded_by: str
    graded_at: datetime


@dataclass(frozen=True, slots=True)
class ReleasedFeedback:
    """What a learner may read: the page's address in the object store, and the score it shows."""

    work: Work
    job_id: int
    sha256: str
    score: float
    max_score: float
    released_by: str
    released_at: datetime


@dataclass(frozen=True, slots=True)
class Offer:
    """An assignment as it was released to the learners of a course.

    `cohorts` are the slugs of the cohorts it is for, None for all that take the course. `late_percent` of the most points
    are taken off per day late, a begun day counting whole. What applies to one learner is in `terms`.
    """

    course: str
    assignment: str
    cohorts: tuple[str, ...] | None
    terms: Terms
    late_percent: float
    offered_by: str
    offered_at: datetime

    def is_for(self, cohorts: Collection[str]) -> bool:
        """Whether somebody who learns the course in these cohorts gets it."""
        return bool(cohorts) and (self.cohorts is None or not set(self.cohorts).isdisjoint(cohorts))


@dataclass(frozen=True, slots=True)
class Extension:
    """More time for one learner: every deadline of the assignment moves by `by`."""

    work: Work
    by: timedelta
    given_by: str
    given_at: datetime

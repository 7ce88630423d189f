"""Accepted hand-ins and the uploads that become them."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql import ColumnElement

from grader.exchange.terms import Terms, Verdict
from grader.store.model import Submission, Upload, UploadStatus, Work
from grader.store.tables import submission, upload


class AttemptTakenError(Exception):
    """Another transaction recorded this attempt first; read again and decide again. Never reaches a person."""


class Submissions:
    """Hand-ins."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def latest(self, work: Work) -> Submission | None:
        """The attempt that counts."""
        statement = select(submission).where(_of(submission, work)).order_by(submission.c.announced.desc()).limit(1)
        return _one(self._connection.execute(statement).first())

    def count(self, work: Work) -> int:
        """How many attempts there are."""
        statement = select(func.count()).select_from(submission).where(_of(submission, work))
        return self._connection.execute(statement).scalar_one()

    def all_of(self, work: Work) -> list[Submission]:
        """Every attempt, first to last."""
        statement = select(submission).where(_of(submission, work)).order_by(submission.c.attempt)
        return [_submission(row) for row in self._connection.execute(statement)]

    def get(self, submission_id: int) -> Submission | None:
        return _one(self._connection.execute(select(submission).where(submission.c.id == submission_id)).first())

    def by_receipt(self, receipt_id: str) -> Submission | None:
        statement = select(submission).where(submission.c.receipt_id == receipt_id)
        return _one(self._connection.execute(statement).first())

    def by_sha256(self, sha256: str) -> list[Submission]:
        statement = select(submission).where(submission.c.sha256 == sha256).order_by(submission.c.id)
        return [_submission(row) for row in self._connection.execute(statement)]

    def latest_of(self, course: str, assignment: str) -> list[Submission]:
        """Each learner's attempt that counts, by learner."""
        newest = (
            select(submission.c.learner, func.max(submission.c.announced).label("announced"))
            .where(submission.c.course == course, submission.c.assignment == assignment)
            .group_by(submission.c.learner)
            .subquery()
        )
        statement = (
            select(submission)
            .join(
                newest,
                and_(submission.c.learner == newest.c.learner, submission.c.announced == newest.c.announced),
            )
            .where(submission.c.course == course, submission.c.assignment == assignment)
            .order_by(submission.c.learner)
        )
        return [_submission(row) for row in self._connection.execute(statement)]

    def of_assignment(self, course: str, assignment: str) -> list[Submission]:
        """Every attempt of every learner, by learner, first to last."""
        statement = select(submission).where(submission.c.course == course, submission.c.assignment == assignment)
        rows = self._connection.execute(statement.order_by(submission.c.learner, submission.c.attempt))
        return [_submission(row) for row in rows]

    def of_learner(self, learner: str) -> list[Submission]:
        """Every attempt of the learner at anything, first to last."""
        statement = select(submission).where(submission.c.learner == learner).order_by(submission.c.id)
        return [_submission(row) for row in self._connection.execute(statement)]

    def bytes_of(self, learner: str) -> int:
        """What the learner's hand-ins take on disk; what was handed in twice counts once."""
        mine = select(submission.c.sha256, submission.c.size).where(submission.c.learner == learner).distinct()
        return int(self._connection.execute(select(func.coalesce(func.sum(mine.subquery().c.size), 0))).scalar_one())

    def addresses(self) -> set[str]:
        """The objects that accepted hand-ins need."""
        return set(self._connection.execute(select(submission.c.sha256).distinct()).scalars())

    def add(
        self,
        found: Upload,
        *,
        receipt_id: str,
        attempt: int,
        language: str,
        submitted_at: datetime,
        accepted_at: datetime,
        verdict: Verdict,
        seconds_late: float,
    ) -> Submission:
        """The new hand-in; raises `AttemptTakenError` if another transaction was first."""
        values = {
            "receipt_id": receipt_id,
            "course": found.work.course,
            "assignment": found.work.assignment,
            "learner": found.work.learner,
            "attempt": attempt,
            "announced": found.number,
            "sha256": found.sha256,
            "size": found.size,
            "language": language,
            "submitted_at": submitted_at,
            "accepted_at": accepted_at,
            "due_at": found.terms.due_at,
            "verdict": verdict.value,
            "seconds_late": seconds_late,
        }
        try:
            with self._connection.begin_nested():
                row = self._connection.execute(insert(submission).values(**values).returning(submission)).one()
        except IntegrityError as exc:
            raise AttemptTakenError from exc
        return _submission(row)


class Uploads:
    """Announced hand-ins."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, upload_id: str) -> Upload | None:
        row = self._connection.execute(select(upload).where(upload.c.id == upload_id)).first()
        return None if row is None else _upload(row)

    def open_of(self, work: Work) -> list[Upload]:
        """A learner's unfinished uploads of an assignment, oldest first."""
        statement = (
            select(upload)
            .where(_of(upload, work), upload.c.status == UploadStatus.OPEN.value)
            .order_by(upload.c.number)
        )
        return [_upload(row) for row in self._connection.execute(statement)]

    def open_of_learner(self, learner: str) -> list[Upload]:
        """A learner's unfinished uploads of whatever assignment, oldest first."""
        statement = select(upload).where(upload.c.learner == learner, upload.c.status == UploadStatus.OPEN.value)
        return [_upload(row) for row in self._connection.execute(statement.order_by(upload.c.number))]

    def all_open(self) -> list[Upload]:
        """Every unfinished upload, oldest first."""
        statement = select(upload).where(upload.c.status == UploadStatus.OPEN.value).order_by(upload.c.number)
        return [_upload(row) for row in self._connection.execute(statement)]

    def add(
        self, upload_id: str, work: Work, terms: Terms, *, sha256: str, size: int, opened_at: datetime
    ) -> Upload | None:
        """The new upload; None if another transaction has just opened one for the same content."""
        values = {
            "id": upload_id,
            "course": work.course,
            "assignment": work.assignment,
            "learner": work.learner,
            "sha256": sha256,
            "size": size,
            "opened_at": opened_at,
            "status": UploadStatus.OPEN.value,
            "due_at": terms.due_at,
            "grace_s": terms.grace.total_seconds(),
            "closes_at": terms.closes_at,
        }
        try:
            with self._connection.begin_nested():
                return _upload(self._connection.execute(insert(upload).values(**values).returning(upload)).one())
        except IntegrityError:
            return None

    def forget_refused(self, work: Work) -> None:
        """Remove what a learner announced for this assignment and was refused or given up."""
        over = (UploadStatus.REFUSED.value, UploadStatus.EXPIRED.value)
        self._connection.execute(delete(upload).where(_of(upload, work), upload.c.status.in_(over)))

    def close(self, upload_ids: Collection[str], status: UploadStatus, submission_id: int | None = None) -> None:
        """Give uploads a final status."""
        self._connection.execute(
            update(upload).where(upload.c.id.in_(upload_ids)).values(status=status.value, submission_id=submission_id)
        )


def _of(table: Any, work: Work) -> ColumnElement[bool]:
    return and_(table.c.course == work.course, table.c.assignment == work.assignment, table.c.learner == work.learner)


def _work(row: Row[Any]) -> Work:
    return Work(row.course, row.assignment, row.learner)


def _one(row: Row[Any] | None) -> Submission | None:
    return None if row is None else _submission(row)


def _submission(row: Row[Any]) -> Submission:
    return Submission(
        id=row.id,
        receipt_id=row.receipt_id,
        work=_work(row),
        attempt=row.attempt,
        announced=row.announced,
        sha256=row.sha256,
        size=row.size,
        language=row.language,
        submitted_at=row.submitted_at,
        accepted_at=row.accepted_at,
        due_at=row.due_at,
        verdict=Verdict(row.verdict),
        seconds_late=row.seconds_late,
    )


def _upload(row: Row[Any]) -> Upload:
    return Upload(
        number=row.number,
        id=row.id,
        work=_work(row),
        sha256=row.sha256,
        size=row.size,
        opened_at=row.opened_at,
        status=UploadStatus(row.status),
        terms=Terms(row.due_at, timedelta(seconds=row.grace_s), row.closes_at),
        submission_id=row.submission_id,
    )

"""The queue of gradings. A job is claimed with a lease; a claim raises its fence, and only the newest fence may finish.

So a worker that was thought dead and comes back can do no harm: its results are refused, whatever it graded.
"""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from grader.store.model import Job, JobStatus
from grader.store.tables import grade_job, submission

_OPEN = (JobStatus.QUEUED.value, JobStatus.RUNNING.value)


class Jobs:
    """Gradings of submissions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def enqueue(self, submission_id: int, *, requested_by: str, now: datetime, priority: int = 0) -> bool:
        """Whether a new job was queued: False if one is queued or running already, which will do."""
        values = {
            "submission_id": submission_id,
            "status": JobStatus.QUEUED.value,
            "priority": priority,
            "tries": 0,
            "failures": 0,
            "fence": 0,
            "requested_by": requested_by,
            "requested_at": now,
        }
        try:
            with self._connection.begin_nested():
                self._connection.execute(insert(grade_job).values(**values))
        except IntegrityError:
            return False
        return True

    def claim(
        self, worker: str, *, now: datetime, lease: timedelta, is_dead: Callable[[str], bool] = lambda _: False
    ) -> Job | None:
        """The next job, now running under this worker; None if there is nothing to do.

        A running job is taken over when its lease has ended or `is_dead` says so of its worker. The stored `sandbox` of
        the returned job is the earlier claim's: end it first.
        """
        statement = (
            select(grade_job)
            .where(grade_job.c.status == JobStatus.QUEUED.value)
            .order_by(grade_job.c.priority.desc(), grade_job.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        found = self._abandoned(now, is_dead) or self._connection.execute(statement).first()
        if found is None:
            return None
        row = self._connection.execute(
            update(grade_job)
            .where(grade_job.c.id == found.id, grade_job.c.fence == found.fence, grade_job.c.status.in_(_OPEN))
            .values(
                status=JobStatus.RUNNING.value,
                claimed_by=worker,
                lease_until=now + lease,
                fence=grade_job.c.fence + 1,
                tries=grade_job.c.tries + 1,
                started_at=now,
            )
            .returning(grade_job)
        ).first()
        return None if row is None else _job(row)

    def renew(self, job: Job, until: datetime) -> bool:
        """Whether the claim still holds; its lease then lasts until then."""
        return self._change(job, {"lease_until": until})

    def remember_sandbox(self, job: Job, sandbox: str | None) -> bool:
        """Whether the claim still holds; whoever takes the job over finds there what to end."""
        return self._change(job, {"sandbox": sandbox})

    def finish(
        self,
        job: Job,
        status: JobStatus,
        *,
        now: datetime,
        reason: str | None = None,
        detail: str | None = None,
        source_sha256: str | None = None,
    ) -> bool:
        """Whether the claim still held; the job is then final."""
        return self._change(
            job,
            {
                "status": status.value,
                "finished_at": now,
                "lease_until": None,
                "sandbox": None,
                "reason": reason,
                "detail": detail,
                "source_sha256": source_sha256,
            },
        )

    def put_back(self, job: Job, reason: str, detail: str, *, failed: bool) -> bool:
        """Whether the claim still held; the job then waits again, with what went wrong, counted if it `failed`."""
        values = {
            "status": JobStatus.QUEUED.value,
            "claimed_by": None,
            "lease_until": None,
            "sandbox": None,
            "reason": reason,
            "detail": detail,
            "failures": grade_job.c.failures + int(failed),
        }
        return self._change(job, values)

    def cancel(self, submission_ids: Collection[int], now: datetime) -> int:
        """How many open jobs of these submissions were cancelled; a running one's results will be refused."""
        result = self._connection.execute(
            update(grade_job)
            .where(grade_job.c.submission_id.in_(submission_ids), grade_job.c.status.in_(_OPEN))
            .values(status=JobStatus.CANCELLED.value, finished_at=now, lease_until=None, fence=grade_job.c.fence + 1)
        )
        return result.rowcount

    def get(self, job_id: int) -> Job | None:
        row = self._connection.execute(select(grade_job).where(grade_job.c.id == job_id)).first()
        return None if row is None else _job(row)

    def newest(self, submission_id: int) -> Job | None:
        """The submission's last job, whatever became of it."""
        statement = select(grade_job).where(grade_job.c.submission_id == submission_id)
        row = self._connection.execute(statement.order_by(grade_job.c.id.desc()).limit(1)).first()
        return None if row is None else _job(row)

    def counting(self, submission_id: int) -> Job | None:
        """The submission's last job that gave marks."""
        statement = select(grade_job).where(
            grade_job.c.submission_id == submission_id, grade_job.c.status == JobStatus.GRADED.value
        )
        row = self._connection.execute(statement.order_by(grade_job.c.id.desc()).limit(1)).first()
        return None if row is None else _job(row)

    def counting_of(self, submission_ids: Collection[int]) -> dict[int, Job]:
        """The last job of each of these submissions that gave marks."""
        newest = (
            select(func.max(grade_job.c.id))
            .where(grade_job.c.submission_id.in_(submission_ids), grade_job.c.status == JobStatus.GRADED.value)
            .group_by(grade_job.c.submission_id)
        )
        rows = self._connection.execute(select(grade_job).where(grade_job.c.id.in_(newest)))
        return {row.submission_id: _job(row) for row in rows}

    def newest_of(self, submission_ids: Collection[int]) -> dict[int, Job]:
        """The last job of each of these submissions that has one."""
        newest = (
            select(func.max(grade_job.c.id))
            .where(grade_job.c.submission_id.in_(submission_ids))
            .group_by(grade_job.c.submission_id)
        )
        rows = self._connection.execute(select(grade_job).where(grade_job.c.id.in_(newest)))
        return {row.submission_id: _job(row) for row in rows}

    def unrecorded(self) -> list[Job]:
        """Graded jobs whose marks may not be in the gradebook yet, oldest first."""
        statement = select(grade_job).where(
            grade_job.c.status == JobStatus.GRADED.value, grade_job.c.recorded_at.is_(None)
        )
        return [_job(row) for row in self._connection.execute(statement.order_by(grade_job.c.id))]

    def has_unrecorded(self, course: str) -> bool:
        """Whether marks of the course may not be in its gradebook yet."""
        statement = (
            select(grade_job.c.id)
            .join(submission, submission.c.id == grade_job.c.submission_id)
            .where(
                submission.c.course == course,
                grade_job.c.status == JobStatus.GRADED.value,
                grade_job.c.recorded_at.is_(None),
            )
            .limit(1)
        )
        return self._connection.execute(statement).first() is not None

    def touch(self, submission_id: int) -> None:
        """What these gradings come to has changed, by a person's points or another deadline: to be recorded anew."""
        self._connection.execute(
            update(grade_job)
            .where(grade_job.c.submission_id == submission_id, grade_job.c.status == JobStatus.GRADED.value)
            .values(changes=grade_job.c.changes + 1, recorded_at=None)
        )

    def unrecorded_of(self, submission_id: int) -> list[tuple[int, int]]:
        """The submission's graded jobs that are not marked as recorded: each id, with how often it was touched."""
        statement = select(grade_job.c.id, grade_job.c.changes).where(
            grade_job.c.submission_id == submission_id,
            grade_job.c.status == JobStatus.GRADED.value,
            grade_job.c.recorded_at.is_(None),
        )
        return [(row.id, row.changes) for row in self._connection.execute(statement)]

    def mark_recorded(self, jobs: Collection[tuple[int, int]], now: datetime) -> None:
        """The gradebook holds these jobs' marks, as they were after so many touches: one touched since is not marked."""
        for job_id, changes in jobs:
            self._connection.execute(
                update(grade_job)
                .where(grade_job.c.id == job_id, grade_job.c.changes == changes)
                .values(recorded_at=now)
            )

    def counts(self, course: str, assignment: str) -> dict[JobStatus, int]:
        """How many submissions' newest jobs are in each status, over all attempts of the assignment."""
        newest = (
            select(func.max(grade_job.c.id))
            .join(submission, submission.c.id == grade_job.c.submission_id)
            .where(submission.c.course == course, submission.c.assignment == assignment)
            .group_by(grade_job.c.submission_id)
        )
        rows = self._connection.execute(
            select(grade_job.c.status, func.count()).where(grade_job.c.id.in_(newest)).group_by(grade_job.c.status)
        )
        return {JobStatus(status): count for status, count in rows}

    def _abandoned(self, now: datetime, is_dead: Callable[[str], bool]) -> Row[Any] | None:
        running = select(grade_job).where(grade_job.c.status == JobStatus.RUNNING.value)
        rows = self._connection.execute(running.order_by(grade_job.c.id).with_for_update(skip_locked=True))
        return next(
            (row for row in rows if row.lease_until is None or row.lease_until < now or is_dead(row.claimed_by)), None
        )

    def _change(self, job: Job, values: dict[str, Any]) -> bool:
        mine = and_(
            grade_job.c.id == job.id,
            grade_job.c.fence == job.fence,
            grade_job.c.status == JobStatus.RUNNING.value,
        )
        return self._connection.execute(update(grade_job).where(mine).values(**values)).rowcount == 1


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        submission_id=row.submission_id,
        status=JobStatus(row.status),
        priority=row.priority,
        tries=row.tries,
        failures=row.failures,
        fence=row.fence,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        claimed_by=row.claimed_by,
        lease_until=row.lease_until,
        sandbox=row.sandbox,
        started_at=row.started_at,
        finished_at=row.finished_at,
        reason=row.reason,
        detail=row.detail,
        source_sha256=row.source_sha256,
        recorded_at=row.recorded_at,
    )

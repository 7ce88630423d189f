"""Which feedback its learner may read."""

from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from grader.store.model import ReleasedFeedback, Work
from grader.store.tables import feedback_release, grade_job


class Releases:
    """Released feedback, one per learner and assignment: releasing again replaces it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, released: ReleasedFeedback) -> None:
        """Let the learner read this."""
        self.withdraw(released.work)
        self._connection.execute(
            insert(feedback_release).values(
                course=released.work.course,
                assignment=released.work.assignment,
                learner=released.work.learner,
                job_id=released.job_id,
                sha256=released.sha256,
                score=released.score,
                max_score=released.max_score,
                released_by=released.released_by,
                released_at=released.released_at,
            )
        )

    def withdraw(self, work: Work) -> None:
        """Let the learner read nothing any more."""
        self._connection.execute(
            delete(feedback_release).where(
                feedback_release.c.course == work.course,
                feedback_release.c.assignment == work.assignment,
                feedback_release.c.learner == work.learner,
            )
        )

    def get(self, work: Work) -> ReleasedFeedback | None:
        row = self._connection.execute(
            select(feedback_release).where(
                feedback_release.c.course == work.course,
                feedback_release.c.assignment == work.assignment,
                feedback_release.c.learner == work.learner,
            )
        ).first()
        return None if row is None else _released(row)

    def of_assignment(self, course: str, assignment: str) -> dict[str, ReleasedFeedback]:
        """By learner."""
        statement = select(feedback_release).where(
            feedback_release.c.course == course, feedback_release.c.assignment == assignment
        )
        return {row.learner: _released(row) for row in self._connection.execute(statement)}

    def of_learner(self, learner: str) -> dict[tuple[str, str], tuple[ReleasedFeedback, int]]:
        """By (course, assignment): what the learner may read, and the id of the hand-in it is about."""
        statement = (
            select(feedback_release, grade_job.c.submission_id)
            .join(grade_job, grade_job.c.id == feedback_release.c.job_id)
            .where(feedback_release.c.learner == learner)
        )
        return {
            (row.course, row.assignment): (_released(row), row.submission_id)
            for row in self._connection.execute(statement)
        }

    def addresses(self) -> set[str]:
        """The objects that released feedback needs."""
        return set(self._connection.execute(select(feedback_release.c.sha256).distinct()).scalars())


def _released(row: Row[Any]) -> ReleasedFeedback:
    return ReleasedFeedback(
        work=Work(row.course, row.assignment, row.learner),
        job_id=row.job_id,
        sha256=row.sha256,
        score=row.score,
        max_score=row.max_score,
        released_by=row.released_by,
        released_at=row.released_at,
    )

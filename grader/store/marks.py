"""What gradings found out and what people gave."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from grader.store.model import CellResult, Grading, ManualGrade, Note, Outcome, Work
from grader.store.tables import cell_choice, cell_message, cell_result, job_note, manual_grade


class Results:
    """Of gradings, by job. Written once, in the transaction that finishes the job."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, job_id: int, grading: Grading) -> None:
        """Store everything a grading found out."""
        results = [
            {
                "job_id": job_id,
                "notebook": each.notebook,
                "grade_id": each.grade_id,
                "max_points": each.max_points,
                "points": each.points,
                "outcome": each.outcome.value,
                "detail": each.detail,
                "answer_sha256": each.answer_sha256,
            }
            for each in grading.results
        ]
        messages = [
            {"job_id": job_id, "notebook": notebook, "grade_id": grade_id, "message": message}
            for notebook, grade_id, message in grading.messages
        ]
        notes = [
            {
                "job_id": job_id,
                "position": position,
                "notebook": each.notebook,
                "grade_id": each.grade_id,
                "code": each.code,
                "detail": each.detail,
                "needs_person": each.needs_person,
            }
            for position, each in enumerate(grading.notes)
        ]
        for table, rows in ((cell_result, results), (cell_message, messages), (job_note, notes)):
            if rows:
                self._connection.execute(insert(table), rows)

    def of(self, job_id: int) -> list[CellResult]:
        """Each counted cell's result."""
        statement = select(cell_result).where(cell_result.c.job_id == job_id)
        return [_result(row) for row in self._connection.execute(statement)]

    def of_jobs(self, job_ids: Collection[int]) -> dict[int, list[CellResult]]:
        """The same for many jobs at once."""
        found: dict[int, list[CellResult]] = {}
        for row in self._connection.execute(select(cell_result).where(cell_result.c.job_id.in_(job_ids))):
            found.setdefault(row.job_id, []).append(_result(row))
        return found

    def messages(self, job_id: int) -> dict[tuple[str, str], str]:
        """What the learner may read, by (notebook, grade_id)."""
        rows = self._connection.execute(select(cell_message).where(cell_message.c.job_id == job_id))
        return {(row.notebook, row.grade_id): row.message for row in rows}

    def notes(self, job_id: int) -> list[Note]:
        """What a person may want to know, in order."""
        rows = self._connection.execute(
            select(job_note).where(job_note.c.job_id == job_id).order_by(job_note.c.position)
        )
        return [Note(row.notebook, row.grade_id, row.code, row.detail, row.needs_person) for row in rows]


class ManualGrades:
    """Given by people; they belong to the learner's work, not to one attempt, so that grading again keeps them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, work: Work) -> dict[tuple[str, str], ManualGrade]:
        """By (notebook, grade_id)."""
        statement = select(manual_grade).where(
            manual_grade.c.course == work.course,
            manual_grade.c.assignment == work.assignment,
            manual_grade.c.learner == work.learner,
        )
        return {(row.notebook, row.grade_id): _manual(row) for row in self._connection.execute(statement)}

    def of_assignment(self, course: str, assignment: str) -> dict[str, dict[tuple[str, str], ManualGrade]]:
        """By learner, then by (notebook, grade_id)."""
        statement = select(manual_grade).where(manual_grade.c.course == course, manual_grade.c.assignment == assignment)
        found: dict[str, dict[tuple[str, str], ManualGrade]] = {}
        for row in self._connection.execute(statement):
            found.setdefault(row.learner, {})[row.notebook, row.grade_id] = _manual(row)
        return found

    def put(self, grade: ManualGrade) -> None:
        """Store or replace one cell's."""
        self._connection.execute(
            delete(manual_grade).where(
                manual_grade.c.course == grade.work.course,
                manual_grade.c.assignment == grade.work.assignment,
                manual_grade.c.learner == grade.work.learner,
                manual_grade.c.notebook == grade.notebook,
                manual_grade.c.grade_id == grade.grade_id,
            )
        )
        self._connection.execute(
            insert(manual_grade).values(
                course=grade.work.course,
                assignment=grade.work.assignment,
                learner=grade.work.learner,
                notebook=grade.notebook,
                grade_id=grade.grade_id,
                points=grade.points,
                extra_credit=grade.extra_credit,
                comment=grade.comment,
                answer_sha256=grade.answer_sha256,
                graded_by=grade.graded_by,
                graded_at=grade.graded_at,
            )
        )


class Choices:
    """Which of several texts a person took for a learner's answer, by submission."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, submission_id: int) -> dict[str, dict[str, int]]:
        """Notebook -> grade_id -> candidate."""
        found: dict[str, dict[str, int]] = {}
        for row in self._connection.execute(select(cell_choice).where(cell_choice.c.submission_id == submission_id)):
            found.setdefault(row.notebook, {})[row.grade_id] = row.candidate
        return found

    def put(
        self, submission_id: int, notebook: str, grade_id: str, candidate: int, *, chosen_by: str, now: datetime
    ) -> None:
        """Store or replace one choice."""
        self._connection.execute(
            delete(cell_choice).where(
                cell_choice.c.submission_id == submission_id,
                cell_choice.c.notebook == notebook,
                cell_choice.c.grade_id == grade_id,
            )
        )
        self._connection.execute(
            insert(cell_choice).values(
                submission_id=submission_id,
                notebook=notebook,
                grade_id=grade_id,
                candidate=candidate,
                chosen_by=chosen_by,
                chosen_at=now,
            )
        )


def _result(row: Row[Any]) -> CellResult:
    return CellResult(
        notebook=row.notebook,
        grade_id=row.grade_id,
        max_points=row.max_points,
        points=row.points,
        outcome=Outcome(row.outcome),
        detail=row.detail,
        answer_sha256=row.answer_sha256,
    )


def _manual(row: Row[Any]) -> ManualGrade:
    return ManualGrade(
        work=Work(row.course, row.assignment, row.learner),
        notebook=row.notebook,
        grade_id=row.grade_id,
        points=row.points,
        extra_credit=row.extra_credit,
        comment=row.comment,
        answer_sha256=row.answer_sha256,
        graded_by=row.graded_by,
        graded_at=row.graded_at,
    )

"""One course's gradebook.db, through nbgrader's own tables, one transaction at a time.

nbgrader's `Gradebook` class commits inside each of its methods, so a process that dies between two of them leaves a
learner half recorded. Its ORM classes are used instead, in one session per learner, with the database's write lock taken
first: whoever holds it sees the newest truth and writes it, so recordings that overtake each other end the same.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory
from nbgrader import api, dbutil
from sqlalchemy import Engine, create_engine, event, inspect, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from grader.autograde.assignment import GradedAssignment, SourceCell, SourceNotebook
from grader.gradebook.errors import GradebookError
from grader.gradebook.marks import LearnerMarks

_BUSY_TIMEOUT_MS = 10_000


class Writer:
    """Writes inside the transaction that `Gradebook.recording` holds."""

    def __init__(self, session: Session, course: str) -> None:
        self._session = session
        self._course = course

    def put_assignment(self, assignment: GradedAssignment, due_at: datetime | None) -> None:
        """Make the assignment and its cells what the source says now.

        Cells that are gone take their marks with them: nbgrader counts every cell that is there.
        """
        found = self._one(api.Assignment, name=assignment.name)
        if found is None:
            found = api.Assignment(name=assignment.name, course_id=self._course)
            self._session.add(found)
        found.duedate = _naive(due_at)
        self._session.flush()
        for notebook in assignment.notebooks:
            row = self._one(api.Notebook, name=notebook.name, assignment_id=found.id)
            if row is None:
                row = api.Notebook(name=notebook.name, assignment=found)
                self._session.add(row)
                self._session.flush()
            row.kernelspec = _kernelspec(notebook)
            self._put_cells(row, notebook)

    def put_marks(self, assignment: str, marks: LearnerMarks) -> None:
        """Make the learner's marks these, and nothing else; the assignment must be there."""
        work = self._submission(assignment, marks)
        rows = {row.notebook.name: row for row in work.notebooks}
        for notebook in work.assignment.notebooks:
            row = rows.get(notebook.name)
            if row is None:
                row = api.SubmittedNotebook(notebook=notebook, assignment=work)
                self._session.add(row)
                self._session.flush()
            row.late_submission_penalty = marks.penalties.get(notebook.name)
            self._put_grades(row, notebook, marks)

    def put_learner(self, learner: str, display_name: str | None = None) -> None:
        """Make sure the learner is there; a name is only ever added."""
        found = self._session.get(api.Student, learner)
        if found is None:
            found = api.Student(id=learner)
            self._session.add(found)
        if display_name and not found.first_name and not found.last_name:
            # One name, not two: which part of it is the family's is not for us to guess.
            found.last_name = display_name[:128]
        self._session.flush()

    def _put_cells(self, row: Any, notebook: SourceNotebook) -> None:
        marked = [cell for cell in notebook.cells if cell.grade_id]
        kinds: tuple[tuple[Any, list[SourceCell]], ...] = (
            (api.GradeCell, [cell for cell in marked if cell.is_grade]),
            (api.SolutionCell, [cell for cell in marked if cell.is_solution]),
            (api.TaskCell, [cell for cell in marked if cell.is_task]),
        )
        for kind, cells in kinds:
            there = {each.name: each for each in self._all(kind, notebook_id=row.id)}
            for name in there.keys() - {cell.grade_id for cell in cells}:
                self._remove_cell(there[name])
            for cell in cells:
                made = there.get(cell.grade_id) or kind(name=cell.grade_id, notebook=row)
                if kind is not api.SolutionCell:
                    made.max_score, made.cell_type = cell.points, cell.cell_type
                self._session.add(made)
        sources = {each.name: each for each in self._all(api.SourceCell, notebook_id=row.id)}
        for name in sources.keys() - {cell.grade_id for cell in marked}:
            self._session.delete(sources[name])
        for cell in marked:
            source = sources.get(cell.grade_id) or api.SourceCell(name=cell.grade_id, notebook=row)
            source.cell_type, source.locked = cell.cell_type, cell.is_locked
            source.source, source.checksum = cell.text, cell.checksum
            self._session.add(source)
        self._session.flush()

    def _remove_cell(self, cell: Any) -> None:
        for kind in (api.Grade, api.Comment):
            for each in self._all(kind, cell_id=cell.id):
                self._session.delete(each)
        self._session.flush()
        self._session.delete(cell)

    def _submission(self, assignment: str, marks: LearnerMarks) -> Any:
        self.put_learner(marks.learner, marks.display_name)
        found = self._one(api.Assignment, name=assignment)
        assert found is not None
        work = self._one(api.SubmittedAssignment, assignment_id=found.id, student_id=marks.learner)
        if work is None:
            work = api.SubmittedAssignment(assignment=found, student_id=marks.learner)
            self._session.add(work)
        work.timestamp, work.extension = _naive(marks.submitted_at), marks.extension
        self._session.flush()
        return work

    def _put_grades(self, row: Any, notebook: Any, marks: LearnerMarks) -> None:
        grades = {each.cell_id: each for each in self._all(api.Grade, notebook_id=row.id)}
        for cell in (*notebook.grade_cells, *notebook.task_cells):
            found = marks.cells.get((notebook.name, cell.name))
            grade = grades.get(cell.id) or api.Grade(cell_id=cell.id, notebook=row)
            grade.auto_score = found.auto if found else None
            grade.manual_score = found.manual if found else None
            grade.extra_credit = found.extra_credit if found else None
            grade.needs_manual_grade = found.needs_person if found else True
            self._session.add(grade)
        comments = {each.cell_id: each for each in self._all(api.Comment, notebook_id=row.id)}
        for cell in (*notebook.solution_cells, *notebook.task_cells):
            found = marks.cells.get((notebook.name, cell.name))
            comment = comments.get(cell.id) or api.Comment(cell_id=cell.id, notebook=row)
            comment.auto_comment = found.auto_comment if found else None
            comment.manual_comment = found.manual_comment if found else None
            self._session.add(comment)
        self._session.flush()

    def _one(self, kind: Any, **where: object) -> Any:
        return self._session.execute(select(kind).filter_by(**where)).scalars().first()

    def _all(self, kind: Any, **where: object) -> Iterable[Any]:
        return self._session.execute(select(kind).filter_by(**where)).scalars().all()


class Gradebook:
    """One course's gradebook. Safe between processes: SQLite's or PostgreSQL's own lock orders the recordings."""

    def __init__(self, url: str, course: str) -> None:
        self._course = course
        self._engine = _engine(url)

    @contextlib.contextmanager
    def recording(self) -> Iterator[Writer]:
        """A transaction that holds the gradebook's write lock from its beginning; committed at the end of the block.

        Read what is to be written inside the block. Raises `GradebookError`.
        """
        try:
            self._prepare()
            with Session(self._engine) as session, session.begin():
                # The row's lock on PostgreSQL; on SQLite the transaction began with it.
                session.execute(text("UPDATE course SET id = id WHERE id = :course"), {"course": self._course})
                yield Writer(session, self._course)
        except DBAPIError as exc:
            raise GradebookError(course=self._course, cause=exc.orig) from exc

    def close(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()

    def _prepare(self) -> None:
        """The tables and the course's row, made on first use.

        nbgrader does this too, but calls a program named `alembic` for it, which need not be on anybody's PATH.
        """
        with self._engine.begin() as connection:
            if not inspect(connection).has_table("course"):
                api.Base.metadata.create_all(connection)
                connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
                connection.execute(
                    text("INSERT INTO alembic_version (version_num) VALUES (:head)"), {"head": nbgraders_head()}
                )
            there = connection.execute(text("SELECT 1 FROM course WHERE id = :course"), {"course": self._course})
            if there.first() is None:
                connection.execute(text("INSERT INTO course (id) VALUES (:course)"), {"course": self._course})


def gradebook_url(path: Path) -> str:
    """The URL of a gradebook in a file."""
    return f"sqlite:///{path}"


def _engine(url: str) -> Engine:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is ours
    cursor = connection.cursor()
    # No WAL: the file is copied and opened by nbgrader's own tools, and must be whole by itself.
    for pragma in (f"busy_timeout={_BUSY_TIMEOUT_MS}", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def nbgraders_head() -> str:
    """The newest version of nbgrader's own tables."""
    config = Config()
    config.set_main_option("script_location", dbutil.ALEMBIC_DIR)
    config.set_main_option("path_separator", "os")
    head = ScriptDirectory.from_config(config).get_current_head()
    assert head is not None
    return head


def _kernelspec(notebook: SourceNotebook) -> str:
    return json.dumps(dict(notebook.kernelspec))


def _naive(moment: datetime | None) -> datetime | None:
    """nbgrader keeps UTC without saying so."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)

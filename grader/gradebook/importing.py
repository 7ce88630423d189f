"""An nbgrader course folder taken over: source/ as it is, hand-ins, every mark in its gradebook, header, footer, course id."""

import json
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbgrader import api
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from grader.assignments.catalogue import assignments_of
from grader.assignments.imported import FACTS, source_of
from grader.exchange.objects import ObjectStore
from grader.gradebook.book import gradebook_url, nbgraders_head
from grader.gradebook.config import read_config
from grader.gradebook.copying import CONFIG, copy_database, copy_plain
from grader.gradebook.errors import CourseFolderError, CourseTakenError, GradebookError
from grader.gradebook.submitted import HandedIn, Left, handed_in, take_over
from grader.store.marks import ManualGrades
from grader.store.model import UNKNOWN_ANSWER, ManualGrade, Work
from hub.clock import Clock
from hub.database import Database

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
_VERSION = text("SELECT version_num FROM alembic_version")
IMPORTED_BY = "nbgrader"
"""Who gave the marks that came with a gradebook."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What was taken over, and which settings were not."""

    course: str
    assignments: tuple[str, ...]
    manual_grades: int
    ignored_settings: tuple[str, ...]
    hand_ins: int
    left: tuple[Left, ...]


class CourseImport:
    """Takes courses over into one centre; `courses` is the state directory's folder of courses."""

    def __init__(self, database: Database, objects: ObjectStore, clock: Clock, courses: Path) -> None:
        self._database = database
        self._objects = objects
        self._clock = clock
        self._courses = courses

    def take_over(self, folder: Path, name: str | None = None) -> Imported:
        """Import the course in `folder` under its own id or `name`; release its assignments afterwards.

        Hand-ins become receipts of the time nbgrader noted; those that are no proper hand-ins are left, with the reason.

        Nothing of the folder is executed and nothing in it is changed. Raises `CourseFolderError`, `CourseTakenError`,
        `GradebookError`, `NotebookError`; nothing is imported then.
        """
        try:
            settings, ignored = read_config(folder / CONFIG)
        except ValueError as exc:
            raise CourseFolderError(path=folder, cause=exc) from exc
        course = name or settings.get("CourseDirectory.course_id") or folder.name
        self._check(folder, course)
        fresh = Path(tempfile.mkdtemp(prefix=f".{course}.", dir=self._courses))
        try:
            assignments = _take_over_source(folder, fresh, settings)
            manual = self._take_over_gradebook(folder / "gradebook.db", fresh / "gradebook.db", course)
            found = list(handed_in(folder, course, {each: _notebooks(fresh, each) for each in assignments}))
            due_at = _due_dates(fresh / "gradebook.db")
            fresh.chmod(0o755)
            fresh.rename(self._courses / course)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        works = [each for each in found if isinstance(each, HandedIn)]
        take_over(works, due_at, self._database, self._objects, self._clock)
        with self._database.writing() as connection:
            for grade in manual:
                ManualGrades(connection).put(grade)
        left = tuple(each for each in found if isinstance(each, Left))
        return Imported(course, tuple(assignments), len(manual), ignored, len(works), left)

    def _check(self, folder: Path, course: str) -> None:
        if not _NAME.match(course):
            raise CourseFolderError(path=folder, cause=f"{course!r} is no name for a course; give another")
        if not (folder / "source").is_dir():
            raise CourseFolderError(path=folder, cause="it has no folder source")
        if (self._courses / course).exists():
            raise CourseTakenError(course=course)

    def _take_over_gradebook(self, theirs: Path, ours: Path, course: str) -> list[ManualGrade]:
        if not theirs.is_file():
            return []
        try:
            copy_database(theirs, ours)
            engine = create_engine(gradebook_url(ours))
            try:
                with Session(engine) as session:
                    found = session.execute(_VERSION).scalar()
                    if found != nbgraders_head():
                        raise GradebookError(
                            course=course, cause="it is of another nbgrader; run `nbgrader db upgrade`"
                        )
                    return list(self._manual_grades(session, course))
            finally:
                engine.dispose()
        except (sqlite3.Error, DBAPIError) as exc:
            raise GradebookError(course=course, cause=exc) from exc

    def _manual_grades(self, session: Session, course: str) -> Iterator[ManualGrade]:
        now = self._clock.now()
        comments = {
            (each.notebook_id, each.cell.name): each.manual_comment
            for each in session.execute(select(api.Comment)).scalars()
            if each.manual_comment
        }
        for grade in session.execute(select(api.Grade)).scalars():
            comment = comments.get((grade.notebook_id, grade.cell.name))
            if grade.manual_score is None and grade.extra_credit is None and comment is None:
                continue
            notebook = grade.notebook
            yield ManualGrade(
                work=Work(course, notebook.assignment.assignment.name, notebook.assignment.student_id),
                notebook=notebook.notebook.name,
                grade_id=grade.cell.name,
                points=grade.manual_score,
                extra_credit=grade.extra_credit,
                comment=comment,
                answer_sha256=UNKNOWN_ANSWER,  # looked at again when the learner hands in anew
                graded_by=IMPORTED_BY,
                graded_at=now,
            )


def _notebooks(course_folder: Path, assignment: str) -> frozenset[str]:
    return frozenset(path.name for path in (course_folder / "source" / assignment).glob("*.ipynb"))


def _due_dates(gradebook: Path) -> dict[str, datetime | None]:
    """By assignment, in UTC, as the gradebook has them."""
    if not gradebook.is_file():
        return {}
    engine = create_engine(gradebook_url(gradebook))
    try:
        with Session(engine) as session:
            rows = session.execute(select(api.Assignment.name, api.Assignment.duedate)).all()
    finally:
        engine.dispose()
    return {name: due.replace(tzinfo=UTC) if due else None for name, due in rows}


def _take_over_source(folder: Path, fresh: Path, settings: Mapping[str, Any]) -> list[str]:
    """Copy sources and configuration; the names of the assignments, every notebook of which was read once."""
    facts = {"course_id": settings.get("CourseDirectory.course_id")}
    for part in ("header", "footer"):
        if value := settings.get(f"IncludeHeaderFooter.{part}"):
            facts[part] = _inside_source(folder, value)
    copy_plain(folder / "source", fresh / "source")
    (fresh / FACTS).write_text(json.dumps(facts) + "\n", encoding="utf-8")
    if (folder / CONFIG).is_file():
        shutil.copyfile(folder / CONFIG, fresh / CONFIG)
    assignments = assignments_of(fresh)
    for assignment in assignments:
        for notebook in (fresh / "source" / assignment).glob("*.ipynb"):
            source_of(notebook)  # one that cannot be read is found now, not on the day it is graded
    return assignments


def _inside_source(folder: Path, value: str) -> str:
    """A header's or footer's path as it will be in the course's own folder; raises `CourseFolderError` for another place."""
    path = (folder / value).resolve()
    if not path.is_file() or not path.is_relative_to((folder / "source").resolve()):
        raise CourseFolderError(path=folder, cause=f"its header or footer {value} is not a file under source")
    return str(path.relative_to(folder.resolve()))

"""A course given back as an nbgrader course folder, laid out as nbgrader's own tools expect, formgrader included.

source/ and release/, what learners handed in, the notebooks that were graded, released feedback, and the gradebook.
"""

import contextlib
import json
import shutil
from datetime import UTC
from pathlib import Path
from typing import Any

from grader.autograde.assignment import SourceNotebook
from grader.autograde.errors import UnreadableNotebookError
from grader.autograde.learner_notebook import read_notebook
from grader.autograde.rebuild import Rebuilt, RebuiltCell, rebuild
from grader.autograde.shelf import Shelf
from grader.errors import UnknownLessonError
from grader.exchange import bundle
from grader.exchange.objects import ObjectStore
from grader.gradebook.copying import CONFIG, copy_database, copy_plain
from grader.gradebook.errors import CourseFolderError
from grader.store.marks import Choices
from grader.store.model import Submission
from grader.store.releases import Releases
from grader.store.submissions import Submissions
from hub.database import Database


class CourseExport:
    """Gives courses of one centre back; `courses` is the state directory's folder of courses."""

    def __init__(self, database: Database, objects: ObjectStore, shelf: Shelf, courses: Path) -> None:
        self._database = database
        self._objects = objects
        self._shelf = shelf
        self._courses = courses

    def give_back(self, course: str, into: Path) -> None:
        """The course as an nbgrader course folder `into`, which must not exist or be empty.

        Raises `CourseFolderError`, `UnknownLessonError`.
        """
        if into.exists() and any(into.iterdir()):
            raise CourseFolderError(path=into, cause="it is not empty")
        into.mkdir(parents=True, exist_ok=True)
        home = self._courses / course
        names = self._shelf.assignments(course)
        for assignment in names:
            self._give_back_source(course, assignment, into)
            for submission in self._newest(course, assignment):
                self._give_back_work(submission, into)
        for extra in (home / "source").glob("*.ipynb") if (home / "source").is_dir() else ():
            shutil.copyfile(extra, into / "source" / extra.name)
        if (home / "gradebook.db").is_file():
            copy_database(home / "gradebook.db", into / "gradebook.db")
        config = home / CONFIG
        (into / CONFIG).write_text(
            config.read_text(encoding="utf-8") if config.is_file() else _config(course), encoding="utf-8"
        )

    def _give_back_source(self, course: str, assignment: str, into: Path) -> None:
        copy_plain(self._shelf.folder(course, assignment), into / "source" / assignment)
        released = self._courses / course / "release" / "en" / assignment
        if released.is_dir():
            copy_plain(released, into / "release" / assignment)

    def _newest(self, course: str, assignment: str) -> list[Submission]:
        with self._database.reading() as connection:
            return Submissions(connection).latest_of(course, assignment)

    def _give_back_work(self, submission: Submission, into: Path) -> None:
        work = submission.work
        with self._objects.open(submission.sha256) as file:
            files = bundle.contents(file)
        submitted = into / "submitted" / work.learner / work.assignment
        for name, content in files.items():
            path = submitted / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        moment = submission.submitted_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC")
        (submitted / "timestamp.txt").write_text(moment, encoding="ascii")
        with self._database.reading() as connection:
            choices = Choices(connection).of(submission.id)
            released = Releases(connection).get(work)
        autograded = into / "autograded" / work.learner / work.assignment
        autograded.mkdir(parents=True)
        (autograded / "timestamp.txt").write_text(moment, encoding="ascii")
        for notebook in self._notebooks(submission):
            if (data := files.get(notebook.file)) is None:
                continue
            with contextlib.suppress(UnreadableNotebookError):
                rebuilt = rebuild(notebook, read_notebook(data, notebook.file), choices.get(notebook.name))
                made = json.dumps(_as_notebook(rebuilt, dict(notebook.kernelspec)), ensure_ascii=False, indent=1)
                (autograded / notebook.file).write_text(made + "\n", encoding="utf-8")
        if released is not None:
            feedback = into / "feedback" / work.learner / work.assignment
            feedback.mkdir(parents=True)
            with self._objects.open(released.sha256) as file:
                (feedback / f"{work.assignment}.html").write_bytes(file.read())

    def _notebooks(self, submission: Submission) -> tuple[SourceNotebook, ...]:
        work = submission.work
        try:
            return self._shelf.get(work.course, work.assignment, submission.language or "en").notebooks
        except UnknownLessonError:
            return ()  # handed in before the course was taken over, and never released here: nothing was graded


def _as_notebook(rebuilt: Rebuilt, kernelspec: dict[str, Any]) -> dict[str, Any]:
    """nbformat 4.5, with nbgrader's metadata from the source, as nbgrader's autograder would leave it."""
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": kernelspec} if kernelspec else {},
        "cells": [_as_cell(position, cell) for position, cell in enumerate(rebuilt.cells)],
    }


def _as_cell(position: int, cell: RebuiltCell) -> dict[str, Any]:
    made: dict[str, Any] = {
        "cell_type": cell.cell_type,
        "id": f"cell-{position}",
        "metadata": {},
        "source": cell.text,
    }
    if cell.cell_type == "code":
        made |= {"execution_count": None, "outputs": []}
    source = cell.source
    if source is not None and source.grade_id:
        made["metadata"]["nbgrader"] = {
            "schema_version": 3,
            "grade_id": source.grade_id,
            "grade": source.is_grade,
            "solution": source.is_solution,
            "task": source.is_task,
            "locked": source.is_locked,
            "checksum": source.checksum,
            "cell_type": source.cell_type,
            **({"points": source.points} if source.is_counted else {}),
        }
    return made


def _config(course: str) -> str:
    return f"c = get_config()\n\nc.CourseDirectory.course_id = {course!r}\n"

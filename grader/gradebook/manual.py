"""Points and comments that people give. Synchronous."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from grader.autograde.assignment import SourceCell, SourceNotebook
from grader.autograde.errors import PointsOutOfRangeError, UnknownCellError, UnknownSubmissionError
from grader.autograde.learner_notebook import read_notebook
from grader.autograde.rebuild import Answer, rebuild
from grader.autograde.shelf import Shelf
from grader.exchange import bundle
from grader.exchange.objects import ObjectStore
from grader.feedback import sanitize
from grader.gradebook.recording import Marks, MarksReader, Records
from grader.store.jobs import Jobs
from grader.store.marks import Choices, ManualGrades
from grader.store.model import CellResult, ManualGrade, Work
from hub.clock import Clock
from hub.database import Database

MAX_COMMENT = 10_000
_SCHEME = re.compile(r"^[^\n]*BEGIN MARK SCHEME[^\n]*\n(.*?)^[^\n]*END MARK SCHEME", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class HandCell:
    """One answer to be read by a person. Everything ending in `_html` is safe to put into a page as it is."""

    notebook: str
    grade_id: str
    max_points: float
    points: float | None
    extra_credit: float | None
    comment: str
    waits: bool
    is_untouched: bool
    prompt_html: str
    rubric_html: str
    answer_html: str
    graded_by: str | None


class ManualGrading:
    """Reading answers and giving points. `records` brings every change into the gradebook, now or soon."""

    def __init__(
        self,
        *,
        database: Database,
        objects: ObjectStore,
        shelf: Shelf,
        reader: MarksReader,
        records: Records,
        clock: Clock,
    ) -> None:
        self._database = database
        self._objects = objects
        self._shelf = shelf
        self._reader = reader
        self._records = records
        self._clock = clock

    def waiting(self, course: str, assignment: str) -> list[tuple[Work, str, str]]:
        """Every answer that waits for points, by learner and in the order of the notebook: (work, notebook, grade_id)."""
        everybody = self._reader.of_all(course, assignment)
        order = [
            (notebook.name, cell.grade_id)
            for notebook in self._shelf.get(course, assignment).notebooks
            for cell in notebook.cells
        ]
        found = []
        for marks in everybody.values():
            work = marks.submission.work
            waiting = {(each.notebook, each.grade_id) for each in marks.waiting}
            found += [(work, name, grade_id) for name, grade_id in order if grade_id and (name, grade_id) in waiting]
        return found

    def cells(self, work: Work) -> list[HandCell]:
        """Every answer of the learner that people grade, in order. Raises `UnknownSubmissionError` before it is graded."""
        marks = self._reader.of(work)
        if marks is None:
            raise UnknownSubmissionError
        return list(self._hand_cells(marks))

    def give(
        self,
        work: Work,
        notebook: str,
        grade_id: str,
        *,
        points: float | None,
        given_by: str,
        comment: str = "",
        extra_credit: float | None = None,
    ) -> Marks:
        """Give a cell points (None takes them back), a comment and extra credit; the learner's marks afterwards.

        A test's points may be overruled as well. Raises `PointsOutOfRangeError`, `UnknownCellError`,
        `UnknownSubmissionError`.
        """
        marks = self._reader.of(work)
        if marks is None:
            raise UnknownSubmissionError
        result = next((each for each in marks.results if (each.notebook, each.grade_id) == (notebook, grade_id)), None)
        if result is None:
            raise UnknownCellError(notebook=notebook, grade_id=grade_id)
        _check_points(result, points, extra_credit)
        with self._database.writing() as connection:
            ManualGrades(connection).put(
                ManualGrade(
                    work=work,
                    notebook=notebook,
                    grade_id=grade_id,
                    points=points,
                    extra_credit=extra_credit,
                    comment=comment.strip()[:MAX_COMMENT] or None,
                    answer_sha256=result.answer_sha256,
                    graded_by=given_by,
                    graded_at=self._clock.now(),
                )
            )
            # In the same commit: killed right after it, the gradebook is still known to be behind.
            Jobs(connection).touch(marks.submission.id)
        recorded = self._records.record(work)
        assert recorded is not None
        return recorded

    def _hand_cells(self, marks: Marks) -> Iterator[HandCell]:
        submission = marks.submission
        assignment = self._shelf.get(submission.work.course, submission.work.assignment, submission.language or "en")
        with self._objects.open(submission.sha256) as file:
            files = bundle.contents(file)
        with self._database.reading() as connection:
            choices = Choices(connection).of(submission.id)
        results = {(each.notebook, each.grade_id): each for each in marks.results}
        for notebook in assignment.notebooks:
            data = files.get(notebook.file)
            if data is None:
                continue
            rebuilt = rebuild(notebook, read_notebook(data, notebook.file), choices.get(notebook.name))
            for position, cell in enumerate(notebook.cells):
                result = results.get((notebook.name, cell.grade_id or ""))
                if cell.is_by_hand and result is not None:
                    yield _hand_cell(marks, notebook, position, result, rebuilt.answers.get(cell.grade_id or ""))


def _hand_cell(
    marks: Marks, notebook: SourceNotebook, position: int, result: CellResult, answer: Answer | None
) -> HandCell:
    cell = notebook.cells[position]
    given = marks.manual.get((result.notebook, result.grade_id))
    return HandCell(
        notebook=notebook.name,
        grade_id=result.grade_id,
        max_points=result.max_points,
        points=given.points if given else result.points,
        extra_credit=given.extra_credit if given else None,
        comment=(given.comment or "") if given else "",
        waits=marks.needs_person(result),
        is_untouched=answer is None or answer.is_untouched,
        prompt_html=_prompt(notebook, position),
        rubric_html="".join(sanitize.markdown(text) for text in _rubric(cell)),
        answer_html="" if answer is None else _shown(cell, answer),
        graded_by=given.graded_by if given else None,
    )


def _rubric(cell: SourceCell) -> Iterator[str]:
    """A marking scheme, nbgrader's or ours: what the author wrote where the answer goes."""
    yield from (match[1] for match in _SCHEME.finditer(cell.text))
    if cell.guide:
        yield cell.guide


def _prompt(notebook: SourceNotebook, position: int) -> str:
    """The instructor's text that asks for the answer: the task itself, or the last text before the cell."""
    cell = notebook.cells[position]
    if cell.is_task:
        return sanitize.markdown(cell.released)
    before = [each for each in notebook.cells[:position] if each.cell_type == "markdown" and not each.is_solution]
    return sanitize.markdown(before[-1].released) if before else ""


def _shown(cell: SourceCell, answer: Answer) -> str:
    if not cell.is_task:
        text = sanitize.code(answer.text) if cell.cell_type == "code" else sanitize.markdown(answer.text)
        return text + "".join(sanitize.output(each) for learner in answer.cells for each in learner.outputs)
    parts = []
    for learner in answer.cells:
        parts.append(sanitize.code(learner.text) if learner.is_code else sanitize.markdown(learner.text))
        parts += [sanitize.output(each) for each in learner.outputs]
    return "".join(parts)


def _check_points(result: CellResult, points: float | None, extra_credit: float | None) -> None:
    if points is not None and not (math.isfinite(points) and 0 <= points <= result.max_points):
        raise PointsOutOfRangeError(max_points=f"{result.max_points:g}")
    if extra_credit is not None and not math.isfinite(extra_credit):
        raise PointsOutOfRangeError(max_points=f"{result.max_points:g}")

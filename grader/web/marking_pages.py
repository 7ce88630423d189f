"""Reading written answers and giving points, one after the other, by keyboard; whose they are is hidden unless asked for."""

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from grader.autograde.errors import PointsOutOfRangeError, UnknownCellError
from grader.errors import GraderError
from grader.gradebook.manual import HandCell
from grader.store.model import Work
from grader.web.access import DeskOf, FormInstructor, PageInstructor, Visitor
from grader.web.desk import Desk
from grader.web.teaching import StandingOf, Taught, TaughtOf, note

router = APIRouter(prefix="/teach/{course}/{assignment}/marking", include_in_schema=False)


class NothingToReadError(GraderError):
    """Every written answer has its points."""

    code = "nothing-to-read"
    status = HTTPStatus.NOT_FOUND
    sentence = "No answer waits for points. Grade the hand-ins first, or release feedback."


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to be read: whose, and which cell."""

    work: Work
    submission_id: int
    notebook: str
    grade_id: str

    def url(self, taught: Taught) -> str:
        """Path of its page."""
        parts = (str(self.submission_id), self.notebook, self.grade_id)
        return f"{taught.url}/marking/{'/'.join(quote(part, safe='') for part in parts)}"


@dataclass(frozen=True, slots=True)
class Queue:
    """Every answer of the assignment, question by question, learners in an order that says nothing about them."""

    answers: tuple[Answer, ...]
    waiting: frozenset[Answer]

    def next_waiting(self, after: Answer | None) -> Answer | None:
        """The next answer without points: after this one, then from the beginning."""
        at = self.answers.index(after) + 1 if after in self.answers else 0
        ahead = [*self.answers[at:], *self.answers[:at]]
        return next((each for each in ahead if each in self.waiting and each != after), None)

    def beside(self, answer: Answer, step: int) -> Answer | None:
        """The answer so many places further, with or without points."""
        at = self.answers.index(answer) + step
        return self.answers[at] if 0 <= at < len(self.answers) else None


@router.get("")
async def begin(desk: DeskOf, visitor: PageInstructor, taught: TaughtOf, request: Request) -> Response:
    """On to the first answer that waits."""
    del visitor  # asked for because it is who lets this through
    queue = await to_thread.run_sync(_queue, desk, taught)
    first = queue.next_waiting(None) or next(iter(queue.answers), None)
    if first is None:
        raise NothingToReadError
    return RedirectResponse(first.url(taught) + _names(request), 303)


async def answer_of(standing: StandingOf, notebook: str, grade_id: str) -> Answer:
    """The answer of the address, whether or not there is one."""
    return Answer(standing.submission.work, standing.submission.id, notebook, grade_id)


AnswerOf = Annotated[Answer, Depends(answer_of)]


@router.get("/{submission_id}/{notebook}/{grade_id}")
async def show_answer(
    request: Request, desk: DeskOf, visitor: PageInstructor, taught: TaughtOf, answer: AnswerOf
) -> Response:
    """One answer with its question, rubric and points."""
    return await _page(request, desk, visitor, taught, answer)


@router.post("/{submission_id}/{notebook}/{grade_id}")
async def give(request: Request, desk: DeskOf, visitor: FormInstructor, taught: TaughtOf, answer: AnswerOf) -> Response:
    """Store points and comment, and go on to the next answer that waits."""
    sent = await request.form()
    form = {name: str(sent.get(name) or "") for name in ("points", "comment")}
    try:
        cell = await to_thread.run_sync(_cell, desk, answer)
        points = _points(form["points"], cell.max_points)
        await to_thread.run_sync(
            lambda: desk.grading.manual.give(
                answer.work,
                answer.notebook,
                answer.grade_id,
                points=points,
                given_by=visitor.person.name,
                comment=form["comment"],
                extra_credit=cell.extra_credit,
            )
        )
    except GraderError as exc:
        return await _page(request, desk, visitor, taught, answer, refusal=exc, typed=form)
    note(visitor.person.name, "mark", taught, learner=answer.work.learner, cell=answer.grade_id, points=points)
    queue = await to_thread.run_sync(_queue, desk, taught)
    following = queue.next_waiting(answer)
    target = following.url(taught) + _names(request) if following else f"{taught.url}#class"
    return RedirectResponse(target, 303)


async def _page(
    request: Request,
    desk: Desk,
    visitor: Visitor,
    taught: Taught,
    answer: Answer,
    *,
    refusal: GraderError | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    cell, queue = await to_thread.run_sync(lambda: (_cell(desk, answer), _queue(desk, taught)))
    if answer not in queue.answers:
        raise UnknownCellError(notebook=answer.notebook, grade_id=answer.grade_id)
    names = _names(request)

    def address(other: Answer | None) -> str:
        return other.url(taught) + names if other else ""

    shown_name = await to_thread.run_sync(desk.grading.rules.display_name, answer.work.learner) if names else None
    return desk.renderer.page(
        request,
        "marking",
        signed_in=visitor,
        refusal=refusal,
        return_path=answer.url(taught) + names,
        taught=taught,
        titles=desk.titles,
        answer=answer,
        cell=cell,
        typed=typed or {},
        choices=point_choices(cell.max_points),
        place=queue.answers.index(answer) + 1,
        total=len(queue.answers),
        waiting=len(queue.waiting),
        shows_names=bool(names),
        shown_name=shown_name or answer.work.learner,
        own_url=answer.url(taught),
        next_url=address(queue.next_waiting(answer)),
        following_url=address(queue.beside(answer, 1)),
        previous_url=address(queue.beside(answer, -1)),
    )


def point_choices(max_points: float) -> list[float]:
    """Points to choose with one click: every half where that fits in a row, else whole points."""
    step = 0.5 if max_points <= 5 else max(1.0, max_points // 10)
    choices = [step * number for number in range(int(max_points / step) + 1)]
    return choices if choices[-1] == max_points else [*choices, max_points]


def _queue(desk: Desk, taught: Taught) -> Queue:
    marks = desk.grading.reader.of_all(taught.course, taught.assignment)
    by_learner = sorted(marks.values(), key=lambda each: hashlib.sha256(each.submission.receipt_id.encode()).digest())
    questions = (
        [
            (notebook.name, cell.grade_id)
            for notebook in desk.grading.shelf.get(taught.course, taught.assignment).notebooks
            for cell in notebook.cells
            if cell.is_by_hand and cell.grade_id
        ]
        if marks
        else []
    )
    answers, waiting = [], set()
    for notebook, grade_id in questions:
        for each in by_learner:
            result = next(
                (found for found in each.results if (found.notebook, found.grade_id) == (notebook, grade_id)), None
            )
            if result is not None:
                answer = Answer(each.submission.work, each.submission.id, notebook, grade_id)
                answers.append(answer)
                if each.needs_person(result):
                    waiting.add(answer)
    return Queue(tuple(answers), frozenset(waiting))


def _cell(desk: Desk, answer: Answer) -> HandCell:
    for cell in desk.grading.manual.cells(answer.work):
        if (cell.notebook, cell.grade_id) == (answer.notebook, answer.grade_id):
            return cell
    raise UnknownCellError(notebook=answer.notebook, grade_id=answer.grade_id)


def _points(text: str, max_points: float) -> float | None:
    """Points from a form's field; None for an empty one. Raises `PointsOutOfRangeError` for what is no number."""
    if not text.strip():
        return None
    try:
        return float(text.strip().replace(",", "."))
    except ValueError as exc:
        raise PointsOutOfRangeError(max_points=f"{max_points:g}") from exc


def _names(request: Request) -> str:
    return "?names=yes" if request.query_params.get("names") == "yes" else ""

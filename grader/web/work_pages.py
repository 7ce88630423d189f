"""One hand-in for its instructor: what became of it and why, decisions only a person can make, more time, a look at feedback."""

from dataclasses import dataclass
from datetime import timedelta

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from grader.autograde.errors import ChoiceUnknownError, UnreadableNotebookError
from grader.autograde.rebuild import NO_ANSWER, Open
from grader.autograde.service import Standing
from grader.errors import GraderError
from grader.gradebook.recording import Marks
from grader.offers import TooLongError
from grader.store.model import CellResult, Submission
from grader.store.submissions import Submissions
from grader.web.access import DeskOf, FormInstructor, PageInstructor, Visitor
from grader.web.desk import Desk
from grader.web.learner_pages import sandboxed
from grader.web.teaching import StandingOf, Taught, TaughtOf, cell_order, note

router = APIRouter(prefix="/teach/{course}/{assignment}/work/{submission_id}", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class WorkView:
    """Everything about one learner's work at one assignment."""

    attempts: list[Submission]
    marks: Marks | None
    results: list[CellResult]
    questions: dict[str, tuple[Open, ...]]
    extension: timedelta
    display_name: str

    @property
    def extension_h(self) -> int:
        return int(self.extension.total_seconds() // 3600)


@router.get("")
async def show_work(
    request: Request, desk: DeskOf, visitor: PageInstructor, taught: TaughtOf, standing: StandingOf
) -> Response:
    """The hand-in with its results."""
    return await _page(request, desk, visitor, taught, standing)


@router.post("/regrade")
async def regrade(desk: DeskOf, visitor: FormInstructor, taught: TaughtOf, standing: StandingOf) -> Response:
    """Grade the learner's newest hand-in again; points that people gave are kept."""
    learner = standing.submission.work.learner
    await to_thread.run_sync(
        lambda: desk.grading.service.enqueue(
            taught.course, taught.assignment, requested_by=visitor.person.name, learners=[learner], again=True
        )
    )
    note(visitor.person.name, "regrade", taught, learner=learner)
    return RedirectResponse(f"{taught.url}#class", 303)


@router.post("/choose")
async def choose(
    request: Request, desk: DeskOf, visitor: FormInstructor, taught: TaughtOf, standing: StandingOf
) -> Response:
    """Decide which of several texts is the answer; with the last decision the hand-in is graded."""
    form = await request.form()
    notebook, grade_id, candidate = (str(form.get(name) or "") for name in ("notebook", "grade_id", "candidate"))
    submission = standing.submission
    try:
        if not candidate.lstrip("-").isascii() or not candidate.lstrip("-").isdecimal() or len(candidate) > 6:
            raise ChoiceUnknownError
        await to_thread.run_sync(
            lambda: desk.grading.service.choose(
                submission.id, notebook, grade_id, int(candidate), chosen_by=visitor.person.name
            )
        )
    except GraderError as exc:
        return await _page(request, desk, visitor, taught, standing, refusal=exc)
    note(visitor.person.name, "choose", taught, learner=submission.work.learner, cell=grade_id, candidate=candidate)
    return RedirectResponse(f"{taught.url}/work/{submission.id}", 303)


@router.post("/extension")
async def extend(
    request: Request, desk: DeskOf, visitor: FormInstructor, taught: TaughtOf, standing: StandingOf
) -> Response:
    """Give the learner more time, in hours."""
    hours, work = str((await request.form()).get("hours") or "0").strip(), standing.submission.work
    try:
        if not (hours.isascii() and hours.isdecimal() and len(hours) < 6):
            raise TooLongError
        await to_thread.run_sync(
            lambda: desk.grading.offers.extend(work, timedelta(hours=int(hours)), given_by=visitor.person.name)
        )
    except GraderError as exc:
        return await _page(request, desk, visitor, taught, standing, refusal=exc)
    note(visitor.person.name, "extend", taught, learner=work.learner, hours=hours)
    return RedirectResponse(f"{taught.url}/work/{standing.submission.id}", 303)


@router.post("/withdraw")
async def withdraw(desk: DeskOf, visitor: FormInstructor, taught: TaughtOf, standing: StandingOf) -> Response:
    """Take released feedback back."""
    await to_thread.run_sync(desk.grading.feedback.withdraw, standing.submission.work)
    note(visitor.person.name, "withdraw feedback", taught, learner=standing.submission.work.learner)
    return RedirectResponse(f"{taught.url}/work/{standing.submission.id}", 303)


@router.get("/preview")
async def preview(
    request: Request, desk: DeskOf, visitor: PageInstructor, taught: TaughtOf, standing: StandingOf
) -> Response:
    """Feedback as it would be released now."""
    translator = desk.renderer.translator(request, visitor)
    work = standing.submission.work
    page = await to_thread.run_sync(
        lambda: desk.grading.feedback.preview(work, title_in=lambda language: taught.title(desk, language))
    )
    return sandboxed(page, f"{taught.url}/work/{standing.submission.id}", translator.gettext("Back to the hand-in"))


async def _page(
    request: Request,
    desk: Desk,
    visitor: Visitor,
    taught: Taught,
    standing: Standing,
    *,
    refusal: GraderError | None = None,
) -> Response:
    view = await to_thread.run_sync(_view, desk, standing)
    return desk.renderer.page(
        request,
        "work",
        signed_in=visitor,
        refusal=refusal,
        return_path=f"{taught.url}/work/{standing.submission.id}",
        taught=taught,
        titles=desk.titles,
        standing=standing,
        view=view,
        no_answer=NO_ANSWER,
        released=await to_thread.run_sync(desk.grading.feedback.released, standing.submission.work),
    )


def _view(desk: Desk, standing: Standing) -> WorkView:
    work = standing.submission.work
    with desk.grading.database.reading() as connection:
        attempts = Submissions(connection).all_of(work)
    try:
        questions = desk.grading.service.questions(standing.submission.id)
    except (UnreadableNotebookError, FileNotFoundError):
        questions = {}  # the reason stands with the grading that failed for it
    marks = desk.grading.reader.of(work)
    order = cell_order(desk, work.course, work.assignment)
    return WorkView(
        attempts=attempts,
        marks=marks,
        results=sorted(marks.results, key=lambda each: order.get((each.notebook, each.grade_id), 0)) if marks else [],
        questions=questions,
        extension=desk.grading.offers.extension(work),
        display_name=desk.grading.rules.display_name(work.learner) or work.learner,
    )

"""One assignment for its instructor: release it, watch hand-ins come, grade them, release feedback."""

from collections.abc import Mapping
from datetime import timedelta

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from grader.errors import GraderError
from grader.exchange.terms import Terms
from grader.people import Membership
from grader.web.access import DeskOf, FormInstructor, PageInstructor, Visitor
from grader.web.dates import typed_moment
from grader.web.desk import Desk
from grader.web.errors import NumberInvalidError
from grader.web.live import class_view
from grader.web.teaching import Taught, TaughtOf, note

router = APIRouter(prefix="/teach/{course}/{assignment}", include_in_schema=False)

MAX_ATTEMPTS = 1000
_RELEASE_FIELDS = ("due", "closes", "grace_minutes", "attempts", "late_percent")
_MAX_GRACE_MINUTES = 14 * 24 * 60


@router.get("")
async def show_assignment(request: Request, desk: DeskOf, visitor: PageInstructor, taught: TaughtOf) -> Response:
    """The class at this assignment."""
    return await _page(request, desk, visitor, taught)


@router.post("/release")
async def release(request: Request, desk: DeskOf, visitor: FormInstructor, taught: TaughtOf) -> Response:
    """Release the assignment to learners, or change its dates; a refusal keeps what was typed."""
    sent = await request.form()
    form = {name: str(sent.get(name) or "") for name in _RELEASE_FIELDS}
    cohorts = [str(each) for each in sent.getlist("cohort")]
    try:
        terms, late_percent = _terms(form, desk)
        if not await to_thread.run_sync(desk.titles.languages, taught.course, taught.assignment):
            await desk.lessons.make(taught.course, taught.assignment)
        chosen = _chosen_cohorts(cohorts, visitor.person.cohorts_teaching(taught.course))
        await to_thread.run_sync(
            lambda: desk.grading.offers.put(
                taught.course,
                taught.assignment,
                terms,
                offered_by=visitor.person.name,
                cohorts=chosen,
                late_percent=late_percent,
            )
        )
    except GraderError as exc:
        return await _page(request, desk, visitor, taught, refusal=exc, typed={**form, "cohorts": ",".join(cohorts)})
    note(visitor.person.name, "release", taught, due=terms.due_at, closes=terms.closes_at, cohorts=chosen)
    return RedirectResponse(taught.url, 303)


@router.post("/take-back")
async def take_back(request: Request, desk: DeskOf, visitor: FormInstructor, taught: TaughtOf) -> Response:
    """Undo a release that nobody has answered."""
    try:
        await to_thread.run_sync(desk.grading.offers.take_back, taught.course, taught.assignment)
    except GraderError as exc:
        return await _page(request, desk, visitor, taught, refusal=exc)
    note(visitor.person.name, "take back", taught)
    return RedirectResponse(taught.url, 303)


@router.post("/grade")
async def grade(request: Request, desk: DeskOf, visitor: FormInstructor, taught: TaughtOf) -> Response:
    """Queue what is not graded yet; everything, if asked for."""
    again = (await request.form()).get("again") == "yes"
    count = await to_thread.run_sync(
        lambda: desk.grading.service.enqueue(
            taught.course, taught.assignment, requested_by=visitor.person.name, again=again
        )
    )
    note(visitor.person.name, "grade", taught, again=again, queued=count)
    return RedirectResponse(f"{taught.url}#class", 303)


@router.post("/stop")
async def stop(desk: DeskOf, visitor: FormInstructor, taught: TaughtOf) -> Response:
    """Take out of the queue what is not graded yet."""
    count = await to_thread.run_sync(desk.grading.service.cancel, taught.course, taught.assignment)
    note(visitor.person.name, "stop grading", taught, cancelled=count)
    return RedirectResponse(f"{taught.url}#class", 303)


@router.post("/feedback")
async def release_feedback(request: Request, desk: DeskOf, visitor: FormInstructor, taught: TaughtOf) -> Response:
    """Release the feedback of everybody who is graded to the end; say whose was held back, and why."""
    unfinished = (await request.form()).get("unfinished") == "yes"
    report = await to_thread.run_sync(
        lambda: desk.grading.feedback.release(
            taught.course,
            taught.assignment,
            title_in=lambda language: taught.title(desk, language),
            released_by=visitor.person.name,
            unfinished=unfinished,
        )
    )
    note(visitor.person.name, "release feedback", taught, released=len(report.released), held=len(report.held_back))
    return await _page(request, desk, visitor, taught, report=report)


async def _page(
    request: Request,
    desk: Desk,
    visitor: Visitor,
    taught: Taught,
    *,
    refusal: GraderError | None = None,
    typed: Mapping[str, str] | None = None,
    report: object = None,
) -> Response:
    view = await class_view(desk, taught)
    offer = await to_thread.run_sync(desk.grading.offers.find, taught.course, taught.assignment)
    return desk.renderer.page(
        request,
        "teach",
        signed_in=visitor,
        refusal=refusal,
        return_path=taught.url,
        taught=taught,
        offer=offer,
        cohorts=visitor.person.cohorts_teaching(taught.course),
        typed=typed or {},
        report=report,
        titles=desk.titles,
        view=view,
        events_url=f"{taught.url}/events?token={visitor.stream_token}",
        now=desk.grading.clock.now(),
    )


def _terms(form: Mapping[str, str], desk: Desk) -> tuple[Terms, float]:
    attempts = _number(form.get("attempts", ""), 1, MAX_ATTEMPTS)
    grace = _number(form.get("grace_minutes", ""), 0, _MAX_GRACE_MINUTES)
    late_percent = _number(form.get("late_percent", ""), 0, 100)
    terms = Terms(
        due_at=typed_moment(form.get("due", ""), desk.zone),
        grace=timedelta(minutes=grace or 0),
        closes_at=typed_moment(form.get("closes", ""), desk.zone),
        attempts=attempts,
    )
    return terms, float(late_percent or 0)


def _number(text: str, low: int, high: int) -> int | None:
    """A whole number from a form's field; None for an empty one. Raises `NumberInvalidError`."""
    if not text.strip():
        return None
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 10 and low <= int(digits) <= high):
        raise NumberInvalidError(text=text[:40], low=low, high=high)
    return int(digits)


def _chosen_cohorts(chosen: list[str], teaching: tuple[Membership, ...]) -> tuple[str, ...] | None:
    """The chosen ones among the instructor's own; None, for every cohort, where all or none were chosen."""
    own = [each.cohort for each in teaching]
    found = tuple(each for each in own if each in chosen)
    return None if not found or len(found) == len(own) else found

"""Starting, opening and stopping the own server; the waiting page and the event stream behind it."""

import json
from collections.abc import AsyncIterator
from urllib.parse import quote, urlencode

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from hub.cohorts.model import Lesson, Person
from hub.web.centre import Centre
from hub.web.errors import LessonUnknownError
from hub.web.i18n import Translator
from hub.web.jupyterhub_api import Progress, ServerStatus
from hub.web.page_session import PREFIX
from hub.web.server_starts import Failed, Ready
from hub.web.visitors import CentreOf, FormVisitor, PageVisitor, StreamVisitor

router = APIRouter(prefix="/server", include_in_schema=False)


def lesson_url(server_url: str, lesson: Lesson) -> str:
    """Where the lesson's notebook opens in JupyterLab."""
    return f"{server_url}lab/tree/{quote(f'{lesson.course}/{lesson.assignment}/{lesson.notebook}')}"


@router.post("/start")
async def start_server(request: Request, centre: CentreOf, visitor: FormVisitor) -> Response:
    """Begin the start and go on to the waiting page."""
    form = await request.form()
    lesson = await _chosen_lesson(centre, visitor.person, str(form.get("lesson") or ""))
    centre.starts.begin(visitor.person.name)
    return RedirectResponse(_waiting_url(lesson), 303)


@router.post("/stop")
async def stop_server(centre: CentreOf, visitor: FormVisitor) -> Response:
    """End the server and go home; files stay."""
    await centre.jupyterhub.stop(visitor.person.name)
    return RedirectResponse(PREFIX, 303)


@router.get("")
async def wait_for_server(request: Request, centre: CentreOf, visitor: PageVisitor, lesson: str = "") -> Response:
    """The waiting page; straight on to the server, or to the lesson in it, once that runs."""
    chosen = await _chosen_lesson(centre, visitor.person, lesson)
    server = await centre.jupyterhub.server(visitor.person.name)
    target = lesson_url(server.url, chosen) if chosen else f"{server.url}lab"
    # A redirect is the end of a form's navigation, which may not leave this origin (CSP form-action): a server with
    # a host name of its own is reached from the page instead.
    if server.status is ServerStatus.RUNNING and target.startswith("/"):
        return RedirectResponse(target, 303)
    return centre.renderer.page(
        request,
        "server",
        signed_in=visitor,
        return_path=_waiting_url(chosen),
        lesson=chosen,
        target=target if server.status is ServerStatus.RUNNING else "",
        events_url=f"{PREFIX}server/events?{urlencode({'token': visitor.stream_token, 'lesson': lesson})}",
    )


@router.get("/events")
async def server_events(request: Request, centre: CentreOf, visitor: StreamVisitor, lesson: str = "") -> Response:
    """Server-sent events `{"kind": "progress", "percent", "text"}`, at last `ready` with `url` or `failed` with `text`."""
    chosen = await _chosen_lesson(centre, visitor.person, lesson)
    translator = centre.renderer.translator(request, visitor)
    return StreamingResponse(
        _events(centre, visitor.person, chosen, translator),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def _events(centre: Centre, person: Person, lesson: Lesson | None, translator: Translator) -> AsyncIterator[str]:
    async for step in centre.starts.watch(person.name):
        event: dict[str, object]
        if isinstance(step, Ready):
            url = lesson_url(step.server.url, lesson) if lesson else f"{step.server.url}lab"
            event = {"kind": "ready", "url": url}
        elif isinstance(step, Failed):
            event = {"kind": "failed", "text": translator.sentence(step.error)}
        else:
            event = {"kind": "progress", "percent": step.percent, "text": _progress_text(step, translator)}
        yield f"data: {json.dumps(event)}\n\n"


def _progress_text(step: Progress, translator: Translator) -> str:
    """JupyterHub's own words for a step, in the reader's language."""
    return translator.gettext(_HUB_MESSAGES.get(step.message, step.message))


def _waiting_url(lesson: Lesson | None) -> str:
    query = f"?{urlencode({'lesson': f'{lesson.course}/{lesson.assignment}'})}" if lesson else ""
    return f"{PREFIX}server{query}"


async def _chosen_lesson(centre: Centre, person: Person, chosen: str) -> Lesson | None:
    """The lesson of that `COURSE/ASSIGNMENT` if it is one of the person's; None when none was chosen."""
    if not chosen:
        return None
    courses = await to_thread.run_sync(centre.cohorts.roster.courses_of, person)
    for course in courses:
        for lesson in course.lessons:
            if chosen == f"{lesson.course}/{lesson.assignment}":
                return lesson
    raise LessonUnknownError


def N_(text: str) -> str:  # noqa: N802 - gettext's name for "collect this, translate it later"
    return text


_HUB_MESSAGES = {
    "Server requested": N_("Your place is booked."),
    "Spawning server...": N_("Your server is being prepared."),
    "": N_("Your server is being prepared."),
}
"""JupyterHub's words for the steps every spawner has, and ours instead."""

"""Starting, opening and stopping the own server; the page that shows it start, and the event stream behind that."""

import json
import re
from collections.abc import AsyncIterator
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from hub.cohorts.model import Lesson, Person
from hub.errors import HubError
from hub.web.centre import Centre
from hub.web.chosen_lesson import chosen_lesson, lesson_name, lesson_query, lesson_url
from hub.web.errors import RequestInvalidError
from hub.web.i18n import N_, Translator
from hub.web.jupyterhub_api import Progress, ServerStatus
from hub.web.page_session import PREFIX
from hub.web.queue_page import QUEUE_PATH
from hub.web.server_starts import Failed, Ready
from hub.web.share_page import share_page
from hub.web.share_starts import Next, holding, start_as_it_is, start_with, start_without, stop
from hub.web.visitors import CentreOf, FormVisitor, PageVisitor, StreamVisitor

router = APIRouter(prefix="/server", include_in_schema=False)

_KEY = re.compile(r"[0-9a-f]{32}")


@router.post("/start")
async def start_server(request: Request, centre: CentreOf, visitor: FormVisitor) -> Response:
    """Begin the start, or join the queue, and go on to the page that waits for it.

    `share` names a share, or is empty for none; without the field, a share that is held already is used.
    """
    form = await request.form()
    chosen = str(form.get("lesson") or "")
    await chosen_lesson(centre, visitor.person, chosen)
    share, key = form.get("share"), str(form.get("key") or "")
    if share and not _KEY.fullmatch(key):
        raise RequestInvalidError
    try:
        following = await _start(centre, visitor.person, share if isinstance(share, str) else None, key)
    except HubError as exc:
        now = await holding(centre, visitor.person)
        return await share_page(request, centre, visitor, now, chosen, refusal=exc, chosen=str(share or ""))
    path = QUEUE_PATH if following is Next.TURN else f"{PREFIX}server"
    return RedirectResponse(f"{path}{lesson_query(chosen)}", 303)


async def _start(centre: Centre, person: Person, share: str | None, key: str) -> Next:
    if share is None:
        return await start_as_it_is(centre, person)
    return await start_with(centre, person, share, key) if share else await start_without(centre, person)


@router.post("/stop")
async def stop_server(centre: CentreOf, visitor: FormVisitor) -> Response:
    """End the server and go home; files stay, and its share goes back."""
    await stop(centre, visitor.person)
    return RedirectResponse(PREFIX, 303)


@router.get("")
async def wait_for_server(request: Request, centre: CentreOf, visitor: PageVisitor, lesson: str = "") -> Response:
    """The page of a starting server; straight on to it, or to the lesson in it, once it runs."""
    chosen = await chosen_lesson(centre, visitor.person, lesson)
    server = await centre.jupyterhub.server(visitor.person.name)
    runs = server.status is ServerStatus.RUNNING and not centre.starts.is_stopping_first(visitor.person.name)
    target = lesson_url(server.url, chosen) if runs else ""
    # A redirect is the end of a form's navigation, which may not leave this origin (CSP form-action): a server with
    # a host name of its own is reached from the page instead.
    if target.startswith("/"):
        return RedirectResponse(target, 303)
    return centre.renderer.page(
        request,
        "server",
        signed_in=visitor,
        return_path=f"{PREFIX}server{lesson_query(lesson_name(chosen))}",
        lesson=chosen,
        target=target,
        events_url=f"{PREFIX}server/events?{urlencode({'token': visitor.stream_token, 'lesson': lesson})}",
    )


@router.get("/events")
async def server_events(request: Request, centre: CentreOf, visitor: StreamVisitor, lesson: str = "") -> Response:
    """Server-sent events `{"kind": "progress", "percent", "text"}`, at last `ready` with `url` or `failed` with `text`."""
    chosen = await chosen_lesson(centre, visitor.person, lesson)
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
            event = {"kind": "ready", "url": lesson_url(step.server.url, lesson)}
        elif isinstance(step, Failed):
            event = {"kind": "failed", "text": translator.sentence(step.error)}
        else:
            event = {"kind": "progress", "percent": step.percent, "text": _progress_text(step, translator)}
        yield f"data: {json.dumps(event)}\n\n"


def _progress_text(step: Progress, translator: Translator) -> str:
    """JupyterHub's own words for a step, in the reader's language."""
    return translator.gettext(_HUB_MESSAGES.get(step.message, step.message))


_HUB_MESSAGES = {
    "Server requested": N_("Your place is booked."),
    "Spawning server...": N_("Your server is being prepared."),
    "": N_("Your server is being prepared."),
}
"""JupyterHub's words for the steps every spawner has, and ours instead."""

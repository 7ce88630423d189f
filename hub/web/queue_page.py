"""The place in the queue: how far it is, why, and what to do when the turn comes.

The place is kept by the centre, not by this page: it stands on the home page too, and outlives a closed window.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hub.leases.errors import LeaseEndedError, NotOfferedError
from hub.leases.model import Lease, LeaseStatus, Outlook
from hub.web.centre import Centre
from hub.web.chosen_lesson import chosen_lesson, lesson_query
from hub.web.i18n import Translator
from hub.web.live import stream
from hub.web.page_session import PREFIX
from hub.web.share_page import SHARE_PATH
from hub.web.share_starts import claim, give_up, holding, session_of
from hub.web.share_words import ShareWords
from hub.web.visitors import CentreOf, FormVisitor, PageVisitor, StreamVisitor, Visitor

router = APIRouter(prefix="/server/queue", include_in_schema=False)

QUEUE_PATH = f"{PREFIX}server/queue"


@dataclass(frozen=True, slots=True)
class Place:
    """Somebody's place in the queue, as the page shows it."""

    share: str
    offered: bool
    simulated: bool
    claim_left_s: int
    position: int
    waiting: int
    why: str
    estimate: str


def place_of(centre: Centre, visitor: Visitor, lease: Lease, translator: Translator) -> Place:
    """The place of a waiting or offered lease."""
    words = ShareWords(translator)
    profiles = centre.leases.offers.by_name
    outlook: Outlook | None = centre.leases.outlook(lease.id)
    left = (lease.claim_by - centre.leases.now()).total_seconds() if lease.claim_by else 0
    known = profiles.get(lease.ask.profile)
    return Place(
        share=words.title_of(lease, profiles),
        offered=lease.status is LeaseStatus.OFFERED,
        simulated=known is not None and known.simulated,
        claim_left_s=max(0, int(left)),
        position=outlook.position if outlook else 0,
        waiting=outlook.waiting if outlook else 0,
        why=words.why(outlook) if outlook else "",
        estimate=words.estimate(outlook) if outlook else "",
    )


@router.get("")
async def show_place(request: Request, centre: CentreOf, visitor: PageVisitor, lesson: str = "") -> Response:
    """The place; on to where the person belongs if there is none any more."""
    now = await holding(centre, visitor.person)
    if now.lease is None:
        return RedirectResponse(PREFIX, 303)  # which says how the last one ended
    if not now.waits:
        starts = now.in_use or centre.starts.is_under_way(visitor.person.name)
        return RedirectResponse((f"{PREFIX}server" if starts else SHARE_PATH) + lesson_query(lesson), 303)
    return centre.renderer.page(
        request,
        "queue",
        signed_in=visitor,
        return_path=QUEUE_PATH + lesson_query(lesson),
        lesson=await chosen_lesson(centre, visitor.person, lesson),
        place=place_of(centre, visitor, now.lease, centre.renderer.translator(request, visitor)),
        now=now,
        events_url=events_url(visitor, lesson),
    )


def events_url(visitor: Visitor, lesson: str = "") -> str:
    """Address of the stream that tells about this visitor's place."""
    return f"{QUEUE_PATH}/events?{urlencode({'token': visitor.stream_token, 'lesson': lesson})}"


@router.get("/events")
async def place_events(
    request: Request, centre: CentreOf, visitor: StreamVisitor, lesson: str = "", at: str = ""
) -> Response:
    """Server-sent events `{"kind": "waiting"|"offered", "html", "position"}`; `{"kind": "over", "url"}` when it is neither.

    `at=home` asks for the one line of the home page.
    """
    template = "place_line" if at == "home" else "place"
    translator = centre.renderer.translator(request, visitor)
    query = lesson_query(lesson)

    async def look() -> dict[str, object]:
        lease = centre.leases.of_session(session_of(visitor.person))
        if lease is None or lease.status is LeaseStatus.HELD:
            return {"kind": "over", "url": PREFIX if lease is None else f"{PREFIX}server{query}"}
        place = place_of(centre, visitor, lease, translator)
        html = centre.renderer.fragment(request, template, visitor, place=place)
        return {"kind": "offered" if place.offered else "waiting", "html": html, "position": place.position}

    return stream(centre.leases, look)


@router.post("/claim")
async def claim_turn(request: Request, centre: CentreOf, visitor: FormVisitor) -> Response:
    """Take the share and start the server with it, stopping one without a share first."""
    lesson = str((await request.form()).get("lesson") or "")
    await chosen_lesson(centre, visitor.person, lesson)
    try:
        await claim(centre, visitor.person)
    except LeaseEndedError:
        return RedirectResponse(PREFIX, 303)  # it says why, and what to do
    except NotOfferedError:
        return RedirectResponse(QUEUE_PATH + lesson_query(lesson), 303)
    return RedirectResponse(f"{PREFIX}server{lesson_query(lesson)}", 303)


@router.post("/leave")
async def leave_queue(centre: CentreOf, visitor: FormVisitor) -> Response:
    """Give the place up, or a share that no running server has."""
    await give_up(centre, visitor.person)
    return RedirectResponse(PREFIX, 303)

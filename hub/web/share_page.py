"""Choosing what a server is started with: every share on offer, with how free it is at this moment."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hub.errors import HubError
from hub.gpu.model import Engine
from hub.leases.model import Availability
from hub.web.centre import Centre
from hub.web.chosen_lesson import chosen_lesson, lesson_query
from hub.web.cpu_holding import how_cpus_are_held
from hub.web.live import stream
from hub.web.page_session import PREFIX
from hub.web.share_starts import Holding, holding, on_offer, session_of
from hub.web.share_words import ShareWords
from hub.web.visitors import CentreOf, PageVisitor, StreamVisitor, Visitor

router = APIRouter(prefix="/server/share", include_in_schema=False)

SHARE_PATH = f"{PREFIX}server/share"


@dataclass(frozen=True, slots=True)
class Card:
    """One share as it stands on the page."""

    name: str
    title: str
    facts: tuple[str, ...]
    state: str
    """`free`, `full` or `never`: how the page marks it."""
    text: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class Group:
    """The shares of one kind of device."""

    title: str
    note: str
    cards: tuple[Card, ...]


def card_of(found: Availability, words: ShareWords) -> Card:
    """The share for the page."""
    profile = found.profile
    state = "never" if found.refusal else "free" if found.free else "full"
    return Card(
        profile.name, words.part(profile), words.facts(profile), state, words.availability(found), profile.simulated
    )


def groups_of(offer: Sequence[Availability], words: ShareWords, cpu_note: str) -> list[Group]:
    """Shares by kind of device, in the order of the offer."""
    kinds: dict[str, list[Availability]] = {}
    for each in offer:
        kinds.setdefault(each.profile.pool, []).append(each)
    return [
        Group(
            title=words.kind(found[0].profile),
            note=cpu_note if found[0].profile.engine is Engine.CPU else "",
            cards=tuple(card_of(each, words) for each in found),
        )
        for found in kinds.values()
    ]


async def usual_share(centre: Centre, visitor: Visitor, offer: Sequence[Availability]) -> Availability | None:
    """What the person had last, if they can have it again; None: without a share."""
    last = await centre.leases.last_of_session(session_of(visitor.person))
    if last is None:
        return None
    return next((each for each in offer if each.profile.name == last.ask.profile and not each.refusal), None)


@router.get("")
async def show_shares(request: Request, centre: CentreOf, visitor: PageVisitor, lesson: str = "") -> Response:
    """The choice; straight on to the server where there is none to make."""
    now = await holding(centre, visitor.person)
    if now.in_use:
        return RedirectResponse(f"{PREFIX}server{lesson_query(lesson)}", 303)
    return await share_page(request, centre, visitor, now, lesson)


@router.get("/events")
async def share_events(request: Request, centre: CentreOf, visitor: StreamVisitor) -> Response:
    """Server-sent events `{"shares": [{"name", "state", "text"}]}`, each time one has changed."""
    words = ShareWords(centre.renderer.translator(request, visitor))

    async def look() -> dict[str, object]:
        cards = [card_of(each, words) for each in on_offer(centre, visitor.person)]
        return {"shares": [{"name": each.name, "state": each.state, "text": each.text} for each in cards]}

    return stream(centre.leases, look)


async def share_page(
    request: Request,
    centre: Centre,
    visitor: Visitor,
    now: Holding,
    lesson: str,
    *,
    refusal: HubError | None = None,
    chosen: str | None = None,
) -> Response:
    """The page, with the person's usual share chosen, or what they chose before a refusal."""
    translator = centre.renderer.translator(request, visitor)
    words, offer = ShareWords(translator), on_offer(centre, visitor.person)
    usual = await usual_share(centre, visitor, offer)
    return centre.renderer.page(
        request,
        "shares",
        signed_in=visitor,
        refusal=refusal,
        return_path=f"{SHARE_PATH}{lesson_query(lesson)}",
        lesson=await chosen_lesson(centre, visitor.person, lesson),
        groups=groups_of(offer, words, how_cpus_are_held(centre, translator)),
        chosen=chosen if chosen is not None else usual.profile.name if usual else "",
        now=now,
        held_title=words.title_of(now.lease, centre.leases.offers.by_name) if now.lease else "",
        memory_mib=centre.settings.sandbox.memory_mib,
        key=uuid.uuid4().hex,
        events_url=f"{SHARE_PATH}/events?{urlencode({'token': visitor.stream_token})}",
    )

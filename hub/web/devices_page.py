"""Every device as a picture of its shares, live; who holds them, where the visitor may know; who waits."""

import logging
from urllib.parse import urlencode

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hub.cohorts.errors import NotPermittedError
from hub.cohorts.model import Person
from hub.leases.model import EndReason
from hub.web.centre import Centre
from hub.web.cpu_holding import how_cpus_are_held
from hub.web.device_view import DevicesView, Viewer, devices_view
from hub.web.live import PAUSE_S, stream
from hub.web.page_session import PREFIX
from hub.web.share_words import ShareWords
from hub.web.visitors import CentreOf, FormVisitor, PageVisitor, StreamVisitor, Visitor

log = logging.getLogger(__name__)

router = APIRouter(prefix="/devices", include_in_schema=False)

DEVICES_PATH = f"{PREFIX}devices"
MANY_DEVICES = 200
MANY_PAUSE_S = 4.0
"""A picture of many devices is costly to draw, and nobody can follow it by the second."""


@router.get("")
async def show_devices(request: Request, centre: CentreOf, visitor: PageVisitor, node: str = "") -> Response:
    """The devices now; `node` unfolds the machines whose names contain it."""
    viewer = await _viewer(centre, visitor.person)
    query = urlencode({"token": visitor.stream_token, "node": node[:100]})
    return centre.renderer.page(
        request,
        "devices",
        signed_in=visitor,
        return_path=f"{DEVICES_PATH}?{urlencode({'node': node[:100]})}" if node else DEVICES_PATH,
        view=await _view(request, centre, visitor, viewer, node),
        node=node[:100],
        cpu_note=how_cpus_are_held(centre, centre.renderer.translator(request, visitor)),
        events_url=f"{DEVICES_PATH}/events?{query}",
    )


@router.get("/events")
async def device_events(request: Request, centre: CentreOf, visitor: StreamVisitor, node: str = "") -> Response:
    """Server-sent events `{"html"}`: the live part, each time it has changed."""
    viewer = await _viewer(centre, visitor.person)

    async def look() -> dict[str, object]:
        view = await _view(request, centre, visitor, viewer, node)
        return {"html": centre.renderer.fragment(request, "devices_live", visitor, view=view, node=node[:100])}

    many = len(centre.leases.devices()) > MANY_DEVICES
    return stream(centre.leases, look, pause_s=MANY_PAUSE_S if many else PAUSE_S)


@router.post("/leases/{lease_id}/end")
async def end_lease(centre: CentreOf, visitor: FormVisitor, lease_id: str) -> Response:
    """Take a share back from somebody the visitor administers. Their server goes on without it, and says so."""
    if not visitor.person.administers:
        raise NotPermittedError
    lease = await centre.leases.find(lease_id)
    owner = await to_thread.run_sync(centre.cohorts.roster.person, lease.ask.owner)
    if not visitor.person.may_manage(owner):
        raise NotPermittedError
    await centre.leases.release(lease_id, EndReason.REVOKED)
    log.info("%s ended the share %s of %s", visitor.person.name, lease.ask.profile, lease.ask.owner)
    return RedirectResponse(DEVICES_PATH, 303)


async def _viewer(centre: Centre, person: Person) -> Viewer:
    if not person.administers:
        return Viewer(person.name, {})
    people = await to_thread.run_sync(centre.cohorts.roster.managed_people, person)
    return Viewer(
        person.name,
        {each.name: each.display_name for each in people},
        frozenset(each.name for each in people if person.may_manage(each)),
    )


async def _view(request: Request, centre: Centre, visitor: Visitor, viewer: Viewer, node: str) -> DevicesView:
    translator = centre.renderer.translator(request, visitor)
    reading = await centre.meter.read()
    return devices_view(
        centre.leases.devices(),
        centre.leases.waiting(),
        viewer,
        ShareWords(translator),
        centre.leases.offers.by_name,
        now=centre.leases.now(),
        reading=reading,
        fault=translator.sentence(reading.fault) if reading.fault else "",
        wanted=node,
    )

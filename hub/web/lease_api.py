"""Leases over HTTP: ask for a share, watch, claim, show signs of life, give back. For the spawner, the grader and measurements.

Bearer tokens as the roster API takes them: JupyterHub's acts on servers, the grader's on gradings. A refusal is
`{"code", "sentence", "fields"}`. Whatever is answered has been committed.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Security
from fastapi.security import HTTPBearer
from starlette.responses import Response, StreamingResponse

from hub.database import DatabaseUnavailableError, DiskFullError
from hub.errors import HubError
from hub.leases.desk import LeaseDesk
from hub.leases.errors import (
    AllocatorReplacedError,
    AskInvalidError,
    DevicesFullError,
    FenceError,
    KeyReusedError,
    LeaseEndedError,
    NeverFitsError,
    NotOfferedError,
    QuotaExceededError,
    QuotaUsedUpError,
    SessionHasLeaseError,
    UnknownLeaseError,
    UnknownShareError,
)
from hub.leases.model import Lease, LeaseStatus, Session, SessionKind
from hub.web.centre import centre_of
from hub.web.errors import RequestInvalidError, RequestTooLargeError, TokenInvalidError
from hub.web.lean_route import LeanRoute
from hub.web.lease_access import CallerOf, ForeignSessionError
from hub.web.lease_payloads import (
    AskBody,
    DevicesPayload,
    FenceBody,
    LeasePayload,
    LeasesPayload,
    Name,
    QuotaBody,
    QuotaPayload,
    QuotasPayload,
    SharesPayload,
    checked_name,
    of_availability,
    of_devices,
    of_lease,
    of_quota,
)
from hub.web.roster_api import API_PREFIX, Refusal

EVENT_EVERY_S = 0.25
"""A watcher is told so often at most: in a rush, hundreds of leases change in a second, and nearly all are other people's."""
ALIVE_EVERY_S = 15.0

_bearer = HTTPBearer(auto_error=False, description="The token JupyterHub, or the grader, and this service share.")
_UNSAVED = (DatabaseUnavailableError, DiskFullError, AllocatorReplacedError)
_MAX_LISTED = 10_000


def refusals(*errors: type[HubError]) -> dict[int | str, dict[str, Any]]:
    """Documentation of what an operation may answer instead: per status the codes, and when each comes."""
    found: dict[int | str, dict[str, Any]] = {}
    kinds: list[type[HubError]] = [TokenInvalidError, *errors]
    for error in kinds:
        one = found.setdefault(int(error.status), {"model": Refusal, "description": "", "x-codes": []})
        reason = (error.__doc__ or "").strip().split("\n")[0]
        one["description"] += f"{'; ' if one['description'] else ''}`{error.code}`: {reason}"
        one["x-codes"].append(error.code)
    return found


router = APIRouter(
    prefix=API_PREFIX,
    tags=["leases"],
    route_class=LeanRoute,
    dependencies=[Security(_bearer)],
)
reads = APIRouter(prefix=API_PREFIX, tags=["leases"], dependencies=[Security(_bearer)])


@router.post(
    "/leases",
    response_model=LeasePayload,
    status_code=201,
    response_description="Held from now on.",
    responses={
        202: {"model": LeasePayload, "description": "In the queue."},
        200: {"model": LeasePayload, "description": "The key was sent before: the lease it got, as it is now."},
        **refusals(
            AskInvalidError,
            ForeignSessionError,
            UnknownShareError,
            KeyReusedError,
            SessionHasLeaseError,
            DevicesFullError,
            QuotaUsedUpError,
            NeverFitsError,
            QuotaExceededError,
            RequestTooLargeError,
            *_UNSAVED,
        ),
    },
)
async def acquire(request: Request, caller: CallerOf, body: AskBody) -> Response:
    """Ask for a share. Sent again with the same key it changes nothing, so a client that heard no answer asks again."""
    desk, ask = _desk(request), body.ask()
    caller.check(ask.session)
    lease = await desk.acquire(ask)
    if lease.ask is not ask:
        return _answer(desk, lease)  # made for an equal ask that came earlier
    return _answer(desk, lease, 201 if lease.status is LeaseStatus.HELD else 202)


@router.get(
    "/leases/{lease_id}", response_model=LeasePayload, responses=refusals(ForeignSessionError, UnknownLeaseError)
)
async def read_lease(request: Request, caller: CallerOf, lease_id: str) -> Response:
    """The lease of that id, also one that has ended."""
    desk = _desk(request)
    return _answer(desk, caller.own(await desk.find(lease_id)))


@router.get(
    "/leases/{lease_id}/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
            "description": "An event `lease` with the lease as JSON: now, at each change of it or of its outlook, and at its end.",
        },
        **refusals(ForeignSessionError, UnknownLeaseError),
    },
)
async def watch_lease(request: Request, caller: CallerOf, lease_id: str) -> Response:
    """The lease's changes as server-sent events; the stream ends with the lease. A client that was cut off asks again."""
    desk = _desk(request)
    caller.own(await desk.find(lease_id))
    return StreamingResponse(
        _events(desk, lease_id), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


@router.post(
    "/leases/{lease_id}/claim",
    response_model=LeasePayload,
    responses=refusals(ForeignSessionError, UnknownLeaseError, LeaseEndedError, NotOfferedError, *_UNSAVED),
)
async def claim(request: Request, caller: CallerOf, lease_id: str) -> Response:
    """Take what is offered. A lease that is held already stays so."""
    desk = _desk(request)
    caller.own(await desk.find(lease_id))
    return _answer(desk, await desk.claim(lease_id))


@router.post(
    "/leases/{lease_id}/heartbeat",
    response_model=LeasePayload,
    responses=refusals(
        AskInvalidError,
        ForeignSessionError,
        UnknownLeaseError,
        LeaseEndedError,
        FenceError,
        RequestTooLargeError,
        *_UNSAVED,
    ),
)
async def beat(request: Request, caller: CallerOf, lease_id: str, body: FenceBody) -> Response:
    """A sign of life from whoever holds the lease, shown by its fencing token."""
    desk = _desk(request)
    caller.own(await desk.find(lease_id))
    return _answer(desk, await desk.heartbeat(lease_id, body.fence))


@router.delete(
    "/leases/{lease_id}",
    response_model=LeasePayload,
    responses=refusals(AskInvalidError, ForeignSessionError, UnknownLeaseError, FenceError, *_UNSAVED),
    openapi_extra={
        "parameters": [
            {
                "in": "query",
                "name": "fence",
                "required": False,
                "schema": {"type": "integer", "minimum": 1},
                "description": "End it only if this is its fencing token.",
            }
        ]
    },
)
async def release(request: Request, caller: CallerOf, lease_id: str) -> Response:
    """End the lease, or leave the queue. One that has ended already stays as it is."""
    desk = _desk(request)
    fence = _fence(request)
    caller.own(await desk.find(lease_id))
    return _answer(desk, await desk.release(lease_id, fence=fence))


@router.put(
    "/quotas/{cohort}/{pool}",
    response_model=QuotaPayload,
    responses=refusals(AskInvalidError, ForeignSessionError, RequestTooLargeError, *_UNSAVED),
)
async def set_quota(request: Request, caller: CallerOf, cohort: str, pool: str, body: QuotaBody) -> Response:
    """Set what a cohort may hold of a pool. Leases that are held stay; JupyterHub's token only."""
    if caller.kind is not SessionKind.SERVER:
        raise ForeignSessionError
    quota = body.quota(checked_name("cohort", cohort), checked_name("pool", pool))
    await _desk(request).set_quota(quota)
    return _json(of_quota(quota))


@reads.get("/leases", response_model=LeasesPayload, responses=refusals(RequestInvalidError, DatabaseUnavailableError))
async def list_leases(
    *,
    request: Request,
    caller: CallerOf,
    live: Annotated[bool, Query(description="Only those that have not ended.")] = True,
    session: Annotated[Name | None, Query(description="Of the session of that name.")] = None,
    owner: Annotated[Name | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=_MAX_LISTED)] = 1000,
) -> Response:
    """Leases of the caller's sessions."""
    desk = _desk(request)
    found = await desk.list(
        live=live, session=Session(caller.kind, session) if session else None, owner=owner, limit=limit
    )
    own = [lease for lease in found if lease.ask.session.kind is caller.kind]
    return _json({"leases": [of_lease(lease, desk.outlook(lease.id)) for lease in own]})


@reads.get("/shares", response_model=SharesPayload, responses=refusals(RequestInvalidError))
async def list_shares(
    request: Request,
    caller: CallerOf,
    owner: Annotated[Name, Query(description="For this person.")],
    cohort: Annotated[Name | None, Query(description="Whose quota counts.")] = None,
) -> Response:
    """What is on offer, and how much of it is free at this moment."""
    return _json({"shares": [of_availability(one) for one in _desk(request).availability(owner, cohort or "")]})


@reads.get("/devices", response_model=DevicesPayload, responses=refusals())
async def list_devices(request: Request, caller: CallerOf) -> Response:
    """Every device and the leases on it, offered or held, whoever's they are."""
    return _json(of_devices(_desk(request).devices()))


@reads.get("/quotas", response_model=QuotasPayload, responses=refusals(DatabaseUnavailableError))
async def list_quotas(request: Request, caller: CallerOf) -> Response:
    """Every quota."""
    return _json({"quotas": [of_quota(each) for each in await _desk(request).quotas()]})


async def _events(desk: LeaseDesk, lease_id: str) -> AsyncIterator[str]:
    told = None
    while True:
        version = desk.version
        lease = await desk.find(lease_id)
        now = json.dumps(of_lease(lease, desk.outlook(lease_id)))
        if now != told:
            told = now
            yield f"event: lease\ndata: {now}\n\n"
        if not lease.is_live:
            return
        await asyncio.sleep(EVENT_EVERY_S)
        if await desk.changed(version, ALIVE_EVERY_S) == version:
            yield ": still here\n\n"  # so that whoever has gone is noticed, and proxies keep the connection


def _desk(request: Request) -> LeaseDesk:
    return centre_of(request).leases


def _fence(request: Request) -> int | None:
    given = request.query_params.get("fence")
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and 0 < len(given) < 19):
        raise AskInvalidError(field="fence", cause="it must be a whole number")
    return int(given)


def _answer(desk: LeaseDesk, lease: Lease, status: int = 200) -> Response:
    outlook = desk.outlook(lease.id) if lease.status is LeaseStatus.WAITING else None
    return _json(of_lease(lease, outlook), status)


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(content), status, media_type="application/json")

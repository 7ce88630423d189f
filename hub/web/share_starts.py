"""From a chosen share to a starting server, or to a place in the queue.

The share is not told to JupyterHub: it asks for the plan of a server when it starts it, and that plan carries the share
exactly while the person's lease is held. So what has to be right here is the order: first the lease, then the server.
"""

import asyncio
import uuid
from dataclasses import dataclass
from enum import Enum

from hub.cohorts.model import Person
from hub.leases.errors import NeverFitsError, QuotaExceededError, UnknownShareError
from hub.leases.model import Ask, Availability, Lease, LeaseStatus, Session, SessionKind
from hub.web.centre import Centre
from hub.web.errors import HubRefusedError, ShareInUseError
from hub.web.jupyterhub_api import Server, ServerStatus

STOPPING_S = 15.0
"""How long a start waits for a server that is just stopping; JupyterHub ends it the hard way sooner."""
_LOOK_S = 0.3
LONGEST_NAME = 64
"""Of what was chosen, as far as a refusal repeats it."""


class Next(Enum):
    """What the person waits for now."""

    SERVER = "server"
    TURN = "turn"


@dataclass(frozen=True, slots=True)
class Holding:
    """A person's lease and server, as they are now."""

    lease: Lease | None
    server: Server

    @property
    def waits(self) -> bool:
        """Whether the person is in the queue, or it is their turn."""
        return self.lease is not None and self.lease.status in {LeaseStatus.WAITING, LeaseStatus.OFFERED}

    @property
    def held(self) -> Lease | None:
        return self.lease if self.lease is not None and self.lease.status is LeaseStatus.HELD else None

    @property
    def in_use(self) -> bool:
        """Whether the server that runs, or is on its way, is the one the held share was given to.

        JupyterHub keeps nothing about shares. A server it began to start after the grant was given the share with its plan, one from
        before was not; but where the machine's clock was set back the two moments cannot be compared, and what was seen counts.
        """
        if self.held is None or self.server.status is ServerStatus.STOPPED:
            return False
        # Only a server under this very lease is noted as seen, and each later one starts with it too.
        since, started = self.held.held_at, self.server.started_at
        return self.held.seen_at is not None or since is None or started is None or started >= since

    @property
    def runs_without(self) -> bool:
        """Whether a server runs that has no share."""
        return self.server.status is ServerStatus.RUNNING and not self.in_use


def session_of(person: Person) -> Session:
    """The session of the person's server."""
    return Session(SessionKind.SERVER, person.name)


def on_offer(centre: Centre, person: Person) -> list[Availability]:
    """Every share, as this person can have it now."""
    return centre.leases.availability(person.name, person.home_cohort)


async def holding(centre: Centre, person: Person) -> Holding:
    """The person's lease and server now. Raises `HubUnreachableError`."""
    server = await centre.jupyterhub.server(person.name)
    return Holding(centre.leases.of_session(session_of(person)), server)


async def start_without(centre: Centre, person: Person) -> Next:
    """Start the server without a share. A place in the queue is kept; a share that is held and not in use goes back."""
    now = await _settled(centre, person)
    if now.held is not None and now.server.status is ServerStatus.STOPPED and not centre.starts.is_running(person.name):
        await centre.leases.release(now.held.id)  # else the plan of this start would carry it
    centre.starts.begin(person.name)
    return Next.SERVER


async def start_as_it_is(centre: Centre, person: Person) -> Next:
    """Start the server with the share that is held, else without."""
    _begin(centre, person, await _settled(centre, person))
    return Next.SERVER


async def stop(centre: Centre, person: Person) -> None:
    """End the server. Its share goes back, also where the server was on its way and had not been given it yet.

    Raises `HubRefusedError` if it goes on running: a JupyterHub that cannot write says yes and does nothing.
    """
    now = await holding(centre, person)
    is_on_its_way = now.server.status is not ServerStatus.RUNNING or centre.starts.is_running(person.name)
    await centre.starts.abandon(person.name)
    await centre.jupyterhub.stop(person.name)
    status = (await centre.jupyterhub.server(person.name)).status
    if status is ServerStatus.RUNNING:
        raise HubRefusedError
    # A server that is slow to end still has the share; whoever ends it gives it back then.
    if now.held is not None and is_on_its_way and status is ServerStatus.STOPPED:
        await centre.leases.release(now.held.id)


async def start_with(centre: Centre, person: Person, share: str, key: str) -> Next:
    """Ask for the share and start the server with it, or queue for it. `key` says which form this is: twice the same is once.

    Another share that is held but not in use, or waited for, is given up for it. Raises `ShareInUseError` and what the desk refuses.
    """
    now = await _settled(centre, person)
    lease = now.lease
    if now.in_use:
        if lease is not None and lease.ask.profile == share:
            return Next.SERVER
        raise ShareInUseError
    if lease is None or lease.ask.profile != share:
        _check_can_have(centre, person, share)  # nobody loses a place for a share they cannot have
        if lease is not None:
            await centre.leases.release(lease.id)
        lease = await _ask(centre, person, share, key)
    if lease.status is LeaseStatus.OFFERED:
        lease = await centre.leases.claim(lease.id)
    if lease.status is LeaseStatus.WAITING:
        return Next.TURN
    _begin(centre, person, Holding(lease, now.server))
    return Next.SERVER


async def claim(centre: Centre, person: Person) -> Next:
    """Take the share whose turn it is, and (re)start the server with it. Raises `LeaseEndedError` and `NotOfferedError`."""
    lease = await centre.leases.last_of_session(session_of(person))
    if lease is None:
        return Next.SERVER
    await centre.leases.claim(lease.id)
    return await start_as_it_is(centre, person)


async def give_up(centre: Centre, person: Person) -> None:
    """Leave the queue, or give back a share that no running server has."""
    now = await holding(centre, person)
    if now.in_use:
        raise ShareInUseError
    if now.lease is not None:
        await centre.leases.release(now.lease.id)


async def _settled(centre: Centre, person: Person) -> Holding:
    """What the person holds, once a server that is being stopped has ended: its share is still theirs until then, and no longer after."""
    deadline = asyncio.get_running_loop().time() + STOPPING_S
    now = await holding(centre, person)
    while now.server.status is ServerStatus.STOPPING and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(_LOOK_S)
        now = await holding(centre, person)
    return now


def _begin(centre: Centre, person: Person, now: Holding) -> None:
    """Start the server with what is held. One that runs, or is on its way, without it is ended first."""
    lacks_it = now.held is not None and not now.in_use and now.server.status is not ServerStatus.STOPPED
    centre.starts.begin(person.name, lease=now.held.id if now.held else None, restart=lacks_it)


async def _ask(centre: Centre, person: Person, share: str, key: str) -> Lease:
    # With the share in the key, a form that the browser kept and that is sent again with another choice is another ask.
    lease = await centre.leases.acquire(_ask_for(person, share, f"{person.name}.{key}.{share}"))
    if lease.status is LeaseStatus.ENDED:  # the same form from the browser's history, long after
        lease = await centre.leases.acquire(_ask_for(person, share, f"{person.name}.{uuid.uuid4().hex}.{share}"))
    return lease


def _ask_for(person: Person, share: str, key: str) -> Ask:
    return Ask(
        key=key,
        session=session_of(person),
        owner=person.name,
        cohort=person.home_cohort,
        organisation=person.organisation,
        profile=share,
    )


def _check_can_have(centre: Centre, person: Person, share: str) -> None:
    found = next((each for each in on_offer(centre, person) if each.profile.name == share), None)
    if found is None:
        raise UnknownShareError(profile=share[:LONGEST_NAME])
    if found.refusal:
        raise (NeverFitsError if found.refusal == "never-fits" else QuotaExceededError)(profile=share)

"""The parts of the running service that its request handlers share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar, cast

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request

from hub.cohorts.errors import SignInBusyError
from hub.cohorts.model import Person
from hub.cohorts.service import CohortService
from hub.errors import NotActiveError
from hub.leases.desk import LeaseDesk
from hub.leases.reconciler import Reconciler
from hub.settings import Settings
from hub.web.device_meter import DeviceMeter
from hub.web.due_lines import DueLines
from hub.web.front import OpenSession
from hub.web.jupyterhub_api import JupyterHubApi
from hub.web.page_session import PagePerson, SessionCookie
from hub.web.rendering import Renderer
from hub.web.room import Rooms
from hub.web.server_starts import ServerStarts

P = ParamSpec("P")
T = TypeVar("T")

MAX_WAITING_CHECKS = 500
"""More than a class in its first minute; beyond it the queue would only grow."""


class PasswordThreads:
    """Threads for password checks alone, so that a rush of them leaves the other pages theirs.

    A check takes a core for about 20 ms and 19 MiB. Raises `SignInBusyError` when too many wait already.
    """

    def __init__(self, threads: int = 2) -> None:
        self._limiter = CapacityLimiter(threads)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's result, from one of these threads."""
        if self._limiter.statistics().tasks_waiting >= MAX_WAITING_CHECKS:
            raise SignInBusyError
        return await to_thread.run_sync(lambda: function(*args, **kwargs), limiter=self._limiter)


@dataclass(frozen=True)
class Centre:
    """Made once, in wiring. It is also what stands behind the frame of its pages (`hub.web.front.Front`)."""

    settings: Settings
    cohorts: CohortService
    jupyterhub: JupyterHubApi
    renderer: Renderer
    rooms: Rooms
    leases: LeaseDesk
    hub_token: str = field(repr=False)
    """What JupyterHub shows when it asks about people."""
    grader_token: str = field(default="", repr=False)
    """What the `grader` service shows when it asks about people, and is shown when it is asked."""
    due_lines: DueLines | None = None
    metrics_token: str = field(default="", repr=False)
    """What Prometheus shows; where it is empty nobody reads the figures."""
    reconciler: Reconciler | None = None
    """What keeps the leases in step with this machine; None where a test does it."""
    service: str = field(init=False, default="practicum")
    starts: ServerStarts = field(init=False)
    meter: DeviceMeter = field(init=False)
    passwords: PasswordThreads = field(init=False)
    cookie: SessionCookie = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts", ServerStarts(self.jupyterhub))
        object.__setattr__(self, "meter", DeviceMeter())
        object.__setattr__(self, "passwords", PasswordThreads())
        is_https = self.settings.public_url.startswith("https://")
        object.__setattr__(self, "cookie", SessionCookie(is_https, self.settings.server_subdomains))

    async def open_session(self, name: str, hub_token: str) -> tuple[str, Person]:
        """A session of this person, if they may come in."""
        person = await to_thread.run_sync(self.cohorts.roster.person, name)
        if not person.active:
            raise NotActiveError
        return await to_thread.run_sync(self.cohorts.sessions.open, person, hub_token), person

    async def find_session(self, session_id: str) -> OpenSession | None:
        """The session with its person as of now; None when it has ended."""
        found = await to_thread.run_sync(self.cohorts.sessions.find, session_id)
        return OpenSession(found.person, found.hub_token) if found else None

    async def close_session(self, session_id: str) -> None:
        """End this one session."""
        await to_thread.run_sync(self.cohorts.sessions.close, session_id)

    async def remember_language(self, person: PagePerson, language: str) -> None:
        """Keep the person's choice on the roster."""
        assert isinstance(person, Person)  # as `find_session` gave it
        await to_thread.run_sync(self.cohorts.roster.set_language, person, language)

    @property
    def has_passwords(self) -> bool:
        """Whether people sign in with a password of ours, or another authenticator vouches for them."""
        return self.settings.authenticator.name == "roster"

    def public_origin(self, request: Request) -> str:
        """The origin people type, for links that leave the browser."""
        return self.settings.public_url or f"{request.url.scheme}://{request.url.netloc}"


def centre_of(request: Request) -> Centre:
    """The centre this request belongs to."""
    return cast(Centre, request.app.state.centre)

"""The front of a service: what sign-in, languages and visitors need of it, whichever service it is.

Each service with pages is a client of its own at JupyterHub and keeps its own sessions; the frame around the pages, and
the guard in front of them, is this one. Dependencies here let a request through to its handler, or say where it has to go
first. Nothing is remembered between requests: each asks JupyterHub whether the sign-in still stands, so that signing out
there ends it here at once, and reads the person anew.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Protocol, cast

from fastapi import Depends, Request

from hub.errors import NotActiveError
from hub.web.errors import FormExpiredError
from hub.web.fetch_guard import check_form_navigation, check_navigation, check_script_request
from hub.web.jupyterhub_api import JupyterHubApi
from hub.web.page_session import PagePerson, SessionCookie, SignedIn, is_token
from hub.web.rendering import Renderer


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A signed-in browser: who it is now, and JupyterHub's token that vouches for them."""

    person: PagePerson
    hub_token: str


class Front(Protocol):
    """One service as its frame sees it. Handlers find it as `request.app.state.front`."""

    @property
    def service(self) -> str:
        """Its name at JupyterHub and in its addresses."""

    @property
    def jupyterhub(self) -> JupyterHubApi: ...

    @property
    def renderer(self) -> Renderer: ...

    @property
    def cookie(self) -> SessionCookie: ...

    async def open_session(self, name: str, hub_token: str) -> tuple[str, PagePerson]:
        """The id of a new session, and its person; raises what keeps this person out."""

    async def find_session(self, session_id: str) -> OpenSession | None:
        """The session as of now; None when it is unknown or has ended."""

    async def close_session(self, session_id: str) -> None:
        """End this one session."""

    async def remember_language(self, person: PagePerson, language: str) -> None:
        """Keep the person's choice, wherever they sign in next."""


def front_of(request: Request) -> Front:
    """The service this request came to."""
    return cast(Front, request.app.state.front)


FrontOf = Annotated[Front, Depends(front_of)]


def home_of(front: Front) -> str:
    """Path of the service's first page, and of everything below it."""
    return f"/services/{front.service}/"


class SignInNeeded(Exception):  # noqa: N818 - not a failure: the app answers it with the way to JupyterHub
    """Nobody is signed in. `return_path` is where to come back to."""

    def __init__(self, return_path: str) -> None:
        super().__init__(return_path)
        self.return_path = return_path


async def page_visitor(request: Request, front: FrontOf) -> SignedIn[Any]:
    """Somebody signed in who opens a page in a window."""
    check_navigation(request.headers)
    query = f"?{request.url.query}" if request.url.query else ""
    return await _signed_in(request, front, return_path=request.url.path + query)


async def form_visitor(request: Request, front: FrontOf) -> SignedIn[Any]:
    """Somebody signed in who submits a form of one of their pages."""
    check_form_navigation(request.headers)
    signed_in = await _signed_in(request, front, return_path=home_of(front))
    if not is_token((await request.form()).get("form_token"), signed_in.form_token):
        raise FormExpiredError
    return signed_in


async def stream_visitor(request: Request, front: FrontOf, token: str = "") -> SignedIn[Any]:
    """Somebody signed in whose page listens to an event stream, named by a token that stands in the page."""
    check_script_request(request.headers)
    signed_in = await _signed_in(request, front, return_path=home_of(front))
    if not is_token(token, signed_in.stream_token):
        raise FormExpiredError
    return signed_in


async def _signed_in(request: Request, front: Front, *, return_path: str) -> SignedIn[Any]:
    session_id = front.cookie.read(request)
    session = await front.find_session(session_id) if session_id else None
    if session_id is None or session is None:
        raise SignInNeeded(return_path)
    if await front.jupyterhub.whose(session.hub_token) != session.person.name:
        await front.close_session(session_id)
        raise SignInNeeded(return_path)
    if not session.person.active:
        raise NotActiveError
    signed_in = SignedIn(session.person, session_id)
    request.state.signed_in = signed_in  # so that an error page knows the person's language
    return signed_in

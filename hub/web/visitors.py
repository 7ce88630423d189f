"""Who is asking: dependencies that let a request through to its handler, or say where it has to go first.

Nothing is remembered between requests. Each asks JupyterHub whether the sign-in still stands, so that signing out
there ends it here at once, and reads the person's roles from the roster.
"""

from typing import Annotated

from anyio import to_thread
from fastapi import Depends, Request

from hub.cohorts.errors import NotActiveError
from hub.web.centre import Centre, centre_of
from hub.web.errors import FormExpiredError
from hub.web.fetch_guard import check_form_navigation, check_navigation, check_script_request
from hub.web.page_session import PREFIX, SignedIn, is_token

CentreOf = Annotated[Centre, Depends(centre_of)]


class SignInNeeded(Exception):  # noqa: N818 - not a failure: the app answers it with the way to JupyterHub
    """Nobody is signed in. `return_path` is where to come back to."""

    def __init__(self, return_path: str) -> None:
        super().__init__(return_path)
        self.return_path = return_path


async def page_visitor(request: Request, centre: CentreOf) -> SignedIn:
    """Somebody signed in who opens a page in a window."""
    check_navigation(request.headers)
    query = f"?{request.url.query}" if request.url.query else ""
    return await _signed_in(request, centre, return_path=request.url.path + query)


async def form_visitor(request: Request, centre: CentreOf) -> SignedIn:
    """Somebody signed in who submits a form of one of their pages."""
    check_form_navigation(request.headers)
    signed_in = await _signed_in(request, centre, return_path=PREFIX)
    if not is_token((await request.form()).get("form_token"), signed_in.form_token):
        raise FormExpiredError
    return signed_in


async def stream_visitor(request: Request, centre: CentreOf, token: str = "") -> SignedIn:
    """Somebody signed in whose page listens to an event stream, named by a token that stands in the page."""
    check_script_request(request.headers)
    signed_in = await _signed_in(request, centre, return_path=PREFIX)
    if not is_token(token, signed_in.stream_token):
        raise FormExpiredError
    return signed_in


PageVisitor = Annotated[SignedIn, Depends(page_visitor)]
FormVisitor = Annotated[SignedIn, Depends(form_visitor)]
StreamVisitor = Annotated[SignedIn, Depends(stream_visitor)]


async def _signed_in(request: Request, centre: Centre, *, return_path: str) -> SignedIn:
    session_id = centre.cookie.read(request)
    session = await to_thread.run_sync(centre.cohorts.sessions.find, session_id) if session_id else None
    if session_id is None or session is None:
        raise SignInNeeded(return_path)
    if await centre.jupyterhub.whose(session.hub_token) != session.person.name:
        await to_thread.run_sync(centre.cohorts.sessions.close, session_id)
        raise SignInNeeded(return_path)
    if not session.person.active:
        raise NotActiveError
    signed_in = SignedIn(session.person, session_id)
    request.state.signed_in = signed_in  # so that an error page knows the person's language
    return signed_in

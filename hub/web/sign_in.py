"""Signing in to our pages through JupyterHub (OAuth 2 with PKCE), and out again.

1. A page finds nobody signed in: it sets a one-time secret as a cookie and sends the browser to JupyterHub, with a
   `state` and a code challenge derived from that secret and from the page to come back to.
2. JupyterHub sends the browser back with a code. Only the browser that holds the secret can prove the state, and only
   with the verifier derived from it is the code worth anything, so a code slipped into another browser is useless.
3. The code buys a token that can do nothing but say whose it is; a page session keeps it.
"""

import base64
import hashlib
import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from hub.web.errors import HubRefusedError, SignInBrokenError
from hub.web.fetch_guard import check_navigation
from hub.web.front import Front, FrontOf, form_visitor, home_of
from hub.web.i18n import LANGUAGE_COOKIE
from hub.web.language_page import set_language_cookie
from hub.web.page_session import SignedIn, derived_token, is_token, local_path, read_cookies

router = APIRouter(include_in_schema=False)

_COOKIE_PREFIX = "practicum-sign-in-"
_COOKIE_LIFETIME_S = 600


def sign_in_redirect(front: Front, return_path: str) -> Response:
    """The way to JupyterHub and back to `return_path`."""
    secret = secrets.token_urlsafe(32)
    path = _encoded(return_path.encode("utf-8", "replace"))
    state = derived_token(secret, f"state {path}")
    challenge = hashlib.sha256(_verifier(secret).encode("ascii")).digest()
    response = RedirectResponse(front.jupyterhub.authorize_url(state, _encoded(challenge)), 303)
    # One cookie for each attempt: two tabs that sign in at the same time must not break one another.
    response.set_cookie(
        _cookie_name(state),
        f"{secret}.{path}",
        max_age=_COOKIE_LIFETIME_S,
        path=_callback_path(front),
        secure=front.cookie.is_https,
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/oauth_callback")
async def finish_sign_in(request: Request, front: FrontOf, code: str = "", state: str = "") -> Response:
    """Open a page session for whoever JupyterHub says this is."""
    check_navigation(request.headers)
    secret, return_path = _proven_attempt(request, state, home_of(front))
    token = await front.jupyterhub.redeem_code(code, _verifier(secret))
    name = await front.jupyterhub.whose(token)
    if name is None:
        raise HubRefusedError
    session_id, person = await front.open_session(name, token)
    response = RedirectResponse(return_path, 303)
    front.cookie.set(response, session_id)
    response.delete_cookie(_cookie_name(state), path=_callback_path(front))
    if person.language:
        set_language_cookie(response, person.language)
    elif chosen := request.cookies.get(LANGUAGE_COOKIE):
        await front.remember_language(person, chosen)
    return response


@router.post("/sign-out")
async def sign_out(front: FrontOf, visitor: Annotated[SignedIn[Any], Depends(form_visitor)]) -> Response:
    """End this session here; JupyterHub's page, where this leads, ends it there and at the person's server."""
    await front.close_session(visitor.session_id)
    response = RedirectResponse("/hub/logout", 303)
    front.cookie.clear(response)
    return response


def _proven_attempt(request: Request, state: str, home: str) -> tuple[str, str]:
    """The secret and the page to come back to, of the attempt this state was made for in this very browser."""
    for value in read_cookies(request, _cookie_name(state)):
        secret, _, path = value.partition(".")
        if is_token(state, derived_token(secret, f"state {path}")):
            try:
                return secret, local_path(base64.urlsafe_b64decode(path + "==").decode("utf-8"), home)
            except ValueError:
                break
    raise SignInBrokenError


def _callback_path(front: Front) -> str:
    return f"{home_of(front)}oauth_callback"


def _encoded(octets: bytes) -> str:
    """URL-safe base64 without padding: what PKCE wants, and a cookie needs no quotes for."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def _verifier(secret: str) -> str:
    return derived_token(secret, "code verifier")


def _cookie_name(state: str) -> str:
    return _COOKIE_PREFIX + "".join(character for character in state[:12] if character in "0123456789abcdef")

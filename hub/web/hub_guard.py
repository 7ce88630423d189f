"""Which requests JupyterHub's own pages and API answer for a signed-in browser, beyond what JupyterHub checks itself.

A learner's server may send pages of our own origin (see fetch_guard.py). JupyterHub's guard against their scripts is its
XSRF token, which has two gaps on a single origin:

- Its pages can be fetched by a script, and some (`/hub/token`) carry that token. So pages go to navigations alone.
- It lets GETs of its API with the mode `no-cors` pass without the token, as if they came from images. A script's
  `fetch` of the same origin may use that mode and read the answer.

The cookie that holds the token is kept from scripts too (`xsrf_cookie_kwargs` in hub_wiring.py): a frame on any static
file below `/hub/` would show them that path's cookies.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.handlers import BaseHandler
from jupyterhub.handlers.base import PrefixRedirectHandler, UserUrlHandler
from tornado.web import HTTPError

from hub.errors import HubError
from hub.web.errors import NotNavigationError
from hub.web.fetch_guard import check_navigation

_UNGUARDED = (PrefixRedirectHandler, UserUrlHandler)
"""They answer scripts of JupyterLab whose server is gone, with a redirect or one JSON sentence and never with a page."""


def check_hub_request(headers: Mapping[str, str], *, is_api: bool, is_signed_in: bool) -> None:
    """Return if JupyterHub may answer; raises `NotNavigationError` or `OriginUnknownError`.

    Who is not signed in, as monitors are not, need not say what kind of request theirs is.
    """
    mode, destination = headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest")
    if is_api:
        if mode == "no-cors" or (mode == "navigate" and destination not in {None, "document"}):
            raise NotNavigationError
    elif is_signed_in:
        check_navigation(headers)
    elif mode not in {None, "navigate"} or destination not in {None, "document"}:
        raise NotNavigationError


class GuardedHandler(BaseHandler):
    """Mix-in for every JupyterHub handler: asks `check_hub_request` before anything is answered."""

    async def prepare(self) -> None:
        await super().prepare()
        if isinstance(self, _UNGUARDED) or getattr(self, "_token_authenticated", False):
            return
        try:
            check_hub_request(
                self.request.headers,
                is_api=isinstance(self, APIHandler),
                is_signed_in=self.current_user is not None,
            )
        except HubError as exc:
            translator = getattr(self, "translator", None)
            sentence = translator.sentence(exc) if translator else str(exc)
            raise HTTPError(exc.status.value, sentence.replace("%", "%%")) from exc


def guarded(routes: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The same routes, each of JupyterHub's handlers with `GuardedHandler` mixed in."""
    return [(path, _guarded_class(handler), *rest) for path, handler, *rest in routes]


def _guarded_class(handler: type) -> type:
    if not issubclass(handler, BaseHandler) or issubclass(handler, GuardedHandler):
        return handler
    return type(handler.__name__, (GuardedHandler, handler), {})

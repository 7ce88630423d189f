"""Sign-in to JupyterHub: only people on the roster, with the memberships the `practicum` service holds at that moment."""

from http import HTTPStatus
from typing import Any

from jupyterhub.auth import Authenticator
from jupyterhub.handlers import BaseHandler
from jupyterhub.orm import new_token
from jupyterhub.user import User
from tornado.web import HTTPError

from hub.errors import HubError, NotActiveError
from hub.roster_client import Person, RosterClient, RosterRefusalError
from hub.web.door import cut_connections

_VERSION = "credentials_version"


class NotOnRosterError(HubError):
    """Another authenticator vouches for somebody the roster does not know."""

    code = "not-on-roster"
    status = HTTPStatus.FORBIDDEN
    sentence = "You are not on this centre's roster. Ask your administrator to add you."


class RosterGate(Authenticator):
    """Mix-in for any JupyterHub authenticator: whoever it vouches for must also be an active person on the roster.

    Group membership follows the roster at sign-in and again at every request (`refresh_user`). When the person's
    credentials version has grown since the sign-in, every cookie made before ends.
    """

    roster: RosterClient
    """Set once by jupyterhub_config.py."""

    async def run_post_auth_hook(self, handler: BaseHandler, auth_model: dict[str, Any]) -> dict[str, Any]:
        model: dict[str, Any] = await super().run_post_auth_hook(handler, auth_model)
        try:
            person = await self.roster.person(model["name"])
        except RosterRefusalError as exc:
            raise _as_http_error(NotOnRosterError(), handler) from exc
        except HubError as exc:
            raise _as_http_error(exc, handler) from exc
        if not person.active:
            raise _as_http_error(NotActiveError(), handler)
        known = handler.find_user(person.name)
        if known is not None and await _seen_version(known) != person.credentials_version:
            _end_cookies(known)
        return _with_membership(model, person)

    async def refresh_user(self, user: User, handler: BaseHandler | None = None) -> dict[str, Any] | bool:
        refreshed = await super().refresh_user(user, handler)
        if refreshed is False:
            return False
        try:
            person = await self.roster.person(user.name)
        except RosterRefusalError:
            return False
        except HubError:
            # The service restarts now and then. Signing everybody out for that would be the worse failure; what
            # needs a decision (starting a server, our own pages) asks the service itself and gets no answer there.
            return True
        if not person.active:
            return False
        if await _seen_version(user) != person.credentials_version:
            _end_cookies(user)
            return False
        model = dict(refreshed) if isinstance(refreshed, dict) else {"name": user.name}
        return _with_membership(model, person)


class RosterAuthenticator(RosterGate):
    """Name and password, checked and throttled by the `practicum` service."""

    async def authenticate(self, handler: BaseHandler, data: dict[str, str]) -> dict[str, Any] | None:
        try:
            person = await self.roster.sign_in(data.get("username", "").strip().lower(), data.get("password", ""))
        except HubError as exc:
            raise _as_http_error(exc, handler) from exc
        return {"name": person.name}


def gated(authenticator: type[Authenticator]) -> type[RosterGate]:
    """The given authenticator class, behind the roster."""
    if issubclass(authenticator, RosterGate):
        return authenticator
    return type(f"RosterGated{authenticator.__name__}", (RosterGate, authenticator), {})


async def _seen_version(user: User) -> int | None:
    state = await user.get_auth_state()
    return state.get(_VERSION) if state else None


def _end_cookies(user: User) -> None:
    # JupyterHub's cookies name this value instead of the person, for exactly this purpose.
    user.orm_user.cookie_id = new_token()
    user.db.commit()
    cut_connections(user)


def _with_membership(model: dict[str, Any], person: Person) -> dict[str, Any]:
    state = {**(model.get("auth_state") or {}), _VERSION: person.credentials_version}
    # Nobody is a JupyterHub administrator: what our administrators do, they do on our pages, checked per request.
    return {**model, "name": person.name, "groups": list(person.groups), "admin": False, "auth_state": state}


def _as_http_error(exc: HubError, handler: BaseHandler) -> HTTPError:
    status = exc.refusal.status if isinstance(exc, RosterRefusalError) else exc.status.value
    translator = getattr(handler, "translator", None)
    sentence = translator.sentence(exc) if translator else str(exc)
    return HTTPError(status, sentence.replace("%", "%%"))

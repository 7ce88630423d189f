"""Sign-in to JupyterHub: only people on the roster, with the memberships the `practicum` service holds at that moment."""

from typing import Any

from jupyterhub.auth import Authenticator
from jupyterhub.user import User
from tornado.web import HTTPError, RequestHandler

from hub.errors import HubError
from hub.roster_client import Person, RosterClient, RosterRefusalError


class RosterGate(Authenticator):
    """Mix-in for any JupyterHub authenticator: whoever it vouches for must also be an active person on the roster.

    Group membership follows the roster at sign-in and again at every request (`refresh_user`).
    """

    roster: RosterClient
    """Set once by jupyterhub_config.py."""

    async def run_post_auth_hook(self, handler: RequestHandler, auth_model: dict[str, Any]) -> dict[str, Any]:
        model: dict[str, Any] = await super().run_post_auth_hook(handler, auth_model)
        try:
            person = await self.roster.person(model["name"])
        except HubError as exc:
            raise _as_http_error(exc, handler) from exc
        if not person.active:
            raise HTTPError(403, _translated(handler, "Your account is not active. Ask your administrator."))
        return _with_membership(model, person)

    async def refresh_user(self, user: User, handler: RequestHandler | None = None) -> dict[str, Any] | bool:
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
        model = dict(refreshed) if isinstance(refreshed, dict) else {"name": user.name}
        return _with_membership(model, person)


class RosterAuthenticator(RosterGate):
    """Name and password, checked and throttled by the `practicum` service."""

    async def authenticate(self, handler: RequestHandler, data: dict[str, str]) -> dict[str, Any] | None:
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


def _with_membership(model: dict[str, Any], person: Person) -> dict[str, Any]:
    # Nobody is a JupyterHub administrator: what our administrators do, they do on our pages, checked per request.
    return {**model, "name": person.name, "groups": list(person.groups), "admin": False}


def _as_http_error(exc: HubError, handler: RequestHandler) -> HTTPError:
    status = exc.refusal.status if isinstance(exc, RosterRefusalError) else exc.status.value
    return HTTPError(status, _translated(handler, exc.message_id, **exc.fields).replace("%", "%%"))


def _translated(handler: RequestHandler, message_id: str, **fields: object) -> str:
    translate = getattr(handler, "translate", None)
    text: str = translate(message_id) if translate else message_id
    return text % fields if fields else text

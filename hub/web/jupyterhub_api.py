"""JupyterHub's REST API as our pages use it: whose token this is, servers, the end of sign-ins.

Every wait has a deadline. A JupyterHub that does not answer is `HubUnreachableError`; one that says no is
`HubRefusedError` with its own words. Source: https://jupyterhub.readthedocs.io/en/stable/reference/rest-api.html
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from urllib.parse import quote, urlencode

import httpx

from hub.web.errors import HubRefusedError, HubUnreachableError

_DEADLINE = httpx.Timeout(10, connect=3)
_START_DEADLINE = httpx.Timeout(90, connect=3)
"""JupyterHub answers a start after `slow_spawn_timeout` (10 s) at the latest; a busy one may need longer to begin."""
_STREAM_DEADLINE = httpx.Timeout(30, connect=3)
"""JupyterHub sends a sign of life every 8 s."""
_PATIENCE_S = 8.0
"""A JupyterHub that was killed is back sooner; until then nobody accepts the connection, so nothing is done twice."""
_ASK_AGAIN_S = 0.1


class ServerStatus(StrEnum):
    """What a person's server is doing."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Server:
    """A person's notebook server. `url` is where the browser finds it, with a slash at the end."""

    status: ServerStatus
    url: str = ""
    started_at: datetime | None = None
    """When JupyterHub began to start it, in UTC."""


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """Whose token it is, and what it may do: JupyterHub's scopes, expanded."""

    name: str
    scopes: frozenset[str]

    def may_access(self, service: str) -> bool:
        """Whether the token was made for talking to that service."""
        return not self.scopes.isdisjoint({"access:services", f"access:services!service={service}"})


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a starting server, 0 to 100."""

    percent: int
    message: str
    failed: bool = False


class JupyterHubApi:
    """A client that authenticates as one of our services, by default `practicum`."""

    def __init__(
        self,
        api_url: str,
        token: str,
        public_url: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
        service: str = "practicum",
    ) -> None:
        self._service = service
        self._token = token
        self._public_url = public_url
        # Unlimited, because a whole class may be watching its servers start at once.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        self._http = httpx.AsyncClient(
            base_url=api_url,
            timeout=_DEADLINE,
            limits=limits,
            transport=transport,
            trust_env=False,
            headers={"Accept": "application/json"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._http.aclose()

    @property
    def _client_id(self) -> str:
        return f"service-{self._service}"

    @property
    def redirect_uri(self) -> str:
        return f"{self._public_url}/services/{self._service}/oauth_callback"

    def authorize_url(self, state: str, code_challenge: str) -> str:
        """Where a browser goes to be signed in; it comes back to `redirect_uri`."""
        parameters = {
            "client_id": self._client_id,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "state": state,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._public_url}/hub/api/oauth2/authorize?{urlencode(parameters)}"

    async def redeem_code(self, code: str, code_verifier: str) -> str:
        """The access token for an authorization code; raises `HubRefusedError` when JupyterHub does not accept it."""
        form = {
            "client_id": self._client_id,
            "client_secret": self._token,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": code_verifier,
        }
        answer = await self._send("POST", "/oauth2/token", data=form, authenticated=False)
        return str(_json(answer)["access_token"])

    async def whose(self, token: str) -> str | None:
        """The user name this OAuth token stands for at this moment; None when it has ended. Never cached."""
        owner = await self.owner_of(token)
        return owner.name if owner else None

    async def owner_of(self, token: str) -> TokenOwner | None:
        """Whose token it is at this moment; None when it has ended or is no person's. Never cached."""
        answer = await self._send("GET", "/user", headers={"Authorization": f"Bearer {token}"}, accept={401, 403})
        if answer.status_code in {401, 403}:
            return None
        model = _json(answer)
        if model.get("kind") != "user":
            return None
        return TokenOwner(str(model["name"]), frozenset(str(each) for each in model.get("scopes") or ()))

    async def server(self, name: str) -> Server:
        """The person's server as it is now. Somebody JupyterHub has not met yet has a stopped one."""
        answer = await self._send("GET", _user(name), accept={404})
        model = {} if answer.status_code == 404 else _json(answer)
        found: Mapping[str, Any] = (model.get("servers") or {}).get("") or {}
        url, started_at = str(found.get("url") or ""), _moment(found.get("started"))
        if found.get("pending") == "stop":
            return Server(ServerStatus.STOPPING, started_at=started_at)
        if found.get("ready"):
            return Server(ServerStatus.RUNNING, url, started_at)
        if found.get("pending"):
            return Server(ServerStatus.STARTING, url, started_at)
        return Server(ServerStatus.STOPPED)

    async def start(self, name: str) -> None:
        """Ask for the server; returns when it runs or is still starting after a while. Raises `HubRefusedError`."""
        answer = await self._send("POST", f"{_user(name)}/server", json={}, timeout=_START_DEADLINE, accept={400})
        # 400 also stands for "already running" and "pending", in words alone: what counts is the state now.
        if answer.status_code == 400 and (await self.server(name)).status is ServerStatus.STOPPED:
            raise _refusal(answer)

    async def stop(self, name: str) -> None:
        """End the server; it may still be stopping afterwards. Nothing happens to one that is stopped."""
        await self._send("DELETE", f"{_user(name)}/server", json={}, timeout=_START_DEADLINE, accept={404})

    async def progress(self, name: str) -> AsyncIterator[Progress]:
        """Steps of the starting server until it runs or has failed; nothing when none is starting."""
        try:
            async with self._http.stream(
                "GET",
                f"{_user(name)}/server/progress",
                headers={"Authorization": f"token {self._token}", "Accept": "text/event-stream"},
                timeout=_STREAM_DEADLINE,
            ) as answer:
                if answer.status_code != 200:
                    return
                async for line in answer.aiter_lines():
                    if line.startswith("data:"):
                        yield _progress(line.removeprefix("data:"))
        except httpx.HTTPError as exc:
            raise HubUnreachableError from exc

    async def end_sign_ins(self, name: str) -> None:
        """Delete the person's tokens: browsers at servers and services are signed out, scripts lose access.

        Left alone are the tokens a running server itself talks to JupyterHub with; without them it would be cut off.
        """
        answer = await self._send("GET", f"{_user(name)}/tokens", accept={404})
        if answer.status_code == 404:
            return
        for token in _json(answer)["api_tokens"]:
            if not str(token.get("note") or "").startswith("Server at ") or token.get("session_id"):
                # Deleting one of an OAuth client deletes its siblings as well, so some are gone by their turn.
                await self._send("DELETE", f"{_user(name)}/tokens/{quote(str(token['id']), safe='')}", accept={404})

    async def _send(
        self,
        method: str,
        path: str,
        *,
        accept: frozenset[int] | set[int] = frozenset(),
        authenticated: bool = True,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> httpx.Response:
        sent = {"Authorization": f"token {self._token}"} if authenticated else {}
        try:
            answer = await self._request(method, path, headers={**sent, **(headers or {})}, **options)
        except httpx.HTTPError as exc:
            raise HubUnreachableError from exc
        if answer.is_success or answer.status_code in accept:
            return answer
        if answer.status_code in {502, 503, 504}:
            raise HubUnreachableError
        raise _refusal(answer)

    async def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return await self._http.request(method, path, **options)
            except httpx.ConnectError:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(_ASK_AGAIN_S)


def _user(name: str) -> str:
    return f"/users/{quote(name, safe='')}"


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _json(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        model = answer.json()
    except ValueError as exc:
        raise HubRefusedError from exc
    if not isinstance(model, dict):
        raise HubRefusedError
    return model


def _refusal(answer: httpx.Response) -> HubRefusedError:
    """JupyterHub's own sentence where it gives one to people; its technical ones are replaced by ours."""
    try:
        message = str(answer.json().get("message") or "")
    except (ValueError, AttributeError):
        message = ""
    is_sentence = message.endswith((".", "。")) and len(message) < 1000
    return HubRefusedError("%(message)s", message=message) if is_sentence else HubRefusedError()


def _progress(data: str) -> Progress:
    try:
        event = json.loads(data)
        percent, message = int(event.get("progress") or 0), str(event.get("message") or "")
    except (ValueError, AttributeError, TypeError):
        return Progress(0, "")
    failed = bool(event.get("failed"))
    if failed:
        message = message.removeprefix("Spawn failed: ")
    return Progress(max(0, min(percent, 100)), message, failed)

"""JupyterHub's side of the conversation with the `practicum` service: who is who, and what a server may be given.

Nothing is cached: a membership that ended a second ago has ended here too.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse

from hub.errors import HubError

_PATIENCE_S = 4.0
"""A service that was killed is back sooner; until then nobody accepts the connection, so nothing is done twice."""
_ASK_AGAIN_S = 0.1


class RosterUnreachableError(HubError):
    """The `practicum` service did not answer."""

    code = "roster-unreachable"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    sentence = "The centre is restarting. Nothing is lost; try again in a few seconds."


class RosterRefusalError(HubError):
    """The `practicum` service said no, in its own words, code and status."""

    def __init__(self, refusal: "Refusal") -> None:
        super().__init__(refusal.sentence, **refusal.fields)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the service answered instead of what was asked for."""

    status: int
    code: str
    sentence: str
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on the roster. `roles` are the centre's, `groups` are JupyterHub group names.

    `credentials_version` has grown when every sign-in made so far must end: a password was set, or access was ended.
    """

    name: str
    language: str
    active: bool
    roles: tuple[str, ...]
    groups: tuple[str, ...]
    credentials_version: int


@dataclass(frozen=True, slots=True)
class Lesson:
    """A released assignment of one of the person's courses."""

    course: str
    assignment: str


@dataclass(frozen=True, slots=True)
class ShareDevice:
    """A part of a device: thousandths of its compute, and its memory."""

    id: str
    compute_milli: int
    memory_mib: int
    simulated: bool


@dataclass(frozen=True, slots=True)
class ServerShare:
    """The share a server is started with, under a granted lease. `cpu_milli` and `memory_mib` are the host's.

    `fence` only grows: whoever was told a larger one for the same session knows that this lease is over.
    """

    lease: str
    fence: int
    profile: str
    pool: str
    engine: str
    node: str
    cpu_milli: int
    memory_mib: int
    devices: tuple[ShareDevice, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """What one server is started with. `uid` is None where the centre does not run as root, `share` where it has none."""

    name: str
    uid: int | None
    language: str
    lessons: tuple[Lesson, ...]
    share: ServerShare | None = None


class RosterClient:
    """Asks the `practicum` service, with a deadline on every wait.

    Raises `RosterRefusalError` when it says no and `RosterUnreachableError` when it does not answer in time.
    """

    def __init__(self, base_url: str, token: str, timeout_s: float = 10.0) -> None:
        self._api = base_url + "/services/practicum/api/v1"
        self._token = token
        self._timeout_s = timeout_s

    async def sign_in(self, name: str, password: str) -> Person:
        """The person, if this is their password."""
        return _person(await self._ask("POST", "/sign-ins", {"name": name, "password": password}))

    async def person(self, name: str) -> Person:
        """The person of that name."""
        return _person(await self._ask("GET", f"/people/{quote(name, safe='')}"))

    async def plan_server(self, name: str) -> ServerPlan:
        """What to start for that person now."""
        answer = await self._ask("POST", f"/people/{quote(name, safe='')}/server-plans", {})
        lessons = tuple(Lesson(each["course"], each["assignment"]) for each in answer["lessons"])
        return ServerPlan(answer["name"], answer["uid"], answer["language"], lessons, _share(answer.get("share")))

    async def release_lease(self, lease: str, fence: int) -> None:
        """Give the share of that lease back. One that has ended already, or is unknown, is given back too."""
        with suppress(RosterRefusalError):
            await self._ask("DELETE", f"/leases/{quote(lease, safe='')}?fence={fence}")

    async def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        request = HTTPRequest(
            self._api + path,
            method=method,
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            body=None if body is None else json.dumps(body),
            connect_timeout=self._timeout_s,
            request_timeout=self._timeout_s,
            follow_redirects=False,
        )
        response = await _fetch(request)
        if response.code >= 500:
            raise RosterUnreachableError
        answer: dict[str, Any] = json.loads(response.body or b"{}")
        if response.code >= 400:
            raise RosterRefusalError(
                Refusal(response.code, answer["code"], answer["sentence"], answer.get("fields") or {})
            )
        return answer


async def _fetch(request: HTTPRequest) -> HTTPResponse:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return await AsyncHTTPClient().fetch(request, raise_error=False)
        except ConnectionRefusedError as exc:
            if time.monotonic() > deadline:
                raise RosterUnreachableError from exc
        except (OSError, HTTPClientError) as exc:
            # Tornado raises time-outs and broken connections whatever `raise_error` says.
            raise RosterUnreachableError from exc
        await asyncio.sleep(_ASK_AGAIN_S)


def _person(answer: Mapping[str, Any]) -> Person:
    return Person(
        name=answer["name"],
        language=answer["language"],
        active=answer["active"],
        roles=tuple(answer["roles"]),
        groups=tuple(answer["groups"]),
        credentials_version=answer["credentials_version"],
    )


def _share(answer: Mapping[str, Any] | None) -> ServerShare | None:
    if answer is None:
        return None
    names = [each.name for each in fields(ServerShare) if each.name != "devices"]
    device = [each.name for each in fields(ShareDevice)]
    devices = tuple(ShareDevice(**{name: each[name] for name in device}) for each in answer["devices"])
    return ServerShare(**{name: answer[name] for name in names}, devices=devices)

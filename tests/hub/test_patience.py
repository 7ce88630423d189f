"""Our two services ask each other: a restart of the one asked is waited out, and nothing is asked twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from hub import roster_client
from hub.roster_client import RosterClient, RosterUnreachableError
from hub.web import jupyterhub_api
from hub.web.errors import HubUnreachableError
from hub.web.jupyterhub_api import JupyterHubApi, ServerStatus
from tests.centre import free_port

PERSON = (
    '{"name": "lin.na", "language": "en", "active": true, "roles": [], "groups": [], "credentials_version": 1,'
    ' "servers": {}}'
)
"""An answer to both questions."""

Question = Callable[[int], Awaitable[object]]


async def ask_hub(port: int) -> object:
    async with JupyterHubApi(f"http://127.0.0.1:{port}/hub/api", "token") as api:
        return (await api.server("lin.na")).status is ServerStatus.STOPPED


async def ask_roster(port: int) -> object:
    return (await RosterClient(f"http://127.0.0.1:{port}", "token").sign_in("lin.na", "password")).active


@asynccontextmanager
async def server(port: int, answer: str | None) -> AsyncIterator[list[bytes]]:
    """Answers every request with `answer`, or takes it and dies of it; the requests it took."""
    taken: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(await reader.readuntil(b"\r\n\r\n"))
        if answer is None:
            writer.transport.abort()
            return
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\nConnection: close\r\n\r\n{answer}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", port):
        yield taken


@pytest.fixture(params=[ask_hub, ask_roster], ids=["service asks hub", "hub asks service"])
def ask(request: pytest.FixtureRequest) -> Question:
    question: Question = request.param
    return question


async def test_a_restart_is_waited_out(ask: Question) -> None:
    port = free_port()
    asked = asyncio.ensure_future(ask(port))
    await asyncio.sleep(0.5)
    assert not asked.done()
    async with server(port, PERSON) as taken:
        assert await asked is True
    assert len(taken) == 1


async def test_what_was_taken_is_not_asked_again(ask: Question) -> None:
    port = free_port()
    async with server(port, None) as taken:
        with pytest.raises((HubUnreachableError, RosterUnreachableError)):
            await ask(port)
    assert len(taken) == 1


async def test_patience_ends(ask: Question, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (jupyterhub_api, roster_client):
        monkeypatch.setattr(module, "_PATIENCE_S", 0.3)
    with pytest.raises((HubUnreachableError, RosterUnreachableError)):
        async with asyncio.timeout(3):
            await ask(free_port())

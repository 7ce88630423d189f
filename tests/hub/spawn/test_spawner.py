"""The spawner's own part, with real sandboxes: noticing an end, leaving nothing behind, being found again."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm
from jupyterhub.spawner import SpawnException

from hub.errors import HubError
from hub.roster_client import RosterClient, ServerPlan, ServerShare
from hub.settings import SandboxSettings
from hub.spawn import spawner as spawner_module
from hub.spawn.running import running_servers
from hub.spawn.server import ServerHost
from hub.spawn.spawner import PracticumSpawner
from hub.state import StateDir
from hub.web.i18n import load_translators
from tests.centre import free_port
from tests.hub.sandbox.conftest import AS_ROOT, TRAPS_TERM, Box, Boxes, eventually, ready

NOTICED_WITHIN_S = 2.0
"""JupyterHub's own look comes every 30 s."""


@pytest.fixture
def boxes(tmp_path: Path) -> Iterator[Boxes]:
    made = Boxes(tmp_path)
    yield made
    made.end()


def spawner_of(box: Box, **state: Any) -> PracticumSpawner:
    """As JupyterHub makes one for a server that an earlier hub left running."""
    spawner = PracticumSpawner()
    spawner.user = SimpleNamespace(name="ada")
    spawner.server_host = host(box.home.parent)
    spawner.load_state({"sandbox": box.running.to_dict(), **state})
    return spawner


def host(directory: Path) -> ServerHost:
    state = StateDir(directory / "state")
    state.prepare()
    return ServerHost(state, SandboxSettings(), free_port(), free_port())


async def noticed(spawner: PracticumSpawner, victim: int | None) -> None:
    ended = asyncio.Event()
    spawner.add_poll_callback(ended.set)
    spawner.start_polling()
    if victim is not None:
        assert not ended.is_set()
        os.kill(victim, signal.SIGKILL)
    async with asyncio.timeout(NOTICED_WITHIN_S):
        await ended.wait()
    assert await spawner.poll() == 0
    assert "sandbox" not in spawner.get_state()


async def test_the_end_of_a_server_is_told_at_once(boxes: Boxes) -> None:
    box = ready(boxes.python(TRAPS_TERM))
    await noticed(spawner_of(box), box.running.sandbox_pid)


async def test_a_server_that_ended_before_anybody_asked_is_told_too(boxes: Boxes) -> None:
    box = boxes.python("pass")
    box.wait_end()
    await noticed(spawner_of(box), None)


async def test_a_server_without_its_keeper_is_ended_before_it_is_called_stopped(boxes: Boxes) -> None:
    box = ready(boxes.python(TRAPS_TERM))
    await noticed(spawner_of(box), box.running.keeper_pid)
    assert not box.running.is_alive()
    assert (box.home / "ended").read_text() == "gracefully"


async def test_stopped_watching_it_tells_nobody_and_keeps_no_descriptor(boxes: Boxes) -> None:
    box = ready(boxes.python(TRAPS_TERM))
    spawner = spawner_of(box)
    before = len(list(Path("/proc/self/fd").iterdir()))
    told: list[str] = []
    spawner.add_poll_callback(told.append, "ended")
    assert len(list(Path("/proc/self/fd").iterdir())) == before + 1
    spawner.stop_polling()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    os.kill(box.running.sandbox_pid, signal.SIGKILL)
    await asyncio.sleep(0.3)
    assert told == []


async def test_a_running_server_polls_as_running(boxes: Boxes) -> None:
    box = ready(boxes.python(TRAPS_TERM))
    spawner = spawner_of(box)
    assert await spawner.poll() is None
    await spawner.stop(now=True)
    assert await spawner.poll() == 0
    assert not box.running.is_alive()


async def test_looks_and_stops_at_once_disturb_neither_one_another_nor_a_server_started_meanwhile(boxes: Boxes) -> None:
    box, next_box = ready(boxes.python(TRAPS_TERM)), ready(boxes.python(TRAPS_TERM))
    spawner = spawner_of(box)
    os.kill(box.running.keeper_pid, signal.SIGKILL)
    eventually(lambda: not box.running.is_served())
    ends = asyncio.gather(spawner.poll(), spawner.stop(), spawner.poll())
    await asyncio.sleep(0)
    spawner.load_state({"sandbox": next_box.running.to_dict()})
    assert await ends == [0, None, 0]
    assert not box.running.is_alive()
    assert await spawner.poll() is None, "the next server is still this spawner's"
    await spawner.stop(now=True)


async def test_facts_of_another_version_are_a_server_that_does_not_run() -> None:
    spawner = PracticumSpawner()
    spawner.load_state({"sandbox": {"pid": 1}})
    assert await spawner.poll() == 0


async def test_a_server_that_is_slow_to_answer_at_first_is_waited_for(
    boxes: Boxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It drops one question, sits on the next for longer than we wait, and then answers."""
    monkeypatch.setattr(spawner_module, "_LOOK_TIMEOUT_S", 0.3)
    box = ready(boxes.python(TRAPS_TERM))
    moods = iter(["drops", "sits"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        match next(moods, "answers"):
            case "sits":
                await reader.read()
            case "answers":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        writer.close()

    port = free_port()
    async with await asyncio.start_server(serve, "127.0.0.1", port), asyncio.timeout(10):
        await spawner_of(box)._until_it_answers(box.running, f"http://127.0.0.1:{port}/api")
    assert list(moods) == []
    assert box.running.is_served()


async def test_a_server_that_ends_before_it_answers_is_a_refusal_in_words(boxes: Boxes) -> None:
    box = boxes.python("pass")
    spawner = spawner_of(box)
    with pytest.raises(SpawnException) as refused:
        await spawner._until_it_answers(box.running, f"http://127.0.0.1:{free_port()}/api")
    assert "did not come up" in refused.value.jupyterhub_message


async def test_a_refusal_speaks_the_reader_s_language(boxes: Boxes) -> None:
    box = boxes.python("pass")
    spawner = spawner_of(box)
    spawner._language = "zh-CN"
    translators = load_translators()
    spawner.in_words = lambda error, language: translators[language or "en"].sentence(error)
    with pytest.raises(SpawnException) as refused:
        await spawner._until_it_answers(box.running, f"http://127.0.0.1:{free_port()}/api")
    assert "服务器" in refused.value.jupyterhub_message
    assert refused.value.reason.isascii()


SHARE = ServerShare("l-17", 41, "cpu.one", "cpu", "cpu", "this", 1000, 1536)


class LeaseDesk:
    """The service's side of giving a share back, on a real port; `says` is its answer."""

    def __init__(self, says: bytes = b"HTTP/1.1 204 No Content\r\n\r\n") -> None:
        self.asked: list[str] = []
        self._says = says

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[0])
        writer.write(self._says)
        await writer.drain()
        writer.close()


def starting(directory: Path) -> PracticumSpawner:
    """A spawner as JupyterHub makes one, with its database, before its first start."""
    db = orm.new_session_factory("sqlite:///:memory:")()
    person = orm.User(name="ada")
    db.add(person)
    db.commit()
    kept = orm.Spawner(name="", user=person)
    db.add(kept)
    db.commit()
    spawner = PracticumSpawner(db=db, orm_spawner=kept)
    spawner.user = SimpleNamespace(name="ada")
    spawner.server_host = host(directory)
    spawner.get_env = lambda: {"JUPYTERHUB_API_TOKEN": "t"}
    return spawner


def plan(share: ServerShare | None) -> ServerPlan:
    return ServerPlan("ada", 61_900 if AS_ROOT else None, "en", (), share)


async def test_a_server_runs_within_its_share_and_is_known_by_its_lease(tmp_path: Path) -> None:
    spawner = starting(tmp_path)
    running = await spawner._begin(plan(SHARE))
    try:
        (found,) = running_servers(spawner.server_host.state)
        assert (found.name, found.lease, found.fence, found.cpu_milli) == ("ada", "l-17", 41, 1000)
        assert found.running == running
        assert spawner.get_state()["lease"] == "l-17"
        assert spawner.orm_spawner.state["fence"] == 41
        assert not any("no share" in each for each in running.held_limits)
        told = (tmp_path / "state/servers/ada.share/share.json").read_text()
        assert "l-17" in told
        again = PracticumSpawner()
        again.load_state(spawner.get_state())
        assert again.get_state() == spawner.get_state()
    finally:
        running.stop(0)
    assert running_servers(spawner.server_host.state) == ()


async def test_a_server_without_a_share_has_no_lease(tmp_path: Path) -> None:
    spawner = starting(tmp_path)
    running = await spawner._begin(plan(None))
    running.stop(0)
    assert (spawner.get_state()["lease"], spawner.get_state()["fence"]) == (None, None)


async def test_a_start_that_fails_keeps_neither_cpu_nor_share_from_others(tmp_path: Path) -> None:
    spawner = starting(tmp_path)
    (tmp_path / "state/servers").rename(tmp_path / "state/elsewhere")
    desk, port = LeaseDesk(), free_port()
    spawner.roster = RosterClient(f"http://127.0.0.1:{port}", "t")
    async with await asyncio.start_server(desk, "127.0.0.1", port):
        with pytest.raises((HubError, OSError)):
            await spawner._begin(plan(SHARE))
    assert desk.asked == ["DELETE /services/practicum/api/v1/leases/l-17?fence=41 HTTP/1.1"]
    assert spawner.server_host.pins._starting == {}


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_the_share_is_given_back_once_nothing_of_the_server_is_left(boxes: Boxes, how: str) -> None:
    box = ready(boxes.python(TRAPS_TERM))
    spawner = spawner_of(box, lease="l-17", fence=41)
    alive_when_asked: list[bool] = []
    desk = LeaseDesk()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        alive_when_asked.append(box.running.is_alive())
        await desk(reader, writer)

    port = free_port()
    spawner.roster = RosterClient(f"http://127.0.0.1:{port}", "t")
    async with await asyncio.start_server(serve, "127.0.0.1", port):
        if how == "stopped":
            await spawner.stop()
        else:
            os.kill(box.running.keeper_pid, signal.SIGKILL)
            await asyncio.to_thread(eventually, lambda: not box.running.is_served())
            assert await spawner.poll() == 0
    assert desk.asked == ["DELETE /services/practicum/api/v1/leases/l-17?fence=41 HTTP/1.1"]
    assert alive_when_asked == [False]
    assert spawner.get_state() == {}


async def test_a_service_that_does_not_answer_keeps_no_server_from_stopping(boxes: Boxes) -> None:
    box = ready(boxes.python(TRAPS_TERM))
    spawner = spawner_of(box, lease="l-17", fence=41)
    port = free_port()
    spawner.roster = RosterClient(f"http://127.0.0.1:{port}", "t")
    desk = LeaseDesk(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
    async with await asyncio.start_server(desk, "127.0.0.1", port):
        await spawner.stop()
    assert await spawner.poll() == 0
    assert not box.running.is_alive()

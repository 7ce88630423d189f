"""The spawner's own part, with real sandboxes: noticing an end, leaving nothing behind, being found again."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from jupyterhub.spawner import SpawnException

from hub.spawn import spawner as spawner_module
from hub.spawn.spawner import PracticumSpawner
from hub.web.i18n import load_translators
from tests.centre import free_port
from tests.hub.sandbox.conftest import TRAPS_TERM, Box, Boxes, ready

NOTICED_WITHIN_S = 2.0
"""JupyterHub's own look comes every 30 s."""


@pytest.fixture
def boxes(tmp_path: Path) -> Iterator[Boxes]:
    made = Boxes(tmp_path)
    yield made
    made.end()


def spawner_of(box: Box) -> PracticumSpawner:
    """As JupyterHub makes one for a server that an earlier hub left running."""
    spawner = PracticumSpawner()
    spawner.load_state({"sandbox": box.running.to_dict()})
    return spawner


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
    spawner.user = SimpleNamespace(name="ada")
    with pytest.raises(SpawnException) as refused:
        await spawner._until_it_answers(box.running, f"http://127.0.0.1:{free_port()}/api")
    assert "did not come up" in refused.value.jupyterhub_message


async def test_a_refusal_speaks_the_reader_s_language(boxes: Boxes) -> None:
    box = boxes.python("pass")
    spawner = spawner_of(box)
    spawner.user = SimpleNamespace(name="ada")
    spawner._language = "zh-CN"
    translators = load_translators()
    spawner.in_words = lambda error, language: translators[language].sentence(error)
    with pytest.raises(SpawnException) as refused:
        await spawner._until_it_answers(box.running, f"http://127.0.0.1:{free_port()}/api")
    assert "服务器" in refused.value.jupyterhub_message
    assert refused.value.reason.isascii()

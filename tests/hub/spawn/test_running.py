"""What runs on this machine, found from outside with real sandboxes, whatever was killed."""

import dataclasses
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.sandbox.running import RunningSandbox
from hub.spawn.running import RunningServer, ServersUnlistableError, forget, note, running_servers
from hub.state import StateDir
from tests.hub.sandbox.conftest import TRAPS_TERM, Boxes, eventually, ready


@pytest.fixture
def boxes(tmp_path: Path) -> Iterator[Boxes]:
    made = Boxes(tmp_path)
    yield made
    made.end()


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    made = StateDir(tmp_path / "state")
    made.prepare()
    return made


def server(running: RunningSandbox, name: str = "lin.na", lease: str | None = "l1") -> RunningServer:
    return RunningServer(name, lease, 7 if lease else None, 1000, (0,), running)


def test_a_server_is_found_with_its_lease_until_nothing_of_it_is_left(boxes: Boxes, state: StateDir) -> None:
    box = ready(boxes.python(TRAPS_TERM))
    note(state, server(box.running))
    assert running_servers(state) == (server(box.running),)
    os.kill(box.running.keeper_pid, signal.SIGKILL)
    # Its program is still ending, and holds what it held.
    assert [each.lease for each in running_servers(state)] == ["l1"]
    box.wait_end()
    assert running_servers(state) == ()


def test_servers_without_a_share_are_found_too_and_names_may_have_dots(boxes: Boxes, state: StateDir) -> None:
    names = ["a", "lin.na", "running.json"]
    for name in names:
        note(state, server(boxes.start(boxes.spec("sleep", "60")).running, name, None))
    assert [(each.name, each.lease, each.fence) for each in running_servers(state)] == [(n, None, None) for n in names]


def test_a_note_is_the_centre_s_alone(boxes: Boxes, state: StateDir) -> None:
    before = os.umask(0)
    try:
        note(state, server(boxes.start(boxes.spec("sleep", "60")).running))
    finally:
        os.umask(before)
    (path,) = state.servers.glob("*.json")
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_note_of_a_later_server_is_not_forgotten_with_the_earlier(boxes: Boxes, state: StateDir) -> None:
    earlier, later = (boxes.start(boxes.spec("sleep", "60")).running for _ in range(2))
    note(state, server(earlier))
    note(state, server(later, lease="l2"))
    forget(state, "lin.na", earlier)
    assert [each.lease for each in running_servers(state)] == ["l2"]
    forget(state, "lin.na", later)
    assert running_servers(state) == ()
    forget(state, "lin.na", later)


def test_processes_that_came_back_as_others_are_not_taken_for_the_server(boxes: Boxes, state: StateDir) -> None:
    running = boxes.start(boxes.spec("sleep", "60")).running
    stale = dataclasses.replace(running, keeper_started=1, sandbox_started=1)
    note(state, server(stale))
    assert running_servers(state) == ()


def test_notes_of_another_boot_are_nobody_s_even_half_written(state: StateDir) -> None:
    (state.servers / "lin.na.0f0f0f0f-0000-4000-8000-000000000000.running.json").write_text('{"lea')
    assert running_servers(state) == ()


def _unreadable(state: StateDir) -> None:
    for path in state.servers.glob("*.running.json"):
        path.write_text('{"lease": "l1"')


def _other_facts(state: StateDir) -> None:
    for path in state.servers.glob("*.running.json"):
        path.write_text(json.dumps({"lease": "l1", "fence": 7, "cpu_milli": 1, "cpus": [], "running": {"pid": 1}}))


def _a_directory(state: StateDir) -> None:
    for path in state.servers.glob("*.running.json"):
        path.unlink()
        path.mkdir()


def _no_directory(state: StateDir) -> None:
    state.servers.rename(state.servers.with_name("elsewhere"))


@pytest.mark.parametrize("damage", [_unreadable, _other_facts, _a_directory, _no_directory])
def test_what_cannot_be_listed_is_never_said_to_be_empty(boxes: Boxes, state: StateDir, damage: object) -> None:
    note(state, server(boxes.start(boxes.spec("sleep", "60")).running))
    assert callable(damage)
    damage(state)
    with pytest.raises(ServersUnlistableError) as failed:
        running_servers(state)
    assert "which servers are running" in str(failed.value)


def test_a_starter_killed_before_it_kept_the_server_leaves_a_note_of_nothing(boxes: Boxes, state: StateDir) -> None:
    from hub.sandbox.launch import begin

    with begin(boxes.spec("sleep", "60")) as newborn:
        note(state, server(newborn.running))
        assert len(running_servers(state)) == 1
    eventually(lambda: running_servers(state) == ())

"""Real processes: started, killed, adopted, ended. Named after what the supervisor guarantees."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from hub.supervisor.errors import PortTakenError, StartFailedError
from hub.supervisor.identity import ProcessIdentity, command_line, environment_value
from hub.supervisor.process import ProcessRecords
from tests.hub.supervisor import standin
from tests.hub.supervisor.conftest import Workshop, free_ports, until


def pid_at(port: int) -> int | None:
    try:
        return int(httpx.get(f"http://127.0.0.1:{port}/", timeout=2).text)
    except httpx.HTTPError:
        return None


async def test_starts_everything_and_a_dependent_one_only_when_the_other_is_well(workshop: Workshop) -> None:
    first, second = free_ports(2)
    supervisor = workshop.supervise(
        [standin.spec(first, "late", name="first"), standin.spec(second, name="second", after=("first",))]
    )
    await until(lambda: supervisor.watches["first"].starts == 1)
    assert supervisor.watches["second"].starts == 0
    await supervisor.wait_ready()
    assert pid_at(first) != pid_at(second)
    assert {path.name for path in workshop.run_dir.iterdir()} == {"first.json", "second.json"}


async def test_a_killed_process_is_started_again_twenty_times_and_its_neighbour_never(workshop: Workshop) -> None:
    ports = free_ports(2)
    supervisor = workshop.supervise([standin.spec(port) for port in ports])
    await supervisor.wait_ready()
    victim, neighbour = supervisor.watches.values()
    kept = pid_at(ports[1])
    for round_ in range(20):
        assert victim.identity is not None
        killed = victim.identity
        killed.send(signal.SIGKILL)
        await until(lambda killed=killed: victim.ready.is_set() and victim.identity not in {None, killed})  # type: ignore[misc]
        assert victim.starts == round_ + 2
    assert neighbour.starts == 1
    assert pid_at(ports[1]) == kept
    assert workshop.slept_s[:6] == [0.2, 0.4, 0.8, 1.0, 1.0, 1.0]
    assert not any("Traceback" in line for line in workshop.said)


async def test_a_hung_process_is_ended_and_started_again(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HUNG_AFTER_S": 0.5, "CHECK_EVERY_S": 0.1, "CHECK_TIMEOUT_S": 0.3}.items():
        monkeypatch.setattr(f"hub.supervisor.watch.{name}", value)
    (port,) = free_ports(1)
    supervisor = workshop.supervise([standin.spec(port)])
    await supervisor.wait_ready()
    (watch,) = supervisor.watches.values()
    assert watch.identity is not None
    watch.identity.send(signal.SIGSTOP)
    await until(lambda: watch.starts == 2 and watch.ready.is_set())
    assert any("has not answered" in line for line in workshop.said)


async def test_survivors_of_a_killed_supervisor_are_adopted_watched_and_ended(workshop: Workshop) -> None:
    ports = free_ports(2)
    table = [standin.spec(port) for port in ports]
    before = workshop.supervise(table)
    await before.wait_ready()
    pids = [pid_at(port) for port in ports]
    await workshop.abandon(before)
    assert [pid_at(port) for port in ports] == pids

    after = workshop.supervise(table)
    await after.wait_ready()
    assert [pid_at(port) for port in ports] == pids
    assert all(watch.adopted for watch in after.watches.values())

    adopted = after.watches[table[0].name]
    assert adopted.identity is not None
    adopted.identity.send(signal.SIGKILL)
    await until(lambda: adopted.starts == 1 and adopted.ready.is_set())
    assert await after.stop(asyncio.Event()) == []
    assert [pid_at(port) for port in ports] == [None, None]


async def test_a_survivor_of_other_settings_is_replaced_on_the_same_port(workshop: Workshop) -> None:
    (port,) = free_ports(1)
    before = workshop.supervise([standin.spec(port)])
    await before.wait_ready()
    old = pid_at(port)
    await workshop.abandon(before)
    after = workshop.supervise([standin.spec(port, configuration="changed")])
    await after.wait_ready()
    assert pid_at(port) not in {None, old}
    assert not after.watches[f"standin-{port}"].adopted


async def test_a_port_taken_by_a_stranger_is_one_sentence_that_names_it(workshop: Workshop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        supervisor = workshop.supervise([standin.spec(port)])
        with pytest.raises(PortTakenError) as refused:
            await supervisor.wait_ready()
        await supervisor.stop(asyncio.Event())
    assert f"Port {port} on 127.0.0.1 is taken by " in str(refused.value)
    assert f"(process {os.getpid()})" in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_a_stranger_on_the_port_later_on_is_waited_for(workshop: Workshop) -> None:
    (port,) = free_ports(1)
    supervisor = workshop.supervise([standin.spec(port)], real_time=True)
    await supervisor.wait_ready()
    (watch,) = supervisor.watches.values()
    assert watch.identity is not None
    watch.identity.send(signal.SIGKILL)
    watch.identity.wait(5)
    with socket.create_server(("127.0.0.1", port)):
        await until(lambda: any("is taken by" in line for line in workshop.said))
    await until(watch.ready.is_set)


async def test_a_process_that_never_starts_is_given_up_with_its_last_words(workshop: Workshop) -> None:
    (port,) = free_ports(1)
    supervisor = workshop.supervise([standin.spec(port, "ends-at-once", name="odd one")])
    with pytest.raises(StartFailedError) as refused:
        await supervisor.wait_ready()
    assert "odd one does not start" in str(refused.value)
    assert "no configuration for me" in str(refused.value)
    assert await supervisor.stop(asyncio.Event()) == []


async def test_a_missing_program_is_a_sentence(workshop: Workshop) -> None:
    (port,) = free_ports(1)
    supervisor = workshop.supervise([standin.spec(port, argv=("/nowhere/traefik",))])
    with pytest.raises(StartFailedError, match="/nowhere/traefik"):
        await supervisor.wait_ready()


async def test_stop_ends_in_reverse_order_and_leaves_nothing(workshop: Workshop) -> None:
    ports = free_ports(3)
    supervisor = workshop.supervise([standin.spec(port) for port in ports])
    await supervisor.wait_ready()
    identities = [watch.identity for watch in supervisor.watches.values()]
    seen: list[list[bool]] = []

    async def note() -> None:
        seen.append([each is not None and each.is_alive() for each in identities])

    assert await supervisor.stop(asyncio.Event(), before_last=note) == []
    # What comes before the proxy ends finds the proxy alone.
    assert seen == [[True, False, False]]
    assert not any(each is not None and each.is_alive() for each in identities)
    assert list(workshop.run_dir.iterdir()) == []


async def test_stop_kills_who_does_not_listen_and_at_once_when_in_a_hurry(workshop: Workshop) -> None:
    ports = free_ports(2)
    supervisor = workshop.supervise([standin.spec(port, "slow-end", stop_grace_s=30.0) for port in ports])
    await supervisor.wait_ready()
    hurry = asyncio.Event()
    began = time.monotonic()
    asyncio.get_running_loop().call_later(0.3, hurry.set)
    assert await supervisor.stop(hurry) == []
    assert time.monotonic() - began < 5


async def test_nothing_secret_is_in_any_argv_and_the_shells_variables_stay_out(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPERATORS_TOKEN", "of the shell")
    (port,) = free_ports(1)
    supervisor = workshop.supervise([standin.spec(port)])
    await supervisor.wait_ready()
    pid = pid_at(port)
    assert pid is not None
    assert "not-in-argv" not in " ".join(command_line(pid) or ())
    assert environment_value(pid, "SECRET") == "not-in-argv"
    assert environment_value(pid, "OPERATORS_TOKEN") is None


async def test_a_big_log_is_rotated_while_its_process_writes(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.supervisor.supervisor.ROTATE_EVERY_S", 0.05)
    (port,) = free_ports(1)
    log = workshop.log_dir / f"standin-{port}.log"
    supervisor = workshop.supervise([standin.spec(port)])
    await supervisor.wait_ready()
    with log.open("ab") as padding:
        padding.truncate(11 * 2**20)
    await until(lambda: log.with_name(f"{log.name}.1").exists() and log.stat().st_size < 1000)
    pid_at(port)
    await until(lambda: b"asked" in log.read_bytes())


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system, which needs root")
async def test_a_disk_that_fills_up_does_not_keep_a_process_from_being_started_again(workshop: Workshop) -> None:
    (port,) = free_ports(1)
    for folder in (workshop.run_dir, workshop.log_dir):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=4", "none", folder], check=True)
    try:
        supervisor = workshop.supervise([standin.spec(port)])
        await supervisor.wait_ready()
        (watch,) = supervisor.watches.values()
        for folder in (workshop.run_dir, workshop.log_dir):
            (workshop.log_dir / f"standin-{port}.log").unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                for number in range(9):
                    (folder / f"full-{number}").write_bytes(b"x" * 65_536)
        assert watch.identity is not None
        killed = watch.identity
        killed.send(signal.SIGKILL)
        await until(lambda: watch.ready.is_set() and watch.identity not in {None, killed})
        assert await supervisor.stop(asyncio.Event()) == []
        assert workshop.records.marked() == []
    finally:
        for folder in (workshop.run_dir, workshop.log_dir):
            subprocess.run(["umount", folder], check=True)


def supervise_elsewhere(workshop: Workshop, ports: list[int]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.hub.supervisor.standin",
            "supervise",
            str(workshop.run_dir),
            str(workshop.log_dir),
            *map(str, ports),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line == "ready\n":
            return process
    raise AssertionError("the supervisor ended before it was ready")


async def test_kill_9_of_supervisor_and_processes_twenty_times_at_random_orphans_nothing(workshop: Workshop) -> None:
    chance = random.Random(20)
    ports = free_ports(3)
    supervisor = supervise_elsewhere(workshop, ports)
    for _ in range(20):
        victims = chance.sample([*ports, 0], k=chance.randint(1, 3))
        for victim in victims:
            pid = supervisor.pid if victim == 0 else pid_at(victim)
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
        if 0 in victims:
            supervisor.wait()
            assert supervisor.stdout is not None
            supervisor.stdout.close()
            supervisor = supervise_elsewhere(workshop, ports)
        await until(lambda: all(pid_at(port) for port in ports), timeout_s=15)
        running = {identity.pid for identity, _ in workshop.records.marked()}
        assert running == {pid_at(port) for port in ports}
    supervisor.terminate()
    out, _ = supervisor.communicate(timeout=15)
    assert out.splitlines()[-1] == "left []"
    assert workshop.records.marked() == []


async def test_sigterm_ends_everything_and_kill_9_nothing(workshop: Workshop) -> None:
    ports = free_ports(2)
    supervisor = supervise_elsewhere(workshop, ports)
    pids = [pid_at(port) for port in ports]
    supervisor.kill()
    supervisor.communicate()
    assert [pid_at(port) for port in ports] == pids
    supervisor = supervise_elsewhere(workshop, ports)
    assert [pid_at(port) for port in ports] == pids
    supervisor.terminate()
    out, _ = supervisor.communicate(timeout=15)
    assert supervisor.returncode == 0
    assert "left []" in out
    assert all(ProcessIdentity.of(pid) is None for pid in pids if pid)
    assert ProcessRecords(workshop.run_dir).marked() == []

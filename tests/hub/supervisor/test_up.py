"""`practicum up` with everything real: what it starts, what it refuses, what is left when it ends."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hub.sandbox.launch import start
from hub.sandbox.software import interpreter, python_software
from hub.sandbox.spec import Limits, Mount, SandboxSpec, User
from hub.state import StateDir
from hub.supervisor.identity import ProcessIdentity
from hub.supervisor.process import ProcessRecords
from hub.supervisor.servers import running_keepers
from tests.centre import Centre, free_port

ROOT = os.geteuid() == 0
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    """A centre that is not started yet; ended with everything of it, whatever the test does."""
    made = Centre(tmp_path / "state", free_port())
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.terminate()
        try:
            made.process.wait(40)
        except subprocess.TimeoutExpired:
            made.process.kill()
            made.process.wait()
    for identity, _ in marked(made):
        identity.end(0.0)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """A centre for tests that only look at it."""
    made = Centre(tmp_path_factory.mktemp("running") / "state", free_port()).start()
    yield made
    assert made.stop() == 0


def marked(centre: Centre) -> list[tuple[ProcessIdentity, str]]:
    return ProcessRecords(centre.state_dir / "run").marked()


def up_command(centre: Centre, *options: str) -> list[str]:
    return [sys.executable, "-I", "-m", "hub.cli", "up", "--state-dir", str(centre.state_dir), *options]


def up(centre: Centre, *options: str) -> "subprocess.CompletedProcess[str]":
    """A start that is expected to end by itself."""
    return subprocess.run(
        up_command(centre, *options),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refusal(run: "subprocess.CompletedProcess[str]") -> str:
    assert run.returncode == 1
    (line,) = run.stderr.strip().splitlines()
    return line


def kill_part(centre: Centre, name: str) -> None:
    os.kill(json.loads((centre.state_dir / "run" / f"{name}.json").read_text())["pid"], signal.SIGKILL)


def start_learners_server(state: StateDir) -> None:
    """A sandbox as the hub starts them, with a program that ends when it is asked to."""
    home = state.homes / "lin.na"
    home.mkdir(mode=0o700)
    user = User(200_000, 200_000, "lin.na") if ROOT else None
    if ROOT:
        os.chown(home, 200_000, 200_000)
    software = python_software(user, home="/home/lin.na")
    start(
        SandboxSpec(
            argv=(interpreter(), "-I", "-S", "-c", "import signal; signal.pause()"),
            environment={},
            working_dir="/home/lin.na",
            home=Mount(str(home), "/home/lin.na", writable=True),
            mounts=software.mounts,
            links=software.links,
            files=software.files,
            limits=Limits(memory_mib=256, processes=32, open_files=64, file_mib=1, tmp_mib=1),
            user=user,
            log_file=str(state.servers / "lin.na.log"),
        )
    )


def test_first_start_shows_how_everybody_signs_in_and_the_second_that_all_is_there(centre: Centre) -> None:
    centre.start()
    assert set(centre.invitations) == {"chen.min", "zhao.yun", "lin.na", "wang.wei", "maria.silva"}
    assert all(httpx.get(link, headers=NAVIGATION).status_code == 200 for link in centre.invitations.values())
    assert list((centre.state_dir / "courses").glob("data-processing/release/*/quality-audit"))
    assert centre.stop() == 0
    centre.start()
    assert centre.invitations == {}
    assert "Everything from before is there" in centre.output


def test_links_that_no_start_came_to_show_are_shown_by_the_next(centre: Centre) -> None:
    process = subprocess.Popen(
        up_command(centre, "--port", str(centre.port)),
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not (centre.state_dir / "demo.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()
    centre.start()
    assert len(centre.invitations) == 5


def test_without_demo_there_is_nobody_now_and_later(centre: Centre) -> None:
    centre.options = ("--no-demo",)
    centre.start()
    assert centre.invitations == {}
    assert centre.stop() == 0
    centre.options = ()
    centre.start()
    assert centre.invitations == {}


def test_nothing_secret_is_in_the_argv_of_any_of_its_processes(running: Centre) -> None:
    secrets = json.loads((running.state_dir / "secrets.json").read_text()).values()
    pids = [identity.pid for identity, _ in marked(running)]
    assert len(pids) == 6
    argv = " ".join(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in pids)
    assert not [secret for secret in secrets if secret in argv]


def test_a_second_up_refuses_in_one_line_that_names_the_first(running: Centre) -> None:
    assert running.process is not None
    line = refusal(up(running, "--port", str(free_port())))
    assert f"process {running.process.pid}" in line
    assert running.url in line
    assert running.answers()


def test_a_taken_port_is_one_line_and_nothing_is_left(centre: Centre) -> None:
    with socket.create_server(("127.0.0.1", centre.port)):
        line = refusal(up(centre, "--port", str(centre.port)))
    assert f"Port {centre.port} on 127.0.0.1 is taken by" in line
    assert "--port" in line
    assert marked(centre) == []


@pytest.mark.skipif(not ROOT, reason="mounts, which needs root")
def test_a_read_only_state_directory_is_one_line(centre: Centre) -> None:
    centre.state_dir.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "none", centre.state_dir], check=True)
    try:
        line = refusal(up(centre))
    finally:
        subprocess.run(["umount", centre.state_dir], check=True)
    assert "--state-dir" in line


@pytest.mark.skipif(not ROOT, reason="mounts, which needs root")
def test_a_full_disk_is_one_line_and_nothing_is_started(centre: Centre) -> None:
    centre.state_dir.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0700,size=2m", "none", centre.state_dir], check=True)
    try:
        line = refusal(up(centre))
    finally:
        subprocess.run(["umount", centre.state_dir], check=True)
    assert "Make room first" in line


@pytest.mark.skipif(not ROOT, reason="gives a directory away, which needs root")
def test_somebody_elses_state_is_not_touched(centre: Centre) -> None:
    centre.state_dir.mkdir()
    os.chown(centre.state_dir, 65_534, 65_534)
    assert "belongs to" in refusal(up(centre))
    assert list(centre.state_dir.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_within_15_s_and_learners_servers_too(centre: Centre, number: signal.Signals) -> None:
    # Under `nohup` the tests themselves ignore a closed terminal, and what they start would inherit that, as it should.
    inherited = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        centre.start()
    finally:
        signal.signal(signal.SIGHUP, inherited)
    assert centre.process is not None
    state = StateDir(centre.state_dir)
    start_learners_server(state)
    (keeper,) = running_keepers(state)
    identities = [identity for identity, _ in marked(centre)]
    began = time.monotonic()
    centre.process.send_signal(number)
    assert centre.process.wait(30) == 0
    assert time.monotonic() - began < 15
    assert [each for each in [*identities, keeper] if each.is_alive()] == []
    assert marked(centre) == []
    assert running_keepers(state) == []
    assert not (state.processes / "settings.json").exists()


def test_servers_can_be_kept_and_are_another_centres_business_never(centre: Centre, tmp_path: Path) -> None:
    centre.options = ("--keep-servers",)
    centre.start()
    state = StateDir(centre.state_dir)
    start_learners_server(state)
    assert centre.stop() == 0
    (keeper,) = running_keepers(state)
    other = StateDir(tmp_path / "state-of-another")
    other.prepare()
    assert running_keepers(other) == []
    centre.options = ()
    centre.start()
    assert keeper.is_alive()
    assert centre.stop() == 0
    assert not keeper.is_alive()


def test_a_signal_while_it_starts_ends_it_too(centre: Centre) -> None:
    for delay_s in (0.2, 0.8, 1.6):
        process = subprocess.Popen(
            up_command(centre, "--port", str(centre.port)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(delay_s)
        process.terminate()
        _, err = process.communicate(timeout=30)
        assert "Traceback" not in err
        assert marked(centre) == []


def test_a_part_that_restarts_alone_sees_the_settings_its_neighbours_saw(running: Centre) -> None:
    shown = json.loads((running.state_dir / "run" / "settings.json").read_text())
    assert shown["port"] == running.port
    (running.state_dir / "settings.yaml").write_text("port: 1\n")
    kill_part(running, "jupyterhub")
    time.sleep(0.5)
    running.wait_until_whole()
    (running.state_dir / "settings.yaml").unlink()


def test_kill_9_of_the_supervisor_leaves_all_running_and_the_next_takes_over(centre: Centre) -> None:
    centre.start()
    assert centre.process is not None
    before = {identity for identity, _ in marked(centre)}
    centre.process.kill()
    centre.process.wait()
    assert centre.answers()
    centre.start()
    assert {identity for identity, _ in marked(centre)} == before
    assert "runs on" in centre.output


@pytest.mark.parametrize("rounds", [3, pytest.param(20, marks=pytest.mark.all)])
@pytest.mark.timeout(1200)
def test_kill_9_of_every_part_and_the_centre_is_whole_again_within_15_s(centre: Centre, rounds: int) -> None:
    chance = random.Random(rounds)
    centre.start()
    for _ in range(rounds):
        for name in chance.sample(["traefik", "jupyterhub", "practicum", "grader", "grader-worker", "supervisor"], k=6):
            if name == "supervisor":
                assert centre.process is not None
                centre.process.kill()
                centre.process.wait()
                centre.start()
                continue
            kill_part(centre, name)
            time.sleep(0.3)
            assert centre.wait_until_whole() < 15
    assert len(marked(centre)) == 6
    assert centre.stop() == 0
    assert marked(centre) == []

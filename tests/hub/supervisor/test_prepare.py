"""What must hold before anything is started, and what tells systemd that it does."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hub.errors import HubError, SettingsError
from hub.settings import Settings, effective_settings, load_settings
from hub.state import StateDir
from hub.supervisor.errors import AlreadyRunningError, DiskFullError
from hub.supervisor.lock import holder, locked
from hub.supervisor.notify import notify
from hub.supervisor.prepare import Overrides, base_url, local_url, plan_start, require_disk


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    made = StateDir(tmp_path / "s")
    made.prepare()
    return made


def test_options_take_the_place_of_settings_and_only_of_those(state: StateDir) -> None:
    state.settings_file.write_text("port: 9000\nlanguage: zh-CN\nsandbox: {memory_mib: 512}\n")
    settings = load_settings(state.settings_file)
    assert Overrides().apply(settings) == settings
    changed = Overrides(port=9001, sandbox_enforced=False).apply(settings)
    assert (changed.port, changed.language) == (9001, "zh-CN")
    assert (changed.sandbox.enforced, changed.sandbox.memory_mib) == (False, 512)


def test_devices_can_be_simulated_for_one_run(state: StateDir) -> None:
    state.settings_file.write_text("devices: {cpu_percent: 50}\n")
    changed = Overrides(simulate="2xH100-80GB").apply(load_settings(state.settings_file))
    assert (changed.devices.simulate, changed.devices.cpu_percent) == ("2xH100-80GB", 50)


@pytest.mark.parametrize(
    ("devices", "sentence"),
    [
        ({"simulate": "8xH100"}, "There is no model H100 to simulate; known: A100-40GB,"),
        ({"shares": [{"name": "cpu.tiny", "pool": "tpu"}]}, "devices.shares: cpu.tiny is of the pool tpu"),
        (
            {"shares": [{"name": "cpu.huge", "pool": "cpu", "cpu_milli": 10**7, "memory_mib": 256}]},
            "larger than the machine",
        ),
    ],
)
def test_devices_and_shares_that_cannot_be_had_are_refused_before_anything_starts(
    state: StateDir, devices: dict[str, object], sentence: str
) -> None:
    with pytest.raises(HubError, match=sentence):
        plan_start(state, Settings.model_validate({"devices": devices}))
    assert not state.effective_settings_file.exists()


def test_an_unknown_key_of_a_share_is_answered_with_the_nearest_known_one(state: StateDir) -> None:
    state.settings_file.write_text("devices: {shares: [{name: cpu.tiny, pool: cpu, memory_mb: 512}]}\n")
    with pytest.raises(SettingsError, match=r"unknown key `devices.shares.0.memory_mb`; did you mean `memory_mib`\?"):
        load_settings(state.settings_file)


def test_every_process_sees_what_was_planned_whatever_the_file_says_later(state: StateDir) -> None:
    planned = Settings(port=9001)
    plan = plan_start(state, planned)
    state.settings_file.write_text("port: 1\n")
    assert effective_settings(state) == planned == plan.settings
    assert state.effective_settings_file.stat().st_mode & 0o777 == 0o600
    state.effective_settings_file.unlink()
    assert effective_settings(state).port == 1


@pytest.mark.parametrize(
    ("settings", "base", "local"),
    [
        (Settings(), "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        (Settings(bind="0.0.0.0"), "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        (Settings(bind="::", port=81), "http://[::1]:81", "http://[::1]:81"),
        (Settings(public_url="https://t.example.org/"), "https://t.example.org", "http://127.0.0.1:8000"),
    ],
)
def test_the_address_people_type_and_the_one_this_machine_uses(settings: Settings, base: str, local: str) -> None:
    assert (base_url(settings), local_url(settings)) == (base, local)


def test_too_little_room_is_a_sentence_with_numbers(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.supervisor.prepare.NEEDED_MIB", 2**40)
    with pytest.raises(DiskFullError, match=r"Only \d+ MiB are free"):
        require_disk(state.root)


def test_the_lock_names_its_holder_and_is_free_again_after(state: StateDir) -> None:
    assert holder(state) is None
    with locked(state, "http://here"):
        found = holder(state)
        assert found is not None
        assert (found.pid, found.url) == (os.getpid(), "http://here")
        with pytest.raises(AlreadyRunningError, match=f"process {os.getpid()}, http://here"), locked(state, "x"):
            pass
    assert holder(state) is None


def test_what_a_killed_holder_left_is_no_lock(state: StateDir) -> None:
    code = (
        "import os, sys; from pathlib import Path; from hub.state import StateDir; from hub.supervisor.lock import locked\n"
        "with locked(StateDir(Path(sys.argv[1])), 'u'): os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, state.root], check=False).returncode == -9
    assert holder(state) is None
    with locked(state, "mine"):
        pass


def test_systemd_is_told_where_it_asked_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    for address, bound in ((str(tmp_path / "n"), str(tmp_path / "n")), ("@practicum-test", "\0practicum-test")):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(bound)
            monkeypatch.setenv("NOTIFY_SOCKET", address)
            notify("READY=1")
            assert manager.recv(64) == b"READY=1"
    notify("STOPPING=1")  # the manager is gone


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="takes a capability away from root")
def test_where_it_cannot_sandbox_up_refuses_with_the_reason_and_the_way_round(tmp_path: Path) -> None:
    run = subprocess.run(
        [
            "setpriv",
            "--bounding-set=-sys_admin",
            "--inh-caps=-sys_admin",
            sys.executable,
            "-I",
            "-m",
            "hub.cli",
            "up",
            "--state-dir",
            str(tmp_path / "s"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1, run.stdout
    assert "cannot contain learners' servers" in run.stderr
    assert "SYS_ADMIN" in run.stderr
    assert "--insecure-no-sandbox" in run.stderr
    assert "Traceback" not in run.stderr

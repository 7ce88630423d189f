"""`doctor` finds what would keep the centre from working, each with what to do."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import doctor
from hub.doctor import Finding, Severity, examine
from hub.settings import Settings
from hub.state import StateDir
from tests.hub.cli.conftest import Run
from tests.hub.supervisor.conftest import free_ports


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    made = StateDir(tmp_path / "s")
    made.prepare()
    return made


def about(topic: str, found: Iterator[Finding]) -> list[Finding]:
    return [each for each in found if each.about == topic]


def settings() -> Settings:
    return Settings(port=free_ports(1)[0])


def test_every_topic_is_looked_at_and_whatever_is_not_fine_has_a_remedy(state: StateDir) -> None:
    found = list(examine(state, settings()))
    topics = {each.about for each in found}
    assert topics == {"python", "sandbox", "memory", "processes", "open files", "disk", "ports", "clock", "gpu"}
    assert [each for each in found if each.severity is Severity.WARNING and not each.remedy] == []


def test_a_taken_port_is_a_failure_that_names_its_owner(state: StateDir) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        (finding,) = about("ports", examine(state, Settings(port=taken.getsockname()[1])))
    assert finding.severity is Severity.FAILURE
    assert f"process {os.getpid()}" in finding.sentence


def test_an_address_this_machine_does_not_have_is_a_failure(state: StateDir) -> None:
    (finding,) = about("ports", examine(state, Settings(bind="203.0.113.7")))
    assert finding.severity is Severity.FAILURE
    assert "--bind" in finding.sentence


def test_a_clock_that_went_back_is_noticed_by_what_was_written_before(state: StateDir) -> None:
    assert about("clock", examine(state, settings()))[0].severity is Severity.FINE
    later = state.version_file.stat().st_mtime + 86_400
    os.utime(state.version_file, (later, later))
    finding = about("clock", examine(state, settings()))[0]
    assert finding.severity is Severity.WARNING
    assert "gone back" in finding.sentence


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system, which needs root")
def test_a_disk_without_room_is_a_failure(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=True)
    try:
        findings = about("disk", examine(StateDir(disk / "s"), settings()))
    finally:
        subprocess.run(["umount", disk], check=True)
    assert Severity.FAILURE in {each.severity for each in findings}
    assert "Make room" in findings[0].remedy


def test_too_little_memory_for_one_server_is_said(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_cgroup_numbers", lambda *_: iter([512 * 2**20]))
    (finding,) = about("memory", examine(state, settings()))
    assert finding.severity is Severity.WARNING
    assert finding.sentence.startswith("512 MiB")


FAKE_SMI = {
    "working": ("echo 'NVIDIA H100 80GB HBM3, 81559 MiB, 570.86.15'", Severity.FINE, "H100"),
    "broken": (
        "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18",
        Severity.WARNING,
        "mismatch",
    ),
}


@pytest.mark.parametrize("kind", FAKE_SMI)
def test_what_the_gpu_driver_says_is_passed_on(
    state: StateDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    script, severity, words = FAKE_SMI[kind]
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (finding,) = about("gpu", examine(state, settings()))
    assert finding.severity is severity
    assert words in finding.sentence


def test_the_command_prints_findings_and_fails_only_for_failures(practicum: Run, state: StateDir) -> None:
    state.settings_file.write_text(f"port: {free_ports(1)[0]}\n")
    fine = practicum("doctor", "--json", "--state-dir", state.root)
    assert fine.returncode == 0, fine.stdout
    assert {each["about"] for each in json.loads(fine.stdout)} >= {"python", "sandbox"}
    state.settings_file.write_text("prot: 1\n")
    bad = practicum("doctor", "--state-dir", state.root)
    assert bad.returncode == 1
    assert "BAD   settings: " in bad.stdout
    assert "did you mean `port`" in bad.stdout


def test_it_changes_nothing(practicum: Run, tmp_path: Path) -> None:
    practicum("doctor", "--state-dir", tmp_path / "never")
    assert not (tmp_path / "never").exists()

"""Smaller parts: what software is seen, which process is meant, the log, and what the package may import."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import hub.sandbox
from hub.sandbox import processes
from hub.sandbox.journal import Journal
from hub.sandbox.software import interpreter, python_software
from hub.sandbox.spec import User, is_beneath
from tests.hub.sandbox.conftest import Boxes

PACKAGE = Path(hub.sandbox.__file__).parent


def test_the_package_imports_nothing_else_of_ours() -> None:
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names.append(node.module or "")
            ours = [name for name in names if name.split(".")[0] in {"hub", "grader", "courses"}]
            assert all(name.startswith("hub.sandbox") for name in ours), (path.name, ours)


def test_the_keeper_and_the_init_leave_heavy_modules_out() -> None:
    code = f"import sys; sys.argv = ['keeper']; sys.path.append({str(PACKAGE.parents[1])!r})\nimport hub.sandbox.keeper, hub.sandbox.init\nprint(*sys.modules)"
    done = subprocess.run([interpreter(), "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert (
        set(done.stdout.split())
        & {"asyncio", "dataclasses", "inspect", "logging", "pathlib", "subprocess", "typing_extensions", "ssl"}
        == set()
    )


def test_software_is_read_only_and_shows_no_secret_place() -> None:
    software = python_software(User(5, 5, "ada"), home="/home/ada")
    targets = [mount.target for mount in software.mounts]
    assert not any(mount.writable for mount in software.mounts)
    assert not {"/", "/etc", "/root", "/home", "/var", "/run", "/sys", "/etc/ssl", "/etc/ssl/private"} & set(targets)
    assert len(targets) == len(set(targets))
    passwd = next(each.text for each in software.files if each.target == "/etc/passwd")
    assert passwd.startswith("ada:x:5:5::/home/ada:/bin/sh\n")


def test_hidden_places_are_masked_only_where_they_would_be_seen(tmp_path: Path) -> None:
    seen, elsewhere = tmp_path / "software" / "state", tmp_path / "state"
    for each in (seen, elsewhere):
        each.mkdir(parents=True)
    software = python_software(
        None, home="/h", read_only=[tmp_path / "software"], hidden=[seen, elsewhere, tmp_path / "none"]
    )
    assert software.masks == (str(seen),)


def test_a_path_that_another_mount_shows_is_not_mounted_twice() -> None:
    software = python_software(None, home="/h", read_only=["/usr/share", sys.prefix, f"{sys.prefix}/lib"])
    targets = [mount.target for mount in software.mounts]
    assert not any(is_beneath(inner, outer) for inner in targets for outer in targets)


def test_what_is_installed_here_can_be_imported_inside(boxes: Boxes) -> None:
    spec = boxes.spec(
        sys.executable,
        "-c",
        "import pandas, ssl, sqlite3, socket; socket.if_nameindex(); print(pandas.Series([1, 2]).sum())",
    )
    box = boxes.start(spec)
    box.wait_end(60)
    assert box.output() == "3"


def test_a_process_is_its_pid_and_its_start() -> None:
    started = processes.start_time(os.getpid())
    assert started is not None
    assert processes.is_running(os.getpid(), started)
    assert not processes.is_running(os.getpid(), started + 1)
    assert not processes.wait_gone(os.getpid(), started, 0.05)
    assert processes.wait_gone(os.getpid(), started + 1, 0.05)


def test_a_zombie_does_not_run() -> None:
    child = subprocess.Popen(["true"])
    assert processes.wait_gone(child.pid, processes.start_time(child.pid) or 0, 5)
    assert processes.start_time(child.pid) is None
    child.wait()


def test_a_name_with_spaces_and_parentheses_does_not_confuse(tmp_path: Path) -> None:
    program = tmp_path / "a) R 1 (b"
    program.symlink_to("/bin/sleep")
    child = subprocess.Popen([str(program), "60"])
    try:
        reference = subprocess.Popen(["sleep", "60"])
        assert abs((processes.start_time(child.pid) or 0) - (processes.start_time(reference.pid) or 0)) < 500
    finally:
        for each in (child, reference):
            each.kill()
            each.wait()


def test_the_log_keeps_the_newest_lines_within_its_size(tmp_path: Path) -> None:
    path = tmp_path / "log"
    journal = Journal(str(path), 10_000)
    for number in range(1000):
        journal.say(f"line {number}")
    lines = path.read_text().splitlines()
    assert path.stat().st_size <= 10_000
    assert lines[0] == "[older lines are gone]"
    assert lines[-1].endswith("keeper: line 999")
    assert all("keeper: line" in line for line in lines[1:])


def test_the_log_is_private_and_never_a_link(tmp_path: Path) -> None:
    Journal(str(tmp_path / "log"), 100).say("x")
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "log")
    with pytest.raises(OSError, match="link"):
        Journal(str(tmp_path / "link"), 100)


def test_a_full_disk_loses_lines_and_not_the_keeper() -> None:
    journal = Journal("/dev/full", 100)
    journal.say("this cannot be written")

"""The first use of a checkout, and what can go wrong with it."""

import ast
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hub import launcher
from tests.launcher.checkout import ROOT, Checkout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout after its first use."""
    made = Checkout.make(tmp_path_factory.mktemp("launcher"))
    run = made.run("version")
    assert run.returncode == 0, run.stderr
    return made


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    return Checkout.make(tmp_path)


def test_help_needs_no_installation(fresh: Checkout) -> None:
    shown = fresh.run("--help")
    assert (shown.returncode, shown.stdout) == (0, launcher.HELP)
    assert fresh.run().returncode == 2
    assert not (fresh.root / ".venv").exists()


def test_first_use_installs_with_progress_and_hands_over(fresh: Checkout) -> None:
    run = fresh.run("up", "--port", "1")
    assert run.returncode == 0, run.stderr
    assert run.stdout == "tiny 1.0 got ['up', '--port', '1'] 1\n"
    # The package for another system is not among those to fetch.
    assert "practicum: fetching 1 of 1: tiny\n" in run.stderr
    assert "\r" not in run.stderr
    assert "installed in" in run.stderr


def test_later_uses_install_nothing_and_say_nothing(installed: Checkout) -> None:
    before = installed.stamp.stat().st_mtime_ns
    run = installed.run("version")
    assert (run.returncode, run.stderr) == (0, "")
    assert installed.stamp.stat().st_mtime_ns == before


def test_a_changed_lock_is_installed_and_development_serves_every_command(installed: Checkout) -> None:
    installed.lock("2.0")
    assert installed.run("test").stdout.startswith("tiny 2.0")
    run = installed.run("up")
    assert (run.stdout[:8], run.stderr) == ("tiny 2.0", "")


def test_a_package_that_is_not_the_locked_one_is_refused(installed: Checkout) -> None:
    installed.lock("3.0", wrong_hash=True)
    run = installed.run("version")
    assert (run.returncode, run.stdout) == (1, "")
    assert "DO NOT MATCH THE HASHES" in run.stderr or "hash" in run.stderr.lower()
    assert not installed.stamp.exists()
    installed.lock("3.1")
    assert installed.run("version").stdout.startswith("tiny 3.1")


def test_an_incomplete_wheelhouse_is_named_with_the_page_that_helps(installed: Checkout) -> None:
    installed.lock("4.0", absent=True)
    run = installed.run("version")
    assert run.returncode == 1
    assert str(installed.wheelhouse) in run.stderr
    assert "docs/how-to/offline-install.md" in run.stderr
    assert "Traceback" not in run.stderr
    assert len(run.stderr.splitlines()) < 10
    installed.lock("4.1")
    assert installed.run("version").stdout.startswith("tiny 4.1")


def test_a_checkout_that_moved_is_installed_again(installed: Checkout, tmp_path: Path) -> None:
    shutil.copytree(installed.root, tmp_path / "elsewhere", symlinks=True)
    moved = Checkout(tmp_path / "elsewhere", installed.wheelhouse)
    run = moved.run("version")
    assert run.returncode == 0, run.stderr
    assert "installed in" in run.stderr
    paths = list(moved.root.glob(".venv/lib/*/site-packages/practicum.pth"))
    assert [path.read_text() for path in paths] == [str(moved.root)]


def test_killed_at_any_moment_the_next_use_goes_on(fresh: Checkout) -> None:
    for delay_s in (0.3, 1.5, 3.0):
        process = fresh.start("version")
        time.sleep(delay_s)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    run = fresh.run("version")
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("tiny 1.0")


def test_an_environment_whose_python_is_gone_is_made_again(installed: Checkout) -> None:
    python = installed.root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    run = installed.run("version")
    assert run.returncode == 0, run.stderr
    assert "making" in run.stderr


def test_two_at_once_install_once(fresh: Checkout) -> None:
    both = [fresh.start("version") for _ in range(2)]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("making" in err for _, err in said) == 1
    assert sum("waiting for it" in err for _, err in said) == 1


def test_ctrl_c_is_one_sentence(fresh: Checkout) -> None:
    process = fresh.start("version")
    assert process.stderr is not None
    assert "making" in process.stderr.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines() == ["practicum: interrupted; the next start goes on from here."]


def test_on_a_terminal_the_line_is_rewritten(fresh: Checkout) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, fresh.root / "practicum", "version"], env=fresh.environment(), stdout=follower, stderr=follower
    )
    os.close(follower)
    said = b""
    while True:
        try:
            said += os.read(leader, 4096)
        except OSError:
            break
    os.close(leader)
    assert process.wait() == 0
    assert b"\rpracticum: fetching 1 of 1: tiny" in said


def test_addresses_of_indexes_go_by_environment_where_arguments_are_for_all_to_read() -> None:
    given = {"PRACTICUM_INDEX_URL": "https://u:secret@mirror/simple", "PIP_CERT": "/ca.pem"}
    variables = launcher.pip_variables(given)
    assert variables["PIP_INDEX_URL"] == "https://u:secret@mirror/simple"
    assert variables["PIP_CERT"] == "/ca.pem"
    assert "PIP_NO_INDEX" not in variables
    assert launcher.pip_variables({"PRACTICUM_WHEELHOUSE": "wheels"})["PIP_NO_INDEX"] == "1"


@pytest.mark.parametrize(
    ("output", "remedy"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES from the requirements file", "is not the one that was locked"),
        ("WARNING: Retrying\nERROR: Could not find a version\nNo matching distribution found for x", "out of reach"),
        ("NewConnectionError: Temporary failure in name resolution", "out of reach"),
        ("something else", "what was fetched is kept"),
    ],
)
def test_what_pip_says_is_followed_by_what_to_do(output: str, remedy: str) -> None:
    assert remedy in launcher.explain(output, None)


def test_locks_of_this_checkout_are_counted() -> None:
    for name, at_least in {"centre.lock": 100, "dev.lock": 130}.items():
        assert len(launcher.locked_names(ROOT / "requirements" / name)) > at_least


# Python too old: the script itself must still be read by it.


def test_the_script_is_valid_for_the_oldest_python_3() -> None:
    ast.parse((ROOT / "practicum").read_text(), feature_version=(3, 4))


PRETEND_OLD = """
import runpy, sys
sys.version_info = (3, 8, 0, "final", 0)
sys.argv = [{script!r}, "--help"]
runpy.run_path({script!r}, run_name="__main__")
"""


def pretend_old(path: str) -> "subprocess.CompletedProcess[str]":
    code = PRETEND_OLD.format(script=str(ROOT / "practicum"))
    return subprocess.run(
        [sys.executable, "-c", code], env={"PATH": path}, capture_output=True, text=True, check=False, timeout=60
    )


def test_too_old_a_python_is_refused_in_one_line(tmp_path: Path) -> None:
    refused = pretend_old(str(tmp_path))
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert line.startswith("practicum: needs Python 3.11 or newer, and this is 3.8.")
    assert "apt-get install" in line


def test_a_newer_python_on_the_path_is_used_and_placeholders_are_not(tmp_path: Path) -> None:
    (tmp_path / "python3.13").write_text("#!/bin/sh\necho not really >&2\nexit 127\n")
    (tmp_path / "python3.13").chmod(0o755)
    (tmp_path / "python3.12").symlink_to(sys.executable)
    used = pretend_old(str(tmp_path))
    assert used.returncode == 0, used.stderr
    assert used.stdout.startswith("Usage: practicum")
    assert used.stderr == ""


@pytest.mark.parametrize("version", ["3.6", "3.8", "3.10"])
def test_real_old_pythons_refuse_too(version: str) -> None:
    found = shutil.which(f"python{version}")
    if not found or subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode != 0:
        pytest.skip(f"no Python {version} here")
    refused = subprocess.run(
        [found, ROOT / "practicum", "up"], env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "needs Python 3.11 or newer" in refused.stderr

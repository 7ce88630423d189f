"""A process is known by pid and start time, and its end is seen whoever its parent is."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from hub.supervisor.identity import (
    OrphanReaper,
    ProcessIdentity,
    become_subreaper,
    command_line,
    environment_value,
    parent_pid,
    wait_all,
)

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_running_process_is_alive_and_an_ended_one_is_not_even_as_a_zombie() -> None:
    child = subprocess.Popen(SLEEP)
    identity = ProcessIdentity.of(child.pid)
    assert identity is not None
    assert identity.is_alive()
    child.kill()
    assert identity.wait(5)
    # Nobody has collected it yet: its number is still taken, by a zombie.
    assert not identity.is_alive()
    assert not identity.send(signal.SIGTERM)
    child.wait()
    assert ProcessIdentity.of(child.pid) is None


def test_a_reused_number_is_another_process() -> None:
    own = ProcessIdentity.of(os.getpid())
    assert own is not None
    earlier = replace(own, started_ticks=own.started_ticks - 1)
    assert not earlier.is_alive()
    assert not earlier.send(0)
    assert earlier.wait(0)
    assert not replace(own, boot_id="another").is_alive()


def test_a_process_name_with_brackets_and_spaces_is_read_right() -> None:
    child = subprocess.Popen(["bash", "-c", "printf 'x) R 1 (y' > /proc/$$/comm; read"], stdin=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 5
        while b") R 1" not in Path(f"/proc/{child.pid}/comm").read_bytes():
            assert time.monotonic() < deadline
        assert parent_pid(child.pid) == os.getpid()
        identity = ProcessIdentity.of(child.pid)
        assert identity is not None
        assert identity.is_alive()
    finally:
        child.communicate()


def test_end_asks_first_and_kills_who_does_not_listen() -> None:
    deaf = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import signal; signal.signal(15, signal.SIG_IGN); print(1, flush=True); signal.pause()",
        ],
        stdout=subprocess.PIPE,
    )
    assert deaf.stdout is not None
    deaf.stdout.readline()
    identity = ProcessIdentity.of(deaf.pid)
    assert identity is not None
    began = time.monotonic()
    identity.end(grace_s=0.3)
    assert 0.3 <= time.monotonic() - began < 3
    deaf.stdout.close()
    assert deaf.wait() == -signal.SIGKILL


def test_wait_all_names_those_that_stay() -> None:
    short, long = subprocess.Popen([sys.executable, "-c", ""]), subprocess.Popen(SLEEP)
    identities = [each for each in map(ProcessIdentity.of, (short.pid, long.pid)) if each is not None]
    assert [each.pid for each in wait_all(identities, 5 if len(identities) == 1 else 1)] == [long.pid]
    long.kill()
    long.wait()
    short.wait()


def test_argv_and_environment_of_another_process_can_be_read() -> None:
    child = subprocess.Popen([*SLEEP, "one", ""], env={"FAVOURITE": "a=b"})
    try:
        deadline = time.monotonic() + 5
        # Popen returns while the kernel is still laying out the new program.
        while command_line(child.pid) == ("",):
            assert time.monotonic() < deadline
        assert command_line(child.pid) == (*SLEEP, "one", "")
        assert environment_value(child.pid, "FAVOURITE") == "a=b"
        assert environment_value(child.pid, "FAV") is None
    finally:
        child.kill()
        child.wait()
    assert command_line(child.pid) is None


def test_orphans_become_ours_and_are_collected_while_own_children_are_left_to_their_starter() -> None:
    become_subreaper()
    own = subprocess.Popen([sys.executable, "-c", ""])
    parent = subprocess.run(["bash", "-c", "sleep 0.1 & echo $!"], stdout=subprocess.PIPE, check=True, text=True)
    orphan = int(parent.stdout)
    reaper = OrphanReaper()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{orphan}").exists():
        assert time.monotonic() < deadline
        if ProcessIdentity.of(own.pid) is None and own.returncode is None:
            own.wait()
        reaper.sweep()
        time.sleep(0.05)
    assert own.wait() == 0

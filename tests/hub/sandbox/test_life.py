"""How a sandbox starts, ends, and what it leaves behind, with real processes."""

import asyncio
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hub.sandbox import limits
from hub.sandbox.cgroups import find_controllers
from hub.sandbox.errors import SpecError, StartError
from hub.sandbox.launch import begin, begin_async, bubblewrap_path
from hub.sandbox.limits import containment
from hub.sandbox.order import order
from hub.sandbox.processes import is_running
from hub.sandbox.running import RunningSandbox
from hub.sandbox.software import interpreter
from hub.sandbox.spec import User
from tests.hub.sandbox.conftest import AS_ROOT, TRAPS_TERM, Boxes, eventually, outcome, ready

KEEPER = Path(limits.__file__).with_name("keeper.py")

IGNORES_TERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('ready', flush=True)
while True: time.sleep(600)
"""


@pytest.mark.parametrize("status", [0, 3, 255])
def test_the_exit_status_is_kept(boxes: Boxes, status: int) -> None:
    box = boxes.python(f"import sys; sys.exit({status})")
    box.wait_end()
    assert outcome(box) == {"exit_status": status, "signal": None, "memory_kills": 0, "stop_asked": False}


def test_the_signal_that_ended_it_is_kept(boxes: Boxes) -> None:
    box = boxes.python("import os; os.kill(os.getpid(), 9)")
    box.wait_end()
    assert outcome(box)["signal"] == signal.SIGKILL


def test_a_program_that_is_not_there_is_named(boxes: Boxes) -> None:
    with pytest.raises(StartError, match=r"No such file or directory.*no-such-program"):
        boxes.start(boxes.spec("no-such-program"))


def test_a_mount_that_is_not_there_is_named(boxes: Boxes) -> None:
    spec = boxes.spec("true")
    assert spec.home is not None
    missing = dataclasses.replace(spec.home, source="/no/such/home")
    with pytest.raises(StartError, match="/no/such/home"):
        boxes.start(dataclasses.replace(spec, home=missing))


def test_a_failed_start_leaves_no_process_and_no_cgroup(boxes: Boxes) -> None:
    before = _cgroups()
    for _ in range(3):
        with pytest.raises(StartError):
            boxes.start(boxes.spec("no-such-program"))
    assert _cgroups() <= before


@pytest.mark.skipif(not AS_ROOT, reason="about root")
def test_root_is_never_what_the_program_runs_as(boxes: Boxes) -> None:
    with pytest.raises(SpecError, match="needs a user"):
        boxes.start(boxes.spec("id", user=None))


@pytest.mark.skipif(AS_ROOT, reason="about an ordinary user")
def test_an_ordinary_user_cannot_start_as_somebody_else(boxes: Boxes) -> None:
    with pytest.raises(SpecError, match="only root"):
        boxes.start(boxes.spec("id", user=User(12345, 12345, "eve")))


def test_stop_lets_the_program_end_gracefully(boxes: Boxes) -> None:
    box = ready(boxes.python(TRAPS_TERM))
    box.running.stop(10)
    assert (box.home / "ended").read_text() == "gracefully"
    assert outcome(box) == {"exit_status": 7, "signal": None, "memory_kills": 0, "stop_asked": True}
    assert not box.running.is_alive()


def test_stop_kills_what_ignores_it_after_the_grace(boxes: Boxes) -> None:
    box = ready(boxes.python(IGNORES_TERM))
    began = time.monotonic()
    box.running.stop(0.5)
    assert 0.5 <= time.monotonic() - began < 5
    assert not box.running.is_alive()


def test_the_keeper_kills_by_itself_when_whoever_asked_is_gone(boxes: Boxes) -> None:
    box = ready(boxes.python(IGNORES_TERM, stop_grace_s=1))
    os.kill(box.running.keeper_pid, signal.SIGTERM)
    box.wait_end(10)
    assert outcome(box)["stop_asked"] is True


def test_stop_is_harmless_when_it_has_ended(boxes: Boxes) -> None:
    box = boxes.python("pass")
    box.wait_end()
    box.running.stop(1)
    box.running.stop(1)


def test_no_process_of_the_sandbox_outlives_it(boxes: Boxes) -> None:
    code = "import os, time\nfor _ in range(5):\n    if os.fork() == 0:\n        os.setsid(); time.sleep(600)\nprint('ready', flush=True); time.sleep(600)"
    box = ready(boxes.python(code, "marker-of-" + str(os.getpid())))
    assert len(_with_argument("marker-of-" + str(os.getpid()))) == 6
    box.running.stop(1)
    assert _with_argument("marker-of-" + str(os.getpid())) == []


def test_when_the_keeper_is_killed_the_program_is_ended_gracefully(boxes: Boxes) -> None:
    box = ready(boxes.python(TRAPS_TERM))
    os.kill(box.running.keeper_pid, signal.SIGKILL)
    eventually(lambda: not box.running.is_served())
    box.wait_end()
    assert (box.home / "ended").read_text() == "gracefully"


def test_when_the_keeper_is_killed_what_ignores_the_signal_ends_too(boxes: Boxes) -> None:
    box = ready(boxes.python(IGNORES_TERM, stop_grace_s=1))
    os.kill(box.running.keeper_pid, signal.SIGKILL)
    box.wait_end(10)


def test_stop_ends_a_sandbox_whose_keeper_was_killed(boxes: Boxes) -> None:
    box = ready(boxes.python(IGNORES_TERM))
    os.kill(box.running.keeper_pid, signal.SIGKILL)
    assert box.running.is_alive()
    box.running.stop(0.2)
    assert not box.running.is_alive()


def test_when_bubblewrap_is_killed_nothing_is_orphaned(boxes: Boxes) -> None:
    box = ready(boxes.python(IGNORES_TERM))
    os.kill(_parent(box.running.sandbox_pid), signal.SIGKILL)
    box.wait_end()


def test_a_stopped_bubblewrap_is_not_taken_for_a_killed_one(boxes: Boxes) -> None:
    box = ready(boxes.python(TRAPS_TERM))
    for number in (signal.SIGSTOP, signal.SIGCONT):
        os.kill(_parent(box.running.sandbox_pid), number)
        time.sleep(0.1)
    assert box.running.is_served()


@pytest.mark.parametrize("heard", [False, True], ids=["before the answer", "before it noted the answer"])
def test_a_sandbox_nobody_would_know_of_is_ended(boxes: Boxes, heard: bool) -> None:
    marker = f"62{os.getpid()}"
    spec = boxes.spec("sleep", marker)
    told = order(
        spec, bubblewrap=bubblewrap_path(), privileged=AS_ROOT, containment=containment(spec.limits, own_uid=AS_ROOT)
    )
    command = [interpreter(), "-I", "-S", "-X", "utf8", str(KEEPER)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as keeper:
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        keeper.stdin.write(json.dumps(told).encode() + b"\n")
        keeper.stdin.flush()
        if heard:
            assert "running" in json.loads(keeper.stdout.readline())
            assert _with_argument(marker) != []
        keeper.stdout.close()
        keeper.stdin.close()
        assert keeper.wait(10) == 0
    log = Path(spec.log_file)
    eventually(log.exists)
    eventually(lambda: not _holding(log))
    assert _with_argument(marker) == []


def test_a_starter_killed_before_it_noted_the_sandbox_leaves_nothing(boxes: Boxes) -> None:
    """The hub's case: whatever moment of a start it is killed in, there is no server that its successor cannot find."""
    running = _killed_in_a_start(boxes, "newborn = begin(spec)")
    eventually(lambda: not running.is_alive())
    assert not any(Path(directory).exists() for directory in running.cgroups)


def test_a_starter_killed_after_it_kept_the_sandbox_leaves_it_running(boxes: Boxes) -> None:
    running = _killed_in_a_start(boxes, "newborn = begin(spec); newborn.keep()")
    time.sleep(0.3)
    assert running.is_served()
    running.stop(1)


def _killed_in_a_start(boxes: Boxes, last_words: str) -> RunningSandbox:
    """What was known to a process that killed itself at that point of a start."""
    code = (
        "import json, sys, os\nfrom hub.sandbox.launch import begin\nfrom hub.sandbox.spec import SandboxSpec\n"
        f"spec = SandboxSpec.from_dict(json.load(sys.stdin))\n{last_words}\n"
        "print(json.dumps(newborn.running.to_dict()), flush=True)\nos.kill(os.getpid(), 9)"
    )
    told = json.dumps(boxes.spec("sleep", "600").to_dict())
    done = subprocess.run([sys.executable, "-c", code], input=told, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    return RunningSandbox.from_dict(json.loads(done.stdout))


def test_one_that_was_never_kept_ends_with_its_block(boxes: Boxes) -> None:
    with begin(boxes.spec("sleep", "600")) as newborn:
        assert newborn.running.is_served()
    eventually(lambda: not newborn.running.is_alive())


def test_one_that_was_kept_outlives_its_block(boxes: Boxes) -> None:
    with begin(boxes.spec("sleep", "600")) as newborn:
        running = newborn.keep()
    time.sleep(0.3)
    assert running.is_served()
    running.stop(1)


def test_what_has_ended_cannot_be_kept(boxes: Boxes) -> None:
    with begin(boxes.spec("sleep", "600")) as newborn:
        os.kill(newborn.running.keeper_pid, signal.SIGKILL)
        eventually(lambda: not newborn.running.is_served())
        with pytest.raises(StartError, match="ended at once"):
            newborn.keep()
    newborn.running.stop(0)


def test_a_class_that_starts_at_once_gets_a_sandbox_each(boxes: Boxes) -> None:
    specs = [boxes.spec("sleep", "60") for _ in range(20)]
    with ThreadPoolExecutor(20) as pool:
        started = list(pool.map(boxes.start, specs))
        assert all(box.running.is_served() for box in started)
        assert len({box.running.sandbox_pid for box in started}) == 20
        list(pool.map(lambda box: box.running.stop(5), started))
    assert not any(box.running.is_alive() for box in started)


def test_it_outlives_the_process_that_started_it(boxes: Boxes) -> None:
    spec = boxes.spec("sleep", "600")
    code = (
        "import json, sys, os\nfrom hub.sandbox.launch import start\nfrom hub.sandbox.spec import SandboxSpec\n"
        "running = start(SandboxSpec.from_dict(json.load(sys.stdin)))\n"
        "print(json.dumps(running.to_dict()), flush=True)\nos.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(spec.to_dict()), capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    running = RunningSandbox.from_dict(json.loads(done.stdout))
    time.sleep(0.3)
    assert running.is_served()
    running.stop(1)
    assert not running.is_alive()


def test_a_closed_terminal_and_ctrl_c_do_not_reach_it(boxes: Boxes) -> None:
    box = ready(boxes.python(TRAPS_TERM))
    for number in (signal.SIGHUP, signal.SIGINT):
        os.kill(box.running.keeper_pid, number)
    time.sleep(0.2)
    assert box.running.is_served()
    assert os.getsid(box.running.keeper_pid) != os.getsid(0)


def test_the_keeper_is_not_left_as_a_zombie_of_its_starter(boxes: Boxes) -> None:
    box = boxes.python("pass")
    box.wait_end()
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert str(box.running.keeper_pid) not in children


@pytest.mark.skipif(not AS_ROOT, reason="about root")
def test_the_keeper_gives_root_up(boxes: Boxes) -> None:
    box = ready(boxes.python(TRAPS_TERM))
    status = Path(f"/proc/{box.running.keeper_pid}/status").read_text()
    uid = box.home.stat().st_uid
    assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in status
    assert f"Gid:\t{uid}\t{uid}\t{uid}\t{uid}" in status
    assert "Groups:\t \n" in status
    assert "CapEff:\t0000000000000000" in status


def test_orphans_inside_are_reaped(boxes: Boxes) -> None:
    code = """
import os, time
for _ in range(20):
    if os.fork() == 0:
        if os.fork() == 0:
            os._exit(0)
        os._exit(0)
    os.wait()
time.sleep(0.5)
states = [open(f'/proc/{pid}/stat').read().rsplit(')')[1].split()[0] for pid in os.listdir('/proc') if pid.isdigit()]
print(states.count('Z'), 'zombies')
"""
    box = boxes.python(code)
    box.wait_end()
    assert box.output() == "0 zombies"


def test_a_program_starts_with_the_signals_of_a_shell(boxes: Boxes) -> None:
    box = boxes.start(boxes.spec("sh", "-c", "grep -E 'SigIgn|SigBlk' /proc/self/status"))
    box.wait_end()
    glibcs_own = 0b11 << 31  # posix_spawn leaves signals 32 and 33, which threads use, ignored
    assert [int(line.split()[1], 16) & ~glibcs_own for line in box.output().splitlines()] == [0, 0]


def test_facts_survive_json(boxes: Boxes) -> None:
    box = ready(boxes.python(TRAPS_TERM))
    again = RunningSandbox.from_dict(json.loads(json.dumps(box.running.to_dict())))
    assert again == box.running
    assert again.is_alive()
    another_boot = dataclasses.replace(again, boot_id="another")
    assert not another_boot.is_alive()
    another_boot.stop(0)
    assert again.is_alive()


def test_a_pid_that_came_back_as_another_process_is_not_taken_for_it(boxes: Boxes) -> None:
    box = ready(boxes.python(TRAPS_TERM))
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        stale = dataclasses.replace(box.running, keeper_pid=stranger.pid, sandbox_pid=stranger.pid)
        assert not stale.is_alive()
        stale.stop(0)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_async_start_gives_the_same(boxes: Boxes) -> None:
    running = (await begin_async(boxes.spec("sleep", "60"))).keep()
    assert running.is_served()
    running.stop(1)


async def test_a_cancelled_start_ends_what_it_started(boxes: Boxes) -> None:
    marker = f"61{os.getpid()}"
    starting = asyncio.ensure_future(begin_async(boxes.spec("sleep", marker)))
    await asyncio.sleep(0.01)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert _with_argument(marker) == []


def test_what_a_sandbox_costs_is_printed(boxes: Boxes, capsys: pytest.CaptureFixture[str]) -> None:
    took, sizes = [], []
    for _ in range(10):
        spec = boxes.spec("sleep", "60")
        began = time.monotonic()
        box = boxes.start(spec)
        took.append(time.monotonic() - began)
        sizes.append(
            [_pss_kib(pid) for pid in (box.running.keeper_pid, box.running.sandbox_pid)] if AS_ROOT else [0, 0]
        )
    keeper, init = (sorted(column)[5] for column in zip(*sizes, strict=True))
    with capsys.disabled():
        sys.stdout.write(
            f"\nstart of a sandbox: median {sorted(took)[5] * 1000:.0f} ms; PSS keeper {keeper} KiB, init {init} KiB\n"
        )
    assert is_running(box.running.keeper_pid, box.running.keeper_started)


def _pss_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _cgroups() -> set[str]:
    return {str(path) for parent in find_controllers().parents.values() for path in Path(parent).glob("*-*")}


def _holding(log: Path) -> list[str]:
    """Processes that hold this log open."""
    found = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == log:
                found.append(link.parts[2])
        except OSError:
            continue
    return found


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[1])


def _with_argument(argument: str) -> list[str]:
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if argument.encode() in (directory / "cmdline").read_bytes().split(b"\0"):
                found.append(directory.name)
        except OSError:
            continue
    return found


def test_a_sandbox_that_ended_before_its_starter_heard_of_it_is_not_alive(boxes: Boxes) -> None:
    """The start time is taken while the sandbox is held back; taken later it could be missing, and match every gone process."""
    for _ in range(20):
        box = boxes.python("pass")
        assert isinstance(box.running.sandbox_started, int)
        box.wait_end(5)

"""A share of processor and memory, seen by programs inside that try to use more."""

import dataclasses
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hub.sandbox.change import Reason, Resource, Unchanged
from hub.sandbox.limits import cpu_enforcement
from hub.sandbox.processor import CpuEnforcement
from hub.sandbox.spec import Limits
from tests.hub.sandbox.conftest import LIMITS, TRAPS_TERM, Box, Boxes, eventually, ready

HELD_BY = cpu_enforcement()
CPUS = tuple(sorted(os.sched_getaffinity(0)))

needs_quota = pytest.mark.skipif(not HELD_BY.holds_parts, reason=f"a part of a CPU is not held here: {HELD_BY}")
needs_affinity = pytest.mark.skipif(HELD_BY is not CpuEnforcement.AFFINITY, reason="a cgroup holds shares here")
needs_two_cpus = pytest.mark.skipif(len(CPUS) < 2, reason="there is only one CPU to be kept to")

BUSY = """
import hashlib, json, os, threading, time
data, until = bytes(1 << 20), time.monotonic() + 2.0
def burn():
    while time.monotonic() < until: hashlib.sha256(data)  # without the interpreter's lock
def sprawl():
    for _ in range(2):
        if os.fork() == 0:
            os.setsid(); burn(); os._exit(0)
threads = [threading.Thread(target=burn) for _ in range(4)]
sprawl()
began = time.monotonic()
for each in threads: each.start()
for each in threads: each.join()
for _ in range(2): os.wait()
print(json.dumps({'cpus': sum(os.times()[:4]) / (time.monotonic() - began)}))
"""
"""Four threads and two processes that left their session."""

ESCAPES = """
import ctypes, json, os
got = {'affinity at start': sorted(os.sched_getaffinity(0))}
def tried(name, attempt):
    try: got[name] = attempt()
    except OSError as exc: got[name] = exc.errno
def write(path, text):
    with open(path, 'w') as file: file.write(text)
def widen():
    os.sched_setaffinity(0, range(os.cpu_count()))
    return sorted(os.sched_getaffinity(0))
def widen_by_syscall():
    number = 203 if os.uname().machine == 'x86_64' else 122
    if ctypes.CDLL(None, use_errno=True).syscall(number, 0, 128, b'\\xff' * 128) < 0: raise OSError(ctypes.get_errno(), '')
    return sorted(os.sched_getaffinity(0))
def widen_in_child():
    reader, writer = os.pipe()
    if os.fork() == 0:
        try: os.setsid(); os.sched_setaffinity(0, range(os.cpu_count()))
        except OSError: pass
        os.write(writer, json.dumps(sorted(os.sched_getaffinity(0))).encode()); os._exit(0)
    return json.loads(os.read(reader, 4096))
def mount(kind):
    libc = ctypes.CDLL(None, use_errno=True)
    os.makedirs('/tmp/cg', exist_ok=True)
    if libc.mount(kind, b'/tmp/cg', kind, 0, b'cpu') < 0: raise OSError(ctypes.get_errno(), 'mount')
    return os.listdir('/tmp/cg')
got['sees /sys'] = os.path.exists('/sys')
tried('raise quota, v1', lambda: write('/sys/fs/cgroup/cpu/cpu.cfs_quota_us', '-1'))
tried('raise quota, v2', lambda: write('/sys/fs/cgroup/cpu.max', 'max'))
tried('leave', lambda: write('/sys/fs/cgroup/cpu/cgroup.procs', str(os.getpid())))
tried('mount v1', lambda: mount(b'cgroup'))
tried('mount v2', lambda: mount(b'cgroup2'))
tried('widen', widen)
tried('widen by syscall', widen_by_syscall)
tried('widen in child', widen_in_child)
tried('affinity of init', lambda: os.sched_setaffinity(1, range(os.cpu_count())))
tried('hurry', lambda: os.setpriority(os.PRIO_PROCESS, 0, -5))
tried('real time', lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))
print(json.dumps(got))
"""


def share(cpu_milli: int, *cpus: int, memory_mib: int = LIMITS.memory_mib) -> Limits:
    return dataclasses.replace(LIMITS, cpu_milli=cpu_milli, cpus=cpus, memory_mib=memory_mib)


def cpus_used(box: Box) -> float:
    box.wait_end()
    used: float = json.loads(box.output())["cpus"]
    return used


def counter(box: Box, file: str) -> dict[str, int]:
    """The numbers in a file of the sandbox's cgroups."""
    path = next(path for each in box.running.cgroups if (path := Path(each) / file).exists())
    return {name: int(value) for name, _, value in (line.partition(" ") for line in path.read_text().splitlines())}


@needs_quota
def test_half_a_cpu_is_half_a_cpu_for_the_whole_tree(boxes: Boxes) -> None:
    assert cpus_used(boxes.python(BUSY, limits=share(500))) <= 0.6


@needs_two_cpus
def test_one_cpu_is_not_two(boxes: Boxes) -> None:
    assert cpus_used(boxes.python(BUSY, limits=share(1000, CPUS[-1]))) <= 1.15


@needs_quota
def test_a_share_that_wants_more_is_made_to_wait(boxes: Boxes) -> None:
    """A control: what holds the two above back is the quota and not a machine that is busy with something else."""
    box = boxes.python("while True: pass", limits=share(100))
    eventually(lambda: counter(box, "cpu.stat")["nr_throttled"] >= 3)


@needs_two_cpus
def test_a_share_is_kept_to_its_cpus_and_cannot_get_out(boxes: Boxes) -> None:
    box = boxes.python(ESCAPES, limits=share(1000, CPUS[-1]))
    box.wait_end()
    got: dict[str, Any] = json.loads(box.output())
    kept = [CPUS[-1]]
    assert got["affinity at start"] == kept
    assert got["sees /sys"] is False
    for name in ("raise quota, v1", "raise quota, v2", "leave"):
        assert got[name] == 2, (name, got[name])
    for name in ("mount v1", "mount v2", "hurry", "real time"):
        assert got[name] in {1, 13}, (name, got[name])
    # A cpuset takes the wish and keeps the process where it is; the filter refuses it.
    refused = 1 if HELD_BY is CpuEnforcement.AFFINITY else kept
    assert (got["widen"], got["widen by syscall"], got["widen in child"]) == (refused, refused, kept)
    assert got["affinity of init"] in ({1} if HELD_BY is CpuEnforcement.AFFINITY else {1, None})


@needs_affinity
@needs_two_cpus
def test_an_affinity_that_nobody_chose_is_still_one(boxes: Boxes) -> None:
    box = boxes.python("import os; print(len(os.sched_getaffinity(0)))", limits=share(500))
    box.wait_end()
    assert box.output() == "1"
    assert "processor: whole CPUs only, affinity" in box.running.held_limits


def test_without_a_share_affinities_are_a_program_s_own(boxes: Boxes) -> None:
    box = boxes.python("import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); print('set')")
    box.wait_end()
    assert box.output() == "set"


def test_numerical_libraries_start_where_they_may_not_set_their_affinity(boxes: Boxes) -> None:
    code = "import numpy; print(int((numpy.ones((64, 64)) @ numpy.ones((64, 64))).sum()))"
    spec = boxes.spec(sys.executable, "-I", "-c", code, limits=share(1000))
    environment = {**spec.environment, "OMP_PROC_BIND": "true", "OMP_NUM_THREADS": "2", "KMP_AFFINITY": "compact"}
    box = boxes.start(dataclasses.replace(spec, environment=environment))
    box.wait_end()
    assert box.output() == str(64**3)


@needs_quota
def test_a_share_ends_and_begins_while_the_server_lives(boxes: Boxes) -> None:
    code = "import os\nfor _ in range(4):\n    os.fork()\nwhile True: pass"
    box = boxes.python(code, limits=share(1000, CPUS[0]))
    assert os.sched_getaffinity(box.running.sandbox_pid) == {CPUS[0]}
    assert box.running.set_limits(LIMITS) == ()
    assert os.sched_getaffinity(box.running.sandbox_pid) == set(CPUS)
    time.sleep(0.3)
    before = counter(box, "cpu.stat")["nr_throttled"]
    time.sleep(0.5)
    assert counter(box, "cpu.stat")["nr_throttled"] == before
    assert box.running.set_limits(share(100)) == ()
    eventually(lambda: counter(box, "cpu.stat")["nr_throttled"] > before + 3)


@needs_quota
def test_a_server_that_began_without_a_share_can_get_one(boxes: Boxes) -> None:
    box = boxes.python("while True: pass")
    assert box.running.set_limits(share(100, CPUS[0])) == ()
    eventually(lambda: counter(box, "cpu.stat")["nr_throttled"] >= 3)


HOLDS_MEMORY = """
import sys
held = bytearray(150 << 20)
for at in range(0, len(held), 4096): held[at] = 1
print('ready', flush=True)
sys.stdin.read()
import time; time.sleep(600)
"""


@needs_quota
def test_memory_grows_and_shrinks_but_is_not_taken_from_who_holds_it(boxes: Boxes) -> None:
    box = ready(boxes.python(HOLDS_MEMORY, limits=share(1000, memory_mib=200)))
    in_use = (Unchanged(Resource.MEMORY, Reason.IN_USE),)
    assert box.running.set_limits(share(500, memory_mib=100)) == in_use
    assert box.running.is_served()
    assert box.running.set_limits(share(500, memory_mib=400)) == ()
    assert box.running.set_limits(share(500, memory_mib=190)) == ()
    assert box.running.is_served()


@needs_quota
def test_new_memory_is_the_program_s_at_once_and_no_more_than_that(boxes: Boxes) -> None:
    code = (
        "import time\nprint('ready', flush=True)\nx = []\nwhile True: x.append(bytearray(1 << 20)); time.sleep(0.002)"
    )
    box = ready(boxes.python(code, limits=share(1000, memory_mib=256)))
    assert box.running.set_limits(share(1000, memory_mib=96)) == ()
    box.wait_end()
    assert json.loads(box.outcome.read_text())["memory_kills"] == 1


@needs_affinity
def test_where_no_cgroup_holds_a_new_share_needs_a_new_start(boxes: Boxes) -> None:
    box = ready(boxes.python(TRAPS_TERM, limits=share(1000)))
    assert {each.reason for each in box.running.set_limits(LIMITS)} == {Reason.FIXED_AT_START}
    assert len(os.sched_getaffinity(box.running.sandbox_pid)) == 1


def test_one_that_has_ended_has_no_limits_to_change(boxes: Boxes) -> None:
    box = boxes.python("pass", limits=share(500))
    box.wait_end()
    assert box.running.set_limits(LIMITS) == ()


def test_a_share_s_cgroups_are_gone_with_it(boxes: Boxes) -> None:
    box = ready(boxes.python(TRAPS_TERM, limits=share(1000, CPUS[0])))
    box.running.stop(5)
    assert [each for each in box.running.cgroups if Path(each).exists()] == []

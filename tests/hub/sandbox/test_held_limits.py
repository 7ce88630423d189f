"""Limits that hold, seen by programs that try to pass them."""

import dataclasses
import os
import signal
import time
from pathlib import Path

import pytest

from hub.sandbox import limits
from hub.sandbox.cgroups import find_controllers, sweep
from tests.hub.sandbox.conftest import AS_ROOT, LIMITS, TRAPS_TERM, Boxes, outcome, ready


def test_a_fork_bomb_stops_at_its_limit(boxes: Boxes) -> None:
    code = """
import os, time
count = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(600)
        count += 1
except OSError as exc:
    print('stopped', count, exc.errno, flush=True)
"""
    box = boxes.python(code)
    box.wait_end()
    word, count, code_number = box.output().split()
    assert (word, code_number) == ("stopped", "11")
    assert LIMITS.processes - 5 <= int(count) <= LIMITS.processes


def test_a_memory_bomb_is_stopped_and_told_of(boxes: Boxes) -> None:
    box = boxes.python("x = []\nwhile True: x.append(bytearray(8 << 20))")
    box.wait_end()
    if "memory: whole server" in " ".join(box.running.held_limits):
        assert outcome(box)["signal"] == signal.SIGKILL
        assert outcome(box)["memory_kills"] == 1
        assert "its memory was used up" in box.log.read_text()
    else:
        assert "MemoryError" in box.output()
        assert outcome(box)["exit_status"] == 1


@pytest.mark.skipif(not AS_ROOT, reason="cgroups belong to root here")
def test_memory_is_counted_for_the_whole_server(boxes: Boxes) -> None:
    if "memory" not in find_controllers().parents:
        pytest.skip("no memory cgroup can be made on this machine")
    code = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        x = bytearray(100 << 20)
        for at in range(0, len(x), 4096): x[at] = 1
        time.sleep(600)
print([os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(2)])
"""
    box = boxes.python(code)
    box.wait_end()
    assert box.output() == "[-9, -9]"


def test_files_stop_at_their_size(boxes: Boxes) -> None:
    code = f"""
import os
try:
    with open('big', 'wb', buffering=0) as file:
        while file.write(bytes(1 << 20)): pass
except OSError as exc:
    print(exc.errno, os.path.getsize('big') == {LIMITS.file_mib} << 20)
"""
    box = boxes.python(code)
    box.wait_end()
    assert box.output() == "27 True"


@pytest.mark.parametrize("directory", ["/tmp", "/dev/shm"])
def test_temporary_files_stop_at_their_size(boxes: Boxes, directory: str) -> None:
    code = f"""
import os
try:
    for number in range(64):
        open(f'{directory}/' + str(number), 'wb').write(bytes(1 << 20))
except OSError as exc:
    print(exc.errno, number)
"""
    box = boxes.python(code)
    box.wait_end()
    error, number = box.output().split()
    assert error == "28"
    assert LIMITS.tmp_mib - 1 <= int(number) <= LIMITS.tmp_mib


def test_a_flood_of_output_is_slowed_and_the_log_stays_small(boxes: Boxes) -> None:
    box = boxes.start(boxes.spec("sh", "-c", "yes output", log_mib=1))
    time.sleep(2.5)
    with Path(f"/proc/{box.running.keeper_pid}/stat").open() as file:
        ticks = sum(map(int, file.read().rsplit(")")[-1].split()[11:13]))
    assert ticks / os.sysconf("SC_CLK_TCK") < 1.0
    assert box.log.stat().st_size <= 1 << 20
    assert box.log.stat().st_mode & 0o777 == 0o600
    box.running.stop(1)
    assert "ended:" in box.log.read_text().splitlines()[-1]


def test_the_last_words_reach_the_log(boxes: Boxes) -> None:
    box = boxes.python("print('x' * 60000, end=''); print('last words')")
    box.wait_end()
    assert box.output().endswith("last words")


@pytest.mark.skipif(not AS_ROOT, reason="cgroups belong to root here")
def test_cgroups_are_gone_after_stop_and_leftovers_are_swept(boxes: Boxes) -> None:
    if not find_controllers().parents:
        pytest.skip("no cgroup can be made on this machine")
    box = ready(boxes.python(TRAPS_TERM))
    assert all(Path(each).is_dir() for each in box.running.cgroups)
    assert len(box.running.cgroups) >= 1
    box.running.stop(5)
    assert not any(Path(each).exists() for each in box.running.cgroups)
    crashed = ready(boxes.python(TRAPS_TERM))
    living = ready(boxes.python(TRAPS_TERM))
    os.kill(crashed.running.keeper_pid, signal.SIGKILL)
    crashed.wait_end()
    assert sweep() >= len(crashed.running.cgroups)
    assert not any(Path(each).exists() for each in crashed.running.cgroups)
    assert all(Path(each).is_dir() for each in living.running.cgroups)


def test_the_limits_that_hold_are_told_in_words(boxes: Boxes) -> None:
    box = boxes.python("pass", limits=dataclasses.replace(LIMITS, cpu_milli=1000))
    assert box.running.held_limits == limits.held_limits(own_uid=AS_ROOT)
    assert any(sentence.startswith("memory: ") for sentence in box.running.held_limits)

"""What a share means for a server: limits, CPUs of its own, threads."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.roster_client import ServerShare
from hub.sandbox.limits import cpu_enforcement
from hub.settings import SandboxSettings
from hub.spawn.running import RunningServer
from hub.spawn.shares import CpuPins, basic_limits, server_limits, share_environment
from tests.hub.sandbox.conftest import LIMITS, Boxes

SETTINGS = SandboxSettings()
SHARE = ServerShare("l1", 7, "cpu.large", "cpu", "cpu", "this", 1500, 3072)


@pytest.fixture
def boxes(tmp_path: Path) -> Iterator[Boxes]:
    made = Boxes(tmp_path)
    yield made
    made.end()


def test_a_share_s_memory_and_processor_are_the_server_s_and_the_rest_is_everybody_s() -> None:
    limits = server_limits(SETTINGS, SHARE, (2, 3))
    assert (limits.memory_mib, limits.cpu_milli, limits.cpus) == (3072, 1500, (2, 3))
    back = dataclasses.replace(limits, memory_mib=SETTINGS.memory_mib, cpu_milli=None, cpus=())
    assert back == basic_limits(SETTINGS) == server_limits(SETTINGS, None)


def test_a_share_of_a_device_alone_leaves_the_basic_memory_and_processor() -> None:
    device = dataclasses.replace(SHARE, cpu_milli=0, memory_mib=0)
    assert server_limits(SETTINGS, device) == basic_limits(SETTINGS)


@pytest.mark.parametrize(("cpu_milli", "threads"), [(0, "1"), (500, "1"), (1000, "1"), (1500, "2"), (4000, "4")])
def test_libraries_use_as_many_threads_as_the_share_has_cpus(cpu_milli: int, threads: str) -> None:
    told = share_environment(dataclasses.replace(SHARE, cpu_milli=cpu_milli))
    assert {told.pop("PRACTICUM_SHARE"), told.pop("PRACTICUM_SHARE_FENCE")} == {"cpu.large", "7"}
    assert set(told.values()) == {threads}
    assert {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"} <= set(told)


def test_without_a_share_libraries_use_one_thread_and_nothing_speaks_of_a_share() -> None:
    told = share_environment(None)
    assert set(told.values()) == {"1"}
    assert not [name for name in told if name.startswith("PRACTICUM")]


def test_starts_at_the_same_time_are_kept_to_different_cpus() -> None:
    pins = CpuPins((0, 1, 2), holds_parts=True)
    assert [pins.reserve(name, 1000, ()) for name in "abcd"] == [(0,), (1,), (2,), ()]
    pins.release("b")
    assert pins.reserve("e", 1000, ()) == (1,)
    pins.release("never reserved")


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is only one CPU to be kept to")
def test_a_server_that_runs_has_its_cpus_until_its_share_ends(boxes: Boxes) -> None:
    first, second = sorted(os.sched_getaffinity(0))[:2]
    limits = dataclasses.replace(LIMITS, cpu_milli=1000, cpus=(first,))
    box = boxes.start(boxes.spec("sleep", "60", limits=limits))
    pins = CpuPins((first, second), holds_parts=True)
    server = RunningServer("ada", "l1", 7, 1000, (first,), box.running)
    assert pins.reserve("lin", 1000, [server]) == (second,)
    pins.release("lin")
    if cpu_enforcement().holds_parts:
        assert box.running.set_limits(LIMITS) == ()
        assert pins.reserve("lin", 1000, [server]) == (first,)
        pins.release("lin")
    box.running.stop(0)
    assert pins.reserve("lin", 1000, [server]) == (first,)


def test_shares_that_may_run_anywhere_take_up_no_cpu(boxes: Boxes) -> None:
    box = boxes.start(boxes.spec("sleep", "60"))
    free = RunningServer("ada", "l1", 7, 500, (), box.running)
    assert CpuPins((0,), holds_parts=True).reserve("lin", 1000, [free]) == (0,)

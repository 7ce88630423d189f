"""Which CPUs a share is kept to, and what holds it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.sandbox.processor import CpuEnforcement, choose_cpus, enforcement, whole_cpus

CPUS = (0, 1, 2, 3)


@pytest.mark.parametrize(
    ("taken", "cpu_milli", "chosen"),
    [
        ([], 1000, (0,)),
        ([], 2000, (0, 1)),
        ([], 1500, (0, 1)),
        ([], 500, ()),
        ([((0,), 1000)], 1000, (1,)),
        ([((1, 2), 2000)], 2000, (0, 3)),
        ([((0, 1), 1500)], 2500, ()),
        ([((), 500), ((), 500)], 4000, (0, 1, 2, 3)),
        ([((9,), 1000)], 4000, (0, 1, 2, 3)),
        ([((0, 1, 2, 3), 4000)], 1000, ()),
        ([], 9000, (0, 1, 2, 3)),
    ],
)
def test_beside_a_quota_cpus_are_given_to_one_share_or_to_none(
    taken: list[tuple[tuple[int, ...], int]], cpu_milli: int, chosen: tuple[int, ...]
) -> None:
    assert choose_cpus(CPUS, taken, cpu_milli, holds_parts=True) == chosen


@pytest.mark.parametrize(
    ("taken", "cpu_milli", "chosen"),
    [
        ([], 500, (0,)),
        ([((0,), 500)], 500, (1,)),
        ([((0,), 500), ((1,), 250), ((2, 3), 2000)], 500, (1,)),
        ([((0, 1), 1500)], 2500, (0, 2, 3)),
        ([((0, 1, 2, 3), 4000)], 1000, (0,)),
    ],
)
def test_where_cpus_are_the_limit_there_are_always_some_the_least_taken(
    taken: list[tuple[tuple[int, ...], int]], cpu_milli: int, chosen: tuple[int, ...]
) -> None:
    assert choose_cpus(CPUS, taken, cpu_milli, holds_parts=False) == chosen


@settings(database=None)  # the directory it would lie in may be another user's
@given(st.lists(st.integers(10, 5000), max_size=12), st.integers(1, 16))
def test_no_cpu_is_ever_given_to_two_shares(sizes: list[int], count: int) -> None:
    taken: list[tuple[tuple[int, ...], int]] = []
    for cpu_milli in sizes:
        taken.append((choose_cpus(range(count), taken, cpu_milli, holds_parts=True), cpu_milli))
    given_out = [cpu for cpus, _ in taken for cpu in cpus]
    assert len(set(given_out)) == len(given_out)
    assert all(not cpus or 1000 * len(cpus) >= min(cpu_milli, 1000 * count) for cpus, cpu_milli in taken)


@pytest.mark.parametrize(
    ("version", "controllers", "held_by", "parts"),
    [
        (2, {"memory", "pids", "cpu", "cpuset"}, CpuEnforcement.QUOTA_V2, True),
        (1, {"cpu"}, CpuEnforcement.QUOTA_V1, True),
        (2, {"memory", "cpuset"}, CpuEnforcement.CPUSET_V2, False),
        (1, {"cpuset"}, CpuEnforcement.CPUSET_V1, False),
        (1, {"memory", "pids"}, CpuEnforcement.AFFINITY, False),
    ],
)
def test_the_strongest_that_is_there_holds(
    version: int, controllers: set[str], held_by: CpuEnforcement, parts: bool
) -> None:
    assert enforcement(version, controllers) is held_by
    assert held_by.holds_parts is parts


@pytest.mark.parametrize(("cpu_milli", "cpus"), [(10, 1), (500, 1), (1000, 1), (1001, 2), (2500, 3)])
def test_a_begun_cpu_counts_as_one(cpu_milli: int, cpus: int) -> None:
    assert whole_cpus(cpu_milli) == cpus

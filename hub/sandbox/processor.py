"""A share of the processor: what can hold it on this machine, which CPUs it is kept to, how many threads it is worth. Pure.

CPU is counted in thousandths of one CPU (`cpu_milli`).
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

PERIOD_US = 100_000
"""The kernel's own choice: a share of half a CPU runs 50 ms in every 100."""

UNRESERVED_WEIGHT_MILLI = 100
"""What a sandbox without a share weighs when everybody is busy. Ten of them cost a share of one CPU on a machine with two
nothing, and with every CPU given away one of them still gets a tenth of a CPU's weight: enough to start a server with."""


class CpuEnforcement(StrEnum):
    """What holds a CPU share, strongest first. Only a quota holds a part of a CPU; the others hold whole ones."""

    QUOTA_V2 = "quota, cgroup v2"
    QUOTA_V1 = "quota, cgroup v1"
    CPUSET_V2 = "cpuset, cgroup v2"
    CPUSET_V1 = "cpuset, cgroup v1"
    AFFINITY = "affinity"
    """Set by the keeper; the sandbox's system call filter refuses to change it."""

    @property
    def holds_parts(self) -> bool:
        """Whether half a CPU is held to half of one."""
        return self in {CpuEnforcement.QUOTA_V2, CpuEnforcement.QUOTA_V1}


def enforcement(version: int, controllers: Iterable[str]) -> CpuEnforcement:
    """What holds a share where cgroups of this version have these controllers."""
    names = set(controllers)
    if "cpu" in names:
        return CpuEnforcement.QUOTA_V2 if version == 2 else CpuEnforcement.QUOTA_V1
    if "cpuset" in names:
        return CpuEnforcement.CPUSET_V2 if version == 2 else CpuEnforcement.CPUSET_V1
    return CpuEnforcement.AFFINITY


def whole_cpus(cpu_milli: int) -> int:
    """How many CPUs a share can keep busy, at least one: what numerical libraries are told to use as threads."""
    return max(1, -(-cpu_milli // 1000))


def choose_cpus(
    all_cpus: Sequence[int], taken: Iterable[tuple[Sequence[int], int]], cpu_milli: int, *, holds_parts: bool
) -> tuple[int, ...]:
    """The CPUs a new share is kept to, beside shares that are `taken`: (CPUs, cpu_milli) each. Deterministic.

    Where a quota holds (`holds_parts`), CPUs are only a comfort on top of it: a share of at least one CPU gets CPUs that
    no other is kept to, or () when too few are left (a share of 1.5 takes up two), and one below a CPU gets () and
    runs wherever there is time. Where none does, the CPUs are the limit itself: there are always some, the least taken
    ones, and shares below one CPU have to go together.
    """
    load = _load(all_cpus, taken)
    wanted = min(whole_cpus(cpu_milli), len(load))
    if holds_parts:
        free = sorted(cpu for cpu, milli in load.items() if milli == 0)
        return tuple(free[:wanted]) if cpu_milli >= 1000 and len(free) >= wanted else ()
    return tuple(sorted(sorted(load, key=lambda cpu: (load[cpu], cpu))[:wanted]))


def _load(all_cpus: Sequence[int], taken: Iterable[tuple[Sequence[int], int]]) -> Mapping[int, int]:
    load = dict.fromkeys(all_cpus, 0)
    for cpus, cpu_milli in taken:
        for cpu in cpus:
            if cpu in load:
                load[cpu] += -(-cpu_milli // len(cpus))
    return load

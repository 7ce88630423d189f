"""This machine's CPUs and memory: how much of them the centre may use, and what holds a learner to a part of them."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.sandbox.cgroups import cgroup_mounts, own_cgroups
from hub.sandbox.limits import cpu_enforcement
from hub.sandbox.processor import CpuEnforcement

__all__ = ["CpuEnforcement", "CpuReading", "read_cpus"]

MIB = 1024 * 1024
UNLIMITED = 1 << 60
"""cgroup v1 writes "no limit" as the largest page-aligned number of bytes."""


@dataclass(frozen=True, slots=True)
class CpuReading:
    """What one look found: CPUs by number, how much of them in thousandths of one, memory in MiB, and what enforces a part."""

    cpus: tuple[int, ...]
    cpu_milli: int
    memory_mib: int
    enforcement: CpuEnforcement


@dataclass(frozen=True, slots=True)
class _Hierarchy:
    """A mounted cgroup hierarchy and where this process is in it."""

    mount: Path
    own: Path

    def upwards(self) -> Iterator[Path]:
        """This process's cgroup and its ancestors: a limit holds at every level."""
        yield self.own
        for parent in self.own.parents:
            if not parent.is_relative_to(self.mount):
                return
            yield parent


def read_cpus(
    root: Path = Path("/"), affinity: frozenset[int] | None = None, held_by: CpuEnforcement | None = None
) -> CpuReading:
    """The CPUs and memory of this machine, less what cgroups keep from this process; `root` holds proc and sys.

    `held_by`: what holds a share, by default what the sandbox found out by trying.
    """
    cpus = tuple(sorted(os.sched_getaffinity(0) if affinity is None else affinity))
    hierarchies = _hierarchies(root)
    quota_milli = min(_cpu_quotas(hierarchies), default=UNLIMITED)
    memory = min(_memory_limits(hierarchies), default=UNLIMITED)
    return CpuReading(
        cpus=cpus,
        cpu_milli=min(len(cpus) * 1000, quota_milli),
        memory_mib=min(_total_memory(root), memory) // MIB,
        enforcement=cpu_enforcement() if held_by is None else held_by,
    )


def _hierarchies(root: Path) -> Mapping[str, _Hierarchy]:
    """By controller; the unified hierarchy is called ''."""
    own = own_cgroups(_text(root / "proc/self/cgroup"))
    found: dict[str, _Hierarchy] = {}
    for name, (point, mounted_root) in cgroup_mounts(_text(root / "proc/self/mountinfo")).items():
        if name in own:
            mount = root / point.lstrip("/")
            # In a container the mount shows only a part of the hierarchy, and our path may lie outside it.
            inner = own[name].removeprefix(mounted_root if mounted_root != "/" else "")
            place = mount / inner.lstrip("/")
            found[name] = _Hierarchy(mount, place if place.is_dir() else mount)
    return found


def _cpu_quotas(hierarchies: Mapping[str, _Hierarchy]) -> Iterator[int]:
    if "" in hierarchies:
        for directory in hierarchies[""].upwards():
            quota, _, period = _text(directory / "cpu.max").strip().partition(" ")
            if quota.isdecimal() and period.isdecimal():
                yield int(quota) * 1000 // int(period)
    if "cpu" in hierarchies:
        for directory in hierarchies["cpu"].upwards():
            quota = _text(directory / "cpu.cfs_quota_us").strip()
            period = _text(directory / "cpu.cfs_period_us").strip()
            if quota.isdecimal() and period.isdecimal():  # -1: no quota
                yield int(quota) * 1000 // int(period)


def _memory_limits(hierarchies: Mapping[str, _Hierarchy]) -> Iterator[int]:
    for name, file in (("", "memory.max"), ("memory", "memory.limit_in_bytes")):
        if name in hierarchies:
            for directory in hierarchies[name].upwards():
                limit = _text(directory / file).strip()
                if limit.isdecimal():
                    yield int(limit)


def _total_memory(root: Path) -> int:
    for line in _text(root / "proc/meminfo").splitlines():
        name, _, amount = line.partition(":")
        if name == "MemTotal":
            return int(amount.split()[0]) * 1024
    return 0


def _text(path: Path) -> str:
    """What a file of proc or sys says; nothing where it does not exist or may not be read, which is how kernels differ."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""

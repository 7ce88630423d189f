"""Which limits hold on this machine: cgroups for the whole sandbox, else the kernel's per-process ones and an affinity."""

import os
import platform
import resource
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hub.sandbox.cgroups import Controllers, find_controllers
from hub.sandbox.processor import PERIOD_US, UNRESERVED_WEIGHT_MILLI, CpuEnforcement, choose_cpus, enforcement
from hub.sandbox.spec import Limits

_MIB = 1024 * 1024

Values = tuple[tuple[str, str], ...]
"""Files of a cgroup and what to write into them, in this order."""


@dataclass(frozen=True, slots=True)
class Cgroup:
    """A cgroup the keeper is to make in `parent`: file names and what to write into them."""

    parent: str
    values: Values


@dataclass(frozen=True, slots=True)
class Containment:
    """How `Limits` are made to hold here, and in words which of them do and for whom.

    `affinity`: the CPUs the keeper binds the sandbox to; empty where it binds it to none. Where it is not empty the
    system call filter must refuse to change it.
    """

    cgroups: tuple[Cgroup, ...]
    resources: tuple[tuple[int, int], ...]
    sentences: tuple[str, ...]
    affinity: tuple[int, ...] = ()


def containment(limits: Limits, *, own_uid: bool, controllers: Controllers | None = None) -> Containment:
    """How to hold `limits`; `own_uid` says whether nothing else runs under the sandbox's uid.

    Raises nothing: where less can be enforced, the sentences say so.
    """
    found = find_controllers() if controllers is None else controllers
    held_by = enforcement(found.version, found.parents)
    limits = _with_cpus(limits, held_by)
    resources = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_FSIZE, limits.file_mib * _MIB),
    ]
    sentences = []
    if "memory" in found.parents:
        sentences.append(f"memory: whole server, cgroup v{found.version}")
    else:
        # A floor, not a wall: many small processes add up, and mapped files are not counted.
        resources.append((resource.RLIMIT_DATA, limits.memory_mib * _MIB))
        sentences.append("memory: per process only")
    if "pids" in found.parents:
        sentences.append(f"processes: whole server, cgroup v{found.version}")
    elif own_uid or _counts_processes_per_namespace():
        resources.append((resource.RLIMIT_NPROC, limits.processes))
        sentences.append("processes: whole server, by user")
    else:
        sentences.append("processes: not limited")
    sentences.append(_processor_sentence(limits, held_by))
    sentences += ["open files: per process", "file size: per file", "temporary files: whole server"]
    affinity = limits.cpus if held_by is CpuEnforcement.AFFINITY else ()
    return Containment(tuple(_cgroups(limits, found)), tuple(resources), tuple(sentences), affinity)


def held_limits(*, own_uid: bool) -> tuple[str, ...]:
    """Which limits hold on this machine, in words; of the processor, what would hold a share."""
    return containment(Limits(1, 1, 1, 1, 1, cpu_milli=1000), own_uid=own_uid).sentences


def cpu_enforcement() -> CpuEnforcement:
    """What holds a CPU share on this machine, found out by trying."""
    found = find_controllers()
    return enforcement(found.version, found.parents)


def _with_cpus(limits: Limits, held_by: CpuEnforcement) -> Limits:
    """Where CPUs are the limit itself a share must be kept to some, whether or not somebody chose them."""
    if limits.cpu_milli is None or limits.cpus or held_by.holds_parts:
        return limits
    every = sorted(os.sched_getaffinity(0))
    return replace(limits, cpus=choose_cpus(every, (), limits.cpu_milli, holds_parts=False))


def _processor_sentence(limits: Limits, held_by: CpuEnforcement) -> str:
    if limits.cpu_milli is None:
        return "processor: no share of its own" + (", by weight" if held_by.holds_parts else "")
    if held_by.holds_parts:
        return f"processor: whole server, {held_by}" + (", on CPUs of its own" if limits.cpus else "")
    # A part of a CPU is held to a whole one, and whoever has no share may run on that CPU too.
    return f"processor: whole CPUs only, {held_by}"


def _counts_processes_per_namespace() -> bool:
    # Since Linux 5.14 RLIMIT_NPROC counts within a user namespace; before, a starter's own processes would count too.
    major, minor = platform.release().split(".")[:2]
    return (int(major), int("".join(filter(str.isdigit, minor)) or 0)) >= (5, 14)


def _cgroups(limits: Limits, found: Controllers) -> Iterator[Cgroup]:
    """One for each directory: in cgroup v2, and where v1 mounts controllers together, several share one."""
    by_parent: dict[str, Values] = {}
    for controller, parent in found.parents.items():
        if controller == "cpuset" and not limits.cpus:
            continue
        values = controller_values(controller, found.version, limits, Path(parent))
        by_parent[parent] = by_parent.get(parent, ()) + values
    for parent, values in by_parent.items():
        yield Cgroup(parent, values)


def controller_values(controller: str, version: int, limits: Limits, parent: Path) -> Values:
    """What to write into a cgroup below `parent` so that the controller holds its part of `limits`."""
    if controller == "memory":
        memory = str(limits.memory_mib * _MIB)
        if version == 2:
            return (("memory.max", memory), ("memory.swap.max", "0"))
        # Memory first: the kernel refuses memory and swap together below memory alone.
        return (("memory.limit_in_bytes", memory), ("memory.memsw.limit_in_bytes", memory))
    if controller == "pids":
        return (("pids.max", str(limits.processes)),)
    if controller == "cpu":
        return _quota(limits.cpu_milli, version)
    return _cpuset(limits.cpus, version, parent)


def _quota(cpu_milli: int | None, version: int) -> Values:
    weight_milli = UNRESERVED_WEIGHT_MILLI if cpu_milli is None else cpu_milli
    quota_us = None if cpu_milli is None else cpu_milli * PERIOD_US // 1000
    if version == 2:
        weight = max(1, min(10_000, weight_milli // 10))
        return (("cpu.max", f"{'max' if quota_us is None else quota_us} {PERIOD_US}"), ("cpu.weight", str(weight)))
    shares = max(2, min(262_144, weight_milli * 1024 // 1000))
    return (
        ("cpu.cfs_period_us", str(PERIOD_US)),
        ("cpu.cfs_quota_us", str(-1 if quota_us is None else quota_us)),
        ("cpu.shares", str(shares)),
    )


def _cpuset(cpus: tuple[int, ...], version: int, parent: Path) -> Values:
    chosen = ",".join(map(str, cpus))
    if version == 2:
        return (("cpuset.cpus", chosen or "\n"),)  # empty: the parent's; an empty write would not reach the kernel
    # A cpuset of cgroup v1 is born empty, and nothing can run in it before it is told its memory nodes too.
    mems, every = ((parent / name).read_text("ascii").strip() for name in ("cpuset.mems", "cpuset.cpus"))
    return (("cpuset.mems", mems), ("cpuset.cpus", chosen or every))

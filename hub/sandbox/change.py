"""New limits for a sandbox that runs: its cgroups are rewritten by whoever may, which is the user that started it.

Only what a share is made of changes, memory and processor; the other limits are those of the start.
"""

import errno
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hub.sandbox.cgroups import read_value
from hub.sandbox.limits import Values, controller_values
from hub.sandbox.spec import Limits

_MARKS = (("memory", ("memory.max", "memory.limit_in_bytes")), ("cpu", ("cpu.max", "cpu.cfs_quota_us")))
_MIB = 1024 * 1024


class Resource(StrEnum):
    """What a share is made of."""

    MEMORY = "memory"
    PROCESSOR = "processor"


class Reason(StrEnum):
    """Why a limit stayed as it was."""

    FIXED_AT_START = "It was set when the server started and cannot be changed while it runs."
    IN_USE = "The server holds more memory than that at the moment."


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A limit that is still the old one. Ask again later for `IN_USE`; for `FIXED_AT_START` only a new start helps."""

    resource: Resource
    reason: Reason


def change_limits(cgroups: Iterable[str], limits: Limits) -> tuple[Unchanged, ...]:
    """Rewrite a sandbox's cgroups to the memory and processor of `limits`; what could not be changed, empty if all was.

    Doing it again does nothing. Raises `PermissionError` for another user than the starter, `FileNotFoundError` when the
    sandbox has ended.
    """
    directories = _by_controller(cgroups)
    unchanged = []
    if (memory := directories.get("memory")) is None:
        unchanged.append(Unchanged(Resource.MEMORY, Reason.FIXED_AT_START))
    elif not _set_memory(memory, limits):
        unchanged.append(Unchanged(Resource.MEMORY, Reason.IN_USE))
    if (cpu := directories.get("cpu")) is None:
        unchanged.append(Unchanged(Resource.PROCESSOR, Reason.FIXED_AT_START))
    else:
        _write_all(cpu, controller_values("cpu", _version(cpu), limits, cpu.parent))
    # CPUs of its own are a comfort on top of the quota: a sandbox that began without goes on without.
    if cpu is not None and (cpuset := directories.get("cpuset")) is not None:
        _write_all(cpuset, controller_values("cpuset", _version(cpuset), limits, cpuset.parent))
    return tuple(unchanged)


def _by_controller(cgroups: Iterable[str]) -> Mapping[str, Path]:
    """Which directory holds what, told by the files in it: this process may see other hierarchies than the starter did."""
    found: dict[str, Path] = {}
    for directory in map(Path, cgroups):
        names = set(os.listdir(directory))  # noqa: PTH208 -- names are all that is asked
        for controller, marks in (*_MARKS, ("cpuset", ("cpuset.cpus",))):
            if not names.isdisjoint(marks):
                found[controller] = directory
    return found


def _version(cgroup: Path) -> int:
    return 2 if (cgroup / "cgroup.controllers").exists() else 1


def _set_memory(cgroup: Path, limits: Limits) -> bool:
    """Whether the memory is limited to that now; False where more is in use, and then nothing was changed."""
    version = _version(cgroup)
    values = controller_values("memory", version, limits, cgroup.parent)
    wanted = limits.memory_mib * _MIB
    if version == 2:
        # The kernel would take it and end processes until what is left fits.
        if wanted < _number(cgroup / "memory.max") and wanted < _unreclaimable(cgroup):
            return False
    elif wanted > _number(cgroup / "memory.limit_in_bytes"):
        values = tuple(reversed(values))  # memory alone may never be above memory and swap together
    try:
        _write_all(cgroup, values)
    except OSError as exc:
        if exc.errno != errno.EBUSY:
            raise
        return False
    return True


def _unreclaimable(cgroup: Path) -> int:
    """Bytes in use that are not pages of files, which the kernel just forgets."""
    lines = read_value(cgroup / "memory.stat").splitlines()
    counts = {name: int(value) for name, _, value in (line.partition(" ") for line in lines)}
    return _number(cgroup / "memory.current") - counts.get("inactive_file", 0) - counts.get("active_file", 0)


def _number(path: Path) -> int:
    text = read_value(path)
    return int(text) if text.isdecimal() else 1 << 62  # "max"


def _write_all(cgroup: Path, values: Values) -> None:
    for name, value in values:
        path = cgroup / name
        if "sw" in name and not path.exists():
            continue  # kernels without accounting of swap have neither of its two files
        path.write_text(value, "ascii")

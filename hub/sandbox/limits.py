"""Which limits hold on this machine, found out by trying: cgroups for the whole sandbox, else the kernel's per-process ones.

A cgroup is named after its keeper (pid and start time), so that leftovers of crashed keepers can be told from live ones.
Its parent is a directory `practicum` in this process's own cgroup or, where that cannot hold the controllers (a cgroup
v2 with processes cannot), in the nearest ancestor that can.
"""

import contextlib
import functools
import os
import platform
import resource
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.sandbox.processes import is_running
from hub.sandbox.spec import Limits

PARENT = "practicum"
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cgroup:
    """A cgroup the keeper is to make in `parent`: file names and what to write into them."""

    parent: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Containment:
    """How `Limits` are made to hold here, and in words which of them do and for whom."""

    cgroups: tuple[Cgroup, ...]
    resources: tuple[tuple[int, int], ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Controllers:
    """Directories in which cgroups can be made, by controller; `version` is 2 for the unified hierarchy."""

    version: int
    parents: Mapping[str, str]


def containment(limits: Limits, *, own_uid: bool, controllers: Controllers | None = None) -> Containment:
    """How to hold `limits`; `own_uid` says whether nothing else runs under the sandbox's uid.

    Raises nothing: where less can be enforced, the sentences say so.
    """
    found = find_controllers() if controllers is None else controllers
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
    sentences += ["open files: per process", "file size: per file", "temporary files: whole server"]
    return Containment(tuple(_cgroups(limits, found)), tuple(resources), tuple(sentences))


def held_limits(*, own_uid: bool) -> tuple[str, ...]:
    """Which limits hold on this machine, in words."""
    return containment(Limits(1, 1, 1, 1, 1), own_uid=own_uid).sentences


def _counts_processes_per_namespace() -> bool:
    # Since Linux 5.14 RLIMIT_NPROC counts within a user namespace; before, a starter's own processes would count too.
    major, minor = platform.release().split(".")[:2]
    return (int(major), int("".join(filter(str.isdigit, minor)) or 0)) >= (5, 14)


def _cgroups(limits: Limits, found: Controllers) -> Iterator[Cgroup]:
    memory = str(limits.memory_mib * _MIB)
    if found.version == 2:
        if found.parents:
            values = (("memory.max", memory), ("memory.swap.max", "0"), ("pids.max", str(limits.processes)))
            yield Cgroup(found.parents["memory"], values)
        return
    if "memory" in found.parents:
        # Memory first: the kernel refuses memory and swap together below memory alone.
        yield Cgroup(
            found.parents["memory"], (("memory.limit_in_bytes", memory), ("memory.memsw.limit_in_bytes", memory))
        )
    if "pids" in found.parents:
        yield Cgroup(found.parents["pids"], (("pids.max", str(limits.processes)),))


@functools.cache
def find_controllers() -> Controllers:
    """Where cgroups can be made, found by making one; looked for once in a process."""
    own = _own_cgroups(Path("/proc/self/cgroup").read_text("utf-8"))
    mounts = _cgroup_mounts(Path("/proc/self/mountinfo").read_text("utf-8"))
    unified = _first_that_works(mounts.get(""), own.get(""), ("memory.max", "pids.max", "cgroup.procs"))
    if unified:
        return Controllers(2, {"memory": unified, "pids": unified})
    parents = {}
    for controller, needed in (("memory", "memory.limit_in_bytes"), ("pids", "pids.max")):
        if works := _first_that_works(mounts.get(controller), own.get(controller), (needed, "cgroup.procs")):
            parents[controller] = works
    return Controllers(1, parents)


def _own_cgroups(text: str) -> dict[str, str]:
    """From /proc/self/cgroup: path by controller, the unified hierarchy under ''."""
    found = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _cgroup_mounts(text: str) -> dict[str, tuple[str, str]]:
    """From /proc/self/mountinfo: (mount point, what of the hierarchy is its root) by controller, '' for unified."""
    found: dict[str, tuple[str, str]] = {}
    for line in text.splitlines():
        fields, _, kind = line.partition(" - ")
        root, point = fields.split()[3:5]
        type_, _, options = kind.split(" ", 2)
        if type_ == "cgroup2":
            found.setdefault("", (point, root))
        elif type_ == "cgroup":
            for option in options.split(","):
                found.setdefault(option, (point, root))
    return found


def _first_that_works(mount: tuple[str, str] | None, own: str | None, needed: Iterable[str]) -> str | None:
    if mount is None or own is None:
        return None
    point, root = mount
    inner = own[len(root) :] if own.startswith(root) and root != "/" else own
    start = Path(point) / inner.lstrip("/")
    for candidate in (start, *start.parents):
        if not candidate.is_relative_to(point):
            break
        if _can_hold(candidate, needed):
            return str(candidate / PARENT)
    return None


def _can_hold(candidate: Path, needed: Iterable[str]) -> bool:
    """Whether cgroups with the `needed` files can be made and filled in candidate/practicum."""
    parent = candidate / PARENT
    trial = parent / f"trial-{os.getpid()}"
    works, made = False, not parent.exists()
    try:
        parent.mkdir(exist_ok=True)
        if made:
            parent.chmod(0o755)  # whatever the umask: keepers read their counters as the learner
        _delegate(candidate)
        _delegate(parent)
        trial.mkdir()
        works = all(os.access(trial / name, os.W_OK) for name in needed)
    except OSError:
        pass  # read-only, not ours, or not delegated to us: the next ancestor may do
    with contextlib.suppress(OSError):
        trial.rmdir()
    if made and not works:
        with contextlib.suppress(OSError):
            parent.rmdir()
    return works


def _delegate(directory: Path) -> None:
    """Let children of a cgroup v2 have the controllers; v1 has no such file, and some parents refuse: then trying tells."""
    with contextlib.suppress(OSError):
        (directory / "cgroup.subtree_control").write_text("+memory +pids", "ascii")


def sweep() -> int:
    """Remove the cgroups of keepers that are gone; returns how many. One that still holds processes stays."""
    removed = 0
    for parent in {Path(path) for path in find_controllers().parents.values()}:
        for directory in parent.glob("*-*") if parent.is_dir() else ():
            pid, _, started = directory.name.partition("-")
            if not pid.isdigit() or not started.isdigit() or is_running(int(pid), int(started)):
                continue
            with contextlib.suppress(OSError):
                directory.rmdir()
                removed += 1
    return removed

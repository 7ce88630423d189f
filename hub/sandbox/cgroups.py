"""Where on this machine cgroups can be made, found out by making one, and the leftovers of keepers that are gone.

A cgroup is named after its keeper (pid and start time), so that leftovers of crashed keepers can be told from live ones.
Its parent is a directory `practicum` in this process's own cgroup or, where that cannot hold the controllers (a cgroup
v2 with processes cannot), in the nearest ancestor that can.
"""

import contextlib
import functools
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.sandbox.processes import is_running

PARENT = "practicum"

_OLD_HIERARCHIES = {
    "memory": "memory.limit_in_bytes",
    "pids": "pids.max",
    "cpu": "cpu.cfs_quota_us",
    "cpuset": "cpuset.cpus",
}
"""cgroup v1 mounts each by itself; a controller without its file is of no use here (a kernel without CPU bandwidth)."""

_UNIFIED_NEEDED = {"memory": "memory.max", "pids": "pids.max"}
_UNIFIED_WANTED = {"cpu": "cpu.max", "cpuset": "cpuset.cpus"}
"""In cgroup v2 all lie in one directory; service managers hand on the first two more often than the others."""


@dataclass(frozen=True, slots=True)
class Controllers:
    """Directories in which cgroups can be made, by controller; `version` is 2 for the unified hierarchy."""

    version: int
    parents: Mapping[str, str]


@functools.cache
def find_controllers() -> Controllers:
    """Where cgroups can be made, found by making one; looked for once in a process."""
    own = own_cgroups(Path("/proc/self/cgroup").read_text("utf-8"))
    mounts = cgroup_mounts(Path("/proc/self/mountinfo").read_text("utf-8"))
    found = _unified(mounts.get(""), own.get("")) or _old(mounts, own)
    if "cpu" in found.parents:
        _weigh(Path(found.parents["cpu"]))
    return found


def _unified(mount: tuple[str, str] | None, own: str | None) -> Controllers | None:
    needed = (*_UNIFIED_NEEDED.values(), "cgroup.procs")
    place = _first_that_works(mount, own, needed, _UNIFIED_WANTED.values())
    if place is None:
        return None
    parent, files = place
    controllers = _UNIFIED_NEEDED | _UNIFIED_WANTED
    return Controllers(2, {name: parent for name, file in controllers.items() if file in files})


def _old(mounts: Mapping[str, tuple[str, str]], own: Mapping[str, str]) -> Controllers:
    parents = {}
    for controller, file in _OLD_HIERARCHIES.items():
        if place := _first_that_works(mounts.get(controller), own.get(controller), (file, "cgroup.procs")):
            parents[controller] = place[0]
    return Controllers(1, parents)


def _weigh(parent: Path) -> None:
    """Let all sandboxes together weigh as much as their CPUs: in cgroup v1 they would weigh as one process of the host."""
    cpus = os.cpu_count() or 1
    for name, weight in (("cpu.shares", min(262_144, 1024 * cpus)), ("cpu.weight", min(10_000, 100 * cpus))):
        with contextlib.suppress(OSError):  # one of the two is not there
            write_value(parent / name, str(weight))


def own_cgroups(text: str) -> dict[str, str]:
    """From /proc/self/cgroup: path by controller, the unified hierarchy under ''."""
    found = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        found.update(dict.fromkeys(controllers.split(","), path))
    return found


def cgroup_mounts(text: str) -> dict[str, tuple[str, str]]:
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


def _first_that_works(
    mount: tuple[str, str] | None, own: str | None, needed: Iterable[str], wanted: Iterable[str] = ()
) -> tuple[str, frozenset[str]] | None:
    """The nearest place for cgroups that have the `needed` files, and which of these and the `wanted` ones they have."""
    if mount is None or own is None:
        return None
    point, root = mount
    inner = own[len(root) :] if own.startswith(root) and root != "/" else own
    start = Path(point) / inner.lstrip("/")
    for candidate in (start, *start.parents):
        if not candidate.is_relative_to(point):
            break
        files = _files_of_a_trial(candidate, frozenset((*needed, *wanted)))
        if files >= set(needed):
            return str(candidate / PARENT), files
        _remove_if_empty(candidate / PARENT)
    return None


def _files_of_a_trial(candidate: Path, names: frozenset[str]) -> frozenset[str]:
    """Which of the files of `names` a cgroup made in candidate/practicum has and lets us write; none if none can be made."""
    parent = candidate / PARENT
    trial = parent / f"trial-{os.getpid()}"
    found: frozenset[str] = frozenset()
    try:
        made = not parent.exists()
        parent.mkdir(exist_ok=True)
        if made:
            parent.chmod(0o755)  # whatever the umask: keepers read their counters as the learner
        _delegate(candidate)
        _delegate(parent)
        _hand_down_cpuset(candidate, parent)
        trial.mkdir()
        found = frozenset(name for name in names if os.access(trial / name, os.W_OK))
    except OSError:
        pass  # read-only, not ours, or not delegated to us: the next ancestor may do
    _remove_if_empty(trial)
    return found


def _remove_if_empty(cgroup: Path) -> None:
    with contextlib.suppress(OSError):
        cgroup.rmdir()


def _delegate(directory: Path) -> None:
    """Let children of a cgroup v2 have the controllers; v1 has no such file, and some parents refuse: then trying tells."""
    if not (directory / "cgroup.subtree_control").exists():
        return
    for controller in (*_UNIFIED_NEEDED, *_UNIFIED_WANTED):
        with contextlib.suppress(
            OSError
        ):  # each by itself: one that is missing would keep the others from being handed on
            write_value(directory / "cgroup.subtree_control", f"+{controller}")


def _hand_down_cpuset(candidate: Path, parent: Path) -> None:
    """A cpuset of cgroup v1 is born empty and holds nothing until it is told its CPUs and memory nodes, as is its child."""
    for name in ("cpuset.mems", "cpuset.cpus"):
        if not (parent / "cpuset.sched_load_balance").exists():  # only v1 has it
            return
        wanted = read_value(candidate / name)
        if read_value(parent / name) != wanted:
            write_value(parent / name, wanted)


def read_value(path: Path) -> str:
    """What stands in a cgroup's file, without the line's end."""
    return path.read_text("ascii").strip()


def write_value(path: Path, value: str) -> None:
    """Write it into a cgroup's file. Raises `OSError`."""
    # Not write_text: a file of a cgroup is neither made nor truncated, and a missing one must be told from a refusing one.
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode("ascii"))
    finally:
        os.close(fd)


def sweep() -> int:
    """Remove the cgroups of keepers that are gone; returns how many. One that still holds processes stays."""
    removed = 0
    gone: dict[str, bool] = {}
    for parent in {Path(path) for path in find_controllers().parents.values()}:
        for directory in parent.glob("*-*") if parent.is_dir() else ():
            name = directory.name
            if name not in gone:
                gone[name] = _keeper_is_gone(name)
            if gone[name]:
                with contextlib.suppress(OSError):
                    directory.rmdir()
                    removed += 1
    return removed


def _keeper_is_gone(name: str) -> bool:
    pid, _, started = name.partition("-")
    return pid.isdigit() and started.isdigit() and not is_running(int(pid), int(started))

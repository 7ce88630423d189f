"""From a spec to bubblewrap's arguments: pure, so that what a sandbox sees can be read in a test.

Run by root, bubblewrap makes no user namespace (one would show homes as owned by 65534) and the sandbox's init gives
root up; run by anybody else it makes one, and a second inside that can make no more.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from hub.sandbox import descriptors
from hub.sandbox.errors import SpecError
from hub.sandbox.spec import INIT_PATH, Link, Mount, SandboxSpec, TextFile, is_beneath

HOST_NAME = "practicum"
_RUN_MIB = 16
"""/run/user holds sockets and pid files of one server."""

_KEPT_CAPABILITIES = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")
"""What init needs, until it has become the learner and emptied its bounding set."""

WORLDWIDE_PROC_FILES = ("/proc/kallsyms", "/proc/keys", "/proc/sched_debug", "/proc/timer_list")
"""Files of /proc that tell about the whole machine or, as an ordinary user, about the starter's keys."""

_MIB = 1024 * 1024

_TMP, _SHARED_MEMORY = "/tmp", "/dev/shm"  # noqa: S108 -- the sandbox's own, made here


def bubblewrap_arguments(
    spec: SandboxSpec, *, privileged: bool, init_file: str, proc_files: tuple[str, ...] = ()
) -> list[str]:
    """Options for `bwrap`, for its `--args`; the command that follows is `init_command`.

    `privileged`: bubblewrap will run as root. `init_file`: the init on this machine. `proc_files`: those of
    `WORLDWIDE_PROC_FILES` that this kernel has. Raises `SpecError` if root would run the program as itself, or
    somebody else as another user.
    """
    if privileged and spec.user is None:
        raise SpecError(where="user", reason="a sandbox started by root needs a user to become")
    if not privileged and spec.user is not None:
        raise SpecError(where="user", reason="only root can start a sandbox as another user")
    return [
        *_namespaces(privileged),
        *_kernel_file_systems(spec.limits.tmp_mib, proc_files),
        *("--perms", "0755", "--dir", str(PurePosixPath(INIT_PATH).parent), "--ro-bind", init_file, INIT_PATH),
        *_files_seen(spec),
        *(part for mask in sorted(spec.masks) for part in ("--remount-ro", mask)),
        # What is left of the two tmpfs belongs to the learner where there is a user namespace, and has no size.
        *("--remount-ro", "/dev", "--remount-ro", "/"),
    ]


def init_command(python: str) -> list[str]:
    """The command that bubblewrap runs inside; `python` lies there at the same path as outside."""
    return [python, "-I", "-S", "-X", "utf8", INIT_PATH]


def _namespaces(privileged: bool) -> Iterator[str]:
    if privileged:
        yield from ("--cap-drop", "ALL")
        for capability in _KEPT_CAPABILITIES:
            yield from ("--cap-add", capability)
    else:
        yield from ("--unshare-user", "--disable-userns")
    yield from ("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try")
    yield from ("--hostname", HOST_NAME, "--new-session", "--as-pid-1")
    yield from ("--info-fd", str(descriptors.INFO), "--block-fd", str(descriptors.BLOCK))
    yield from ("--seccomp", str(descriptors.SECCOMP))


def _kernel_file_systems(tmp_mib: int, proc_files: tuple[str, ...]) -> Iterator[str]:
    yield from ("--proc", "/proc")
    for path in proc_files:
        yield from ("--ro-bind", "/dev/null", path)
    yield from ("--dev", "/dev")
    yield from ("--perms", "1777", "--size", str(tmp_mib * _MIB), "--tmpfs", _SHARED_MEMORY)
    yield from ("--perms", "1777", "--size", str(tmp_mib * _MIB), "--tmpfs", _TMP)
    # Short, for the socket paths of kernels: more than about 100 characters are refused by the kernel.
    yield from ("--perms", "0755", "--dir", "/run")
    yield from ("--perms", "1777", "--size", str(_RUN_MIB * _MIB), "--tmpfs", "/run/user")


def _files_seen(spec: SandboxSpec) -> Iterator[str]:
    """Mounts, links, files and masks, parents first: a mount hides what was put beneath it before."""
    text_fds = {each.target: descriptors.FIRST_TEXT + index for index, each in enumerate(spec.files)}
    things: list[Mount | Link | TextFile | str] = [*spec.all_mounts(), *spec.links, *spec.files, *spec.masks]
    made = {"/", "/proc", "/dev", _SHARED_MEMORY, _TMP, "/run", "/run/user"}
    mounted: list[str] = []
    for thing in sorted(things, key=lambda each: PurePosixPath(_target(each)).parts):
        target = _target(thing)
        for parent in reversed(PurePosixPath(target).parents):
            path = str(parent)
            if path not in made and not any(path == each or is_beneath(path, each) for each in mounted):
                # Implicit parents come out 0700 and would lock the learner out.
                yield from ("--perms", "0755", "--dir", path)
                made.add(path)
        yield from _operation(thing, text_fds)
        if not isinstance(thing, Link | TextFile):
            mounted.append(target)


def _operation(thing: Mount | Link | TextFile | str, text_fds: dict[str, int]) -> tuple[str, ...]:
    if isinstance(thing, Mount):
        return ("--bind" if thing.writable else "--ro-bind", thing.source, thing.target)
    if isinstance(thing, Link):
        return ("--symlink", thing.points_to, thing.target)
    if isinstance(thing, TextFile):
        return ("--perms", "0644", "--file", str(text_fds[thing.target]), thing.target)
    return ("--perms", "0555", "--size", "4096", "--tmpfs", thing)


def _target(thing: Mount | Link | TextFile | str) -> str:
    return thing if isinstance(thing, str) else thing.target

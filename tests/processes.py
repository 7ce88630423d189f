"""What runs for one state directory, read from /proc and from nothing that the centre itself keeps."""

from dataclasses import dataclass
from pathlib import Path

import psutil

_MARK = b"PRACTICUM_PROCESS="


@dataclass(frozen=True)
class ServerProcesses:
    """The processes outside and at the top of one learner's sandbox, and the port its keeper listens on."""

    keeper: int
    bubblewrap: int
    init: int
    port: int


def parts(state_dir: Path) -> dict[str, list[int]]:
    """The supervised processes by name; more than one pid under a name means one too many."""
    found: dict[str, list[int]] = {}
    marked = {pid: name for pid in _pids() if (name := _part_name(pid, state_dir))}
    for pid, name in marked.items():
        # Between fork and exec a child still looks like its parent.
        if _parent(pid) not in marked:
            found.setdefault(name, []).append(pid)
    return found


def keepers(state_dir: Path) -> list[tuple[int, str]]:
    """Pid and person of every keeper. It shows whose it is by the log it writes."""
    found = [(pid, _link(pid, "fd/2")) for pid in _pids() if b"keeper.py" in _read(pid, "cmdline")]
    return [(pid, log.stem) for pid, log in found if log is not None and log.is_relative_to(state_dir / "servers")]


def servers(state_dir: Path) -> dict[str, ServerProcesses]:
    """Learners' servers that run whole, by person."""
    found = {}
    for pid, name in keepers(state_dir):
        sandboxes = [(child, grandchild) for child in children(pid) for grandchild in children(child)]
        ports = _listening(pid)
        if sandboxes and ports:
            found[name] = ServerProcesses(pid, *sandboxes[0], ports[0])
    return found


def left(state_dir: Path) -> list[str]:
    """Every process that still has to do with the state directory, whoever it belongs to, as words for a failed test."""
    path = str(state_dir).encode()
    # A sandbox hides the path from what runs in it, but not from the kernel's table of its mounts.
    return [
        f"{pid} {_read(pid, 'cmdline').replace(bytes(1), b' ').decode(errors='replace')[:120]}"
        for pid in _pids()
        if any(path in _read(pid, file) for file in ("cmdline", "environ", "mountinfo"))
        or ((log := _link(pid, "fd/2")) is not None and log.is_relative_to(state_dir))
    ]


def children(pid: int) -> list[int]:
    """The processes it started that still run."""
    return [int(child) for child in _read(pid, f"task/{pid}/children").split()]


def is_running(pid: int) -> bool:
    """Whether the process has not ended; a zombie has."""
    return Path(f"/proc/{pid}").exists() and b") Z " not in _read(pid, "stat")


def _part_name(pid: int, state_dir: Path) -> str | None:
    for variable in _read(pid, "environ").split(b"\0"):
        if variable.startswith(_MARK) and variable.endswith(str(state_dir / "run").encode()):
            return variable.removeprefix(_MARK).split(b":", 1)[0].decode()
    return None


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _read(pid: int, file: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:
        return b""


def _link(pid: int, file: str) -> Path | None:
    try:
        return Path(f"/proc/{pid}/{file}").readlink()
    except OSError:
        return None


def _parent(pid: int) -> int:
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def _listening(pid: int) -> list[int]:
    try:
        return [each.laddr.port for each in psutil.Process(pid).net_connections("tcp") if each.status == "LISTEN"]
    except psutil.Error:
        return []

"""Which process a number means: a pid alone is reused, a pid with its start time in one boot is not."""

import contextlib
import ctypes
import errno
import os
import select
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_PR_SET_CHILD_SUBREAPER = 36

_Zombie = tuple[int, int]
"""pid and start time"""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process of one boot, whoever its parent is."""

    pid: int
    started_ticks: int
    """Field 22 of /proc/PID/stat: clock ticks between boot and the start of the process."""
    boot_id: str

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity | None":
        """The running process of that number; None when there is none, or only its zombie."""
        stat = _read_stat(pid)
        if stat is None or stat.state in "ZX":
            return None
        return cls(pid, stat.started_ticks, boot_id())

    def is_alive(self) -> bool:
        """Whether exactly this process still runs."""
        return ProcessIdentity.of(self.pid) == self

    def open(self) -> int | None:
        """A pidfd that means this process for ever and becomes readable when it ends; None when it has ended."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return None
        # Opened first, compared second: had the number been reused before the open, the start time tells.
        if self.is_alive():
            return handle
        os.close(handle)
        return None

    def send(self, signum: int) -> bool:
        """Signal exactly this process; False when it has ended."""
        handle = self.open()
        if handle is None:
            return False
        try:
            signal.pidfd_send_signal(handle, signum)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True

    def wait(self, timeout_s: float) -> bool:
        """Block until it has ended, at most `timeout_s`; whether it has."""
        handle = self.open()
        if handle is None:
            return True
        try:
            # poll, not select: a busy centre has file numbers over 1023.
            poller = select.poll()
            poller.register(handle, select.POLLIN)
            return bool(poller.poll(timeout_s * 1000))
        finally:
            os.close(handle)

    def end(self, grace_s: float) -> None:
        """Ask it to end, wait `grace_s`, then kill it; returns when it is gone (or after 5 s in the kernel's hands)."""
        if self.send(signal.SIGTERM) and not self.wait(grace_s):
            self.send(signal.SIGKILL)
            self.wait(5.0)


@dataclass(frozen=True, slots=True)
class _Stat:
    state: str
    parent_pid: int
    started_ticks: int


def boot_id() -> str:
    """A name of the time since this machine was last started; start times of other boots mean nothing."""
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def parent_pid(pid: int) -> int | None:
    """The pid of that process's parent; None when it has ended."""
    stat = _read_stat(pid)
    return None if stat is None else stat.parent_pid


def command_line(pid: int) -> tuple[str, ...] | None:
    """The arguments it was started with; None when it has ended or is not ours to read."""
    return _read_strings(pid, "cmdline")


def environment_value(pid: int, name: str) -> str | None:
    """One variable of the environment it was started with; None when absent, ended, or not ours to read."""
    prefix = name + "="
    for entry in _read_strings(pid, "environ") or ():
        if entry.startswith(prefix):
            return entry.removeprefix(prefix)
    return None


def all_pids() -> Iterator[int]:
    """Every process of this machine (of this pid namespace) at this moment."""
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            yield int(entry.name)


def become_subreaper() -> None:
    """Let orphans below this process become its children instead of init's, so that it can reap them."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


class OrphanReaper:
    """Collects ended processes that became our children when their own parent died.

    Children started by this process are collected by whoever started them, within moments. So a zombie is taken for
    an orphan only when it was there at two sweeps in a row; call `sweep` every few seconds.
    """

    def __init__(self) -> None:
        self._seen: set[_Zombie] = set()

    def sweep(self) -> int:
        """How many were collected now."""
        zombies = set(_own_zombies())
        collected = 0
        for pid, _started in zombies & self._seen:
            with contextlib.suppress(ChildProcessError):
                collected += os.waitpid(pid, os.WNOHANG)[0] != 0
        self._seen = zombies
        return collected


def _own_zombies() -> Iterator[_Zombie]:
    own = os.getpid()
    for pid in all_pids():
        stat = _read_stat(pid)
        if stat is not None and stat.state == "Z" and stat.parent_pid == own:
            yield pid, stat.started_ticks


def wait_all(identities: list[ProcessIdentity], timeout_s: float) -> list[ProcessIdentity]:
    """Those that still run after at most `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    return [each for each in identities if not each.wait(max(0.0, deadline - time.monotonic()))]


def _read_stat(pid: int) -> _Stat | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in brackets, and a name may hold brackets and spaces itself.
    fields = text.rpartition(")")[2].split()
    return _Stat(state=fields[0], parent_pid=int(fields[1]), started_ticks=int(fields[19]))


def _read_strings(pid: int, name: str) -> tuple[str, ...] | None:
    try:
        data = (_PROC / str(pid) / name).read_bytes()
    except OSError as exc:
        if exc.errno in {errno.ENOENT, errno.ESRCH, errno.EACCES, errno.EPERM}:
            return None
        raise
    return tuple(os.fsdecode(part) for part in data.removesuffix(b"\0").split(b"\0"))

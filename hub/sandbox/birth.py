"""Starts bubblewrap for the keeper: hands over descriptors, puts the sandbox into its cgroups, waits until it runs."""

# ruff: noqa: PTH101, PTH102, PTH106, PTH123 -- pathlib would cost every learner's keeper most of a megabyte

import array
import base64
import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import time
from typing import Any

from hub.sandbox import descriptors
from hub.sandbox.processes import start_time

START_TIMEOUT_S = 20.0
"""A start takes tens of milliseconds; this is for a machine on which a whole class starts at once."""

_END_TIMEOUT_S = 5.0

_MOST_DESCRIPTORS = 64


class BirthError(Exception):
    """The sandbox did not come up; the text is bubblewrap's, the init's or the kernel's."""


class Sandbox:
    """A running sandbox as its keeper holds it."""

    def __init__(self) -> None:
        self.cgroups: list[str] = []
        self.bubblewrap_pid = 0
        self.pid = 0
        self.started = 0
        self.pidfd = -1
        self.control, self._control_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.output, self._output_end = os.pipe()

    def start(self, order: dict[str, Any]) -> list[socket.socket]:
        """Start it and wait until the program runs; returns the listening sockets inside, one for each way out.

        Raises `BirthError`, and `OSError` where this process itself was refused something; `abandon` tidies up then.
        """
        info, info_end = os.pipe()
        block, block_end = os.pipe()
        arguments = "".join(f"{each}\0" for each in order["arguments"])
        handed = [
            (_memory_file(base64.b64decode(order["seccomp"])), descriptors.SECCOMP),
            (_memory_file(arguments.encode()), descriptors.ARGUMENTS),
            (info_end, descriptors.INFO),
            (block, descriptors.BLOCK),
            (self._control_end.detach(), descriptors.CONTROL),
            (_memory_file(json.dumps(order["errand"]).encode()), descriptors.ERRAND),
        ]
        texts = [_memory_file(text.encode()) for text in order["texts"]]
        handed += [(fd, descriptors.FIRST_TEXT + index) for index, fd in enumerate(texts)]
        self._spawn([order["bubblewrap"], "--args", str(descriptors.ARGUMENTS), "--", *order["command"]], handed)
        try:
            self._learn_pid(info)
            if order["affinity"]:
                # From outside and before anything runs: the filter inside refuses it to the init as to everybody.
                os.sched_setaffinity(self.pid, order["affinity"])
            for cgroup in order["cgroups"]:
                self._join(cgroup)
        except ProcessLookupError as exc:
            raise BirthError(self._words()) from exc  # it ended while it was building itself
        os.write(block_end, b"1")
        for fd in (info, block_end):
            os.close(fd)
        return self._await_started()

    def _spawn(self, command: list[str], handed: list[tuple[int, int]]) -> None:
        # Moved out of the way first: a number given out could be one that is still to be given out.
        moved = [(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, descriptors.MOVED_FROM), number) for fd, number in handed]
        actions: list[Any] = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, self._output_end, 1),
            (os.POSIX_SPAWN_DUP2, self._output_end, 2),
            *((os.POSIX_SPAWN_DUP2, fd, number) for fd, number in moved),
        ]
        self.bubblewrap_pid = os.posix_spawn(
            command[0],
            command,
            {},  # what is in here could be read by everybody inside, in the init's environment
            file_actions=actions,
            setsigmask=[],
            setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
        )
        for fd, _ in (*handed, *moved, (self._output_end, 1)):
            os.close(fd)

    def _learn_pid(self, info: int) -> None:
        """Read the sandbox's pid while bubblewrap still holds it back, so that it joins its cgroups before it runs anything."""
        text = b""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not text.rstrip().endswith(b"}"):
            chunk = os.read(info, 4096) if _readable(info, deadline - time.monotonic()) else b""
            if not chunk:
                raise BirthError(self._words())
            text += chunk
        self.pid = json.loads(text)["child-pid"]
        self.pidfd = os.pidfd_open(self.pid)
        # Now, while it is held back: a program that ends at once has no start time any more when the starter is told.
        started = start_time(self.pid)
        if started is None:
            raise ProcessLookupError
        self.started = started

    def _join(self, cgroup: dict[str, Any]) -> None:
        directory = f"{cgroup['parent']}/{os.getpid()}-{start_time(os.getpid())}"
        os.mkdir(directory)
        os.chmod(directory, 0o755)  # noqa: S103 -- whatever the umask: the keeper reads its counters as the learner
        self.cgroups.append(directory)
        for name, value in (*cgroup["values"].items(), ("cgroup.procs", str(self.pid))):
            try:
                with open(f"{directory}/{name}", "w", encoding="ascii") as file:
                    file.write(value)
            except FileNotFoundError:
                if "sw" not in name:  # kernels without accounting of swap have neither of its two files
                    raise

    def _await_started(self) -> list[socket.socket]:
        ways: list[socket.socket] = []
        deadline = time.monotonic() + START_TIMEOUT_S
        while _readable(self.control.fileno(), deadline - time.monotonic()):
            message, sockets = self.receive()
            if message == b"ways":
                ways = sockets
            elif message == b"started":
                return ways
            elif message.startswith(b"failed "):
                raise BirthError(message[7:].decode("utf-8", "replace"))
            elif not message:
                raise BirthError(self._words())
        raise BirthError("it took too long.")

    def receive(self) -> tuple[bytes, list[socket.socket]]:
        """One message from the init and the TCP sockets with it; b"" when it is gone. Other descriptors are closed.

        The init runs as the learner: were it ever taken over, it could still send nothing but sockets of its own.
        """
        size = array.array("i").itemsize
        try:
            message, extra, _, _ = self.control.recvmsg(4096 + 7, socket.CMSG_SPACE(_MOST_DESCRIPTORS * size))
        except ConnectionError:
            return b"", []
        numbers = array.array("i")
        for level, kind, data in extra:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers.frombytes(data[: len(data) - len(data) % size])
        return message, [each for each in map(_tcp_socket, numbers) if each is not None]

    def terminate(self) -> None:
        """Ask the program to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End every process inside at once: the kernel does that when PID 1 of a namespace dies."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def bubblewrap_ended(self, *, wait: bool = False) -> bool:
        """Whether the process outside that watches the sandbox is gone, reaping it if so; stopped is not gone."""
        if self.bubblewrap_pid and os.waitpid(self.bubblewrap_pid, 0 if wait else os.WNOHANG)[0]:
            self.bubblewrap_pid = 0
        return not self.bubblewrap_pid

    def abandon(self) -> None:
        """End whatever came up of a sandbox that failed to start."""
        if self.pidfd >= 0:
            self.kill()
        if self.bubblewrap_pid:
            os.kill(self.bubblewrap_pid, signal.SIGKILL)  # ours, and not reaped: the pid cannot be another's
            self.bubblewrap_ended(wait=True)
        if self.pidfd >= 0:
            _readable(self.pidfd, _END_TIMEOUT_S)  # a cgroup can be removed once the last process has left it
        self.remove_cgroups()

    def memory_kills(self) -> int:
        """How many processes the kernel ended because the whole sandbox had used up its memory."""
        for directory in self.cgroups:
            for name in ("memory.events", "memory.oom_control"):
                try:
                    with open(f"{directory}/{name}", encoding="ascii") as file:
                        counts = dict(line.split() for line in file)
                except (FileNotFoundError, PermissionError):
                    continue
                return int(counts.get("oom_kill", 0))
        return 0

    def remove_cgroups(self) -> None:
        """Remove what can be removed: after root was given up, the centre's next sweep does it."""
        for directory in self.cgroups:
            try:
                os.rmdir(directory)
            except OSError:
                continue

    def _words(self) -> str:
        """What bubblewrap or the interpreter said before they ended."""
        text = ""
        if _readable(self.output, _END_TIMEOUT_S):
            text = os.read(self.output, 4096).decode("utf-8", "replace").strip()
        return text or "bubblewrap ended without a word."


def _memory_file(data: bytes) -> int:
    """A descriptor from which `data` can be read to the end; it has no name and no size limit, unlike a pipe."""
    fd = os.memfd_create("practicum", os.MFD_CLOEXEC)
    with open(os.dup(fd), "wb") as file:
        file.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _readable(fd: int, timeout_s: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(max(0.0, timeout_s) * 1000))


def _tcp_socket(fd: int) -> socket.socket | None:
    try:
        received = socket.socket(fileno=fd)
    except OSError:
        os.close(fd)
        return None
    received.set_inheritable(False)
    if (received.family, received.type, received.proto) != (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP):
        received.close()
        return None
    return received

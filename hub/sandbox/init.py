"""PID 1 of a sandbox: becomes the learner, starts the program, passes sockets out, reaps, forwards signals.

Run inside by bubblewrap as `python -I -S -X utf8 init.py`; one file, standard library only. It shares the learner's
uid, so it hides its memory and descriptors from it. Its connection to the keeper is a connected SOCK_SEQPACKET pair:
unlike a datagram socket it cannot be connected anywhere else, and only this process ever holds it.

Messages to the keeper: `ways` with a listening socket for each way out, in their order, `started`, `failed WHY`, `sockets` with fresh
unconnected TCP sockets of this network namespace, `none` when there are none to be had, `ended exit N`, `ended signal
N`. From the keeper: `sockets N`. End of file means that the keeper is gone: the program is ended.
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
from typing import Any

CONTROL_FD, ERRAND_FD = 14, 15
"""`hub.sandbox.descriptors`, which is not there inside; a test compares."""

MOST_SOCKETS_AT_ONCE = 32
_PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 4, 24, 38
_LAST_CAPABILITY_TRIED = 63
_CAPABILITY_VERSION_3 = 0x2008_0522

_libc = ctypes.CDLL(None, use_errno=True)


def hide() -> None:
    """Keep processes of the same uid out of this one's memory, environment and descriptors."""
    if _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_DUMPABLE")


def become(user: dict[str, int] | None) -> None:
    """Give up root for good: no capability can come back, no group stays. Without a user there was no root."""
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for capability in range(_LAST_CAPABILITY_TRIED + 1):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails above the kernel's last one, and without the right
    if user is not None:
        os.setgroups([])
        os.setresgid(user["gid"], user["gid"], user["gid"])
        os.setresuid(user["uid"], user["uid"], user["uid"])
        hide()  # changing the uid set it back to fs.suid_dumpable
    # The change of uid leaves the inheritable set, which bubblewrap filled.
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    if _libc.capset(header, bytes(24)) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def read_errand() -> dict[str, Any]:
    """What to run; the descriptor is closed, so that nothing started later can read it again."""
    with os.fdopen(ERRAND_FD, "rb") as file:
        errand: dict[str, Any] = json.load(file)
    return errand


def close_strangers() -> None:
    """Close every descriptor but the standard three and the keeper's: what leaked in must not reach the program."""
    os.closerange(3, CONTROL_FD)
    os.closerange(CONTROL_FD + 1, 1 << 16)


def catch_signals() -> socket.socket:
    """What becomes readable, a byte for each, when a signal arrives; from before the program starts, so that none is lost."""
    reader, writer = socket.socketpair()
    for each in (reader, writer):
        each.setblocking(False)
    signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return reader


def open_ways(control: socket.socket, ports: list[int]) -> None:
    """Make the listening sockets of the ways out in this namespace and hand them to the keeper, which alone accepts on them."""
    listeners = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in ports]
    for listener, port in zip(listeners, ports, strict=True):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    socket.send_fds(control, [b"ways"], [listener.fileno() for listener in listeners])
    for listener in listeners:
        listener.close()


def start(errand: dict[str, Any]) -> int:
    """The pid of the program once it runs; raises `OSError` with the kernel's reason if it could not be started."""
    reader, writer = os.pipe()  # closed by a successful exec
    pid = os.fork()
    if pid == 0:
        try:
            _run_program(errand)
        except OSError as exc:
            os.write(writer, f"{exc.errno or 0} {exc.filename or errand['argv'][0]}".encode())
        finally:
            os._exit(127)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        failure = pipe.read().decode("utf-8", "replace")
    if failure:
        code, _, name = failure.partition(" ")
        raise OSError(int(code), os.strerror(int(code)), name)
    return pid


def _run_program(errand: dict[str, Any]) -> None:
    signal.set_wakeup_fd(-1)
    # Python ignores these two; a program would inherit that and, say, never die of a closed pipe.
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    # Here and not in init itself: init must still be able to hand out sockets when the program has used up its share.
    for number, wanted in errand["resources"]:
        _, hard = resource.getrlimit(number)
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(number, (value, value))
    os.chdir(errand["working_dir"])
    os.execvpe(errand["argv"][0], errand["argv"], errand["environment"])  # noqa: S606


class Init:
    """The loop of PID 1, from the program's start to its end."""

    def __init__(self, control: socket.socket, wake: socket.socket, program: int, stop_grace_s: float) -> None:
        self._control = control
        self._wake = wake
        self._program = program
        self._stop_grace_s = stop_grace_s
        self._give_up_at: float | None = None
        self._poll = select.poll()

    def run(self) -> int:
        """Serve until the program ends; returns its status, as a shell would say it."""
        self._poll.register(self._wake, select.POLLIN)
        self._poll.register(self._control, select.POLLIN)
        while True:
            if (status := self._reap()) is not None:
                return status
            left_s = None if self._give_up_at is None else self._give_up_at - time.monotonic()
            if left_s is not None and left_s <= 0:
                return 128 + signal.SIGKILL  # the end of PID 1 is the end of everything here
            for fd, _ in self._poll.poll(None if left_s is None else left_s * 1000):
                if fd == self._control.fileno():
                    self._serve_keeper()
                else:
                    self._pass_on(self._wake.recv(64))

    def _pass_on(self, signals: bytes) -> None:
        for number in signals:
            if number in {signal.SIGTERM, signal.SIGINT}:
                self._signal_program(number)

    def _signal_program(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has ended and is about to be reaped
            os.kill(self._program, number)

    def _serve_keeper(self) -> None:
        try:
            message = self._control.recv(64)
        except ConnectionError:
            message = b""
        if not message:
            self._poll.unregister(self._control)
            self._signal_program(signal.SIGTERM)
            self._give_up_at = time.monotonic() + self._stop_grace_s
        elif message.startswith(b"sockets "):
            self._send_sockets(min(int(message[8:]), MOST_SOCKETS_AT_ONCE))

    def _send_sockets(self, count: int) -> None:
        fresh: list[socket.socket] = []
        try:
            fresh = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
            socket.send_fds(self._control, [b"sockets"], [each.fileno() for each in fresh])
        except OSError:
            # Out of descriptors, or too many under way (a program can hold as many as its uid may): asked again later.
            self._tell(b"none")
        finally:
            for each in fresh:
                each.close()

    def _tell(self, message: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # the loop reads the end of file next
            self._control.send(message)

    def _reap(self) -> int | None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return None
            if pid == 0:
                return None
            if pid != self._program:
                continue
            if os.WIFSIGNALED(status):
                self._tell(b"ended signal %d" % os.WTERMSIG(status))
                return 128 + os.WTERMSIG(status)
            self._tell(b"ended exit %d" % os.WEXITSTATUS(status))
            return os.WEXITSTATUS(status)


def main() -> int:
    hide()
    control = socket.socket(fileno=CONTROL_FD)
    control.set_inheritable(False)
    try:
        errand = read_errand()
        close_strangers()
        become(errand["user"])
        wake = catch_signals()
        if errand["inside_ports"]:
            open_ways(control, errand["inside_ports"])
        program = start(errand)
    except OSError as exc:
        control.send(f"failed {exc}".encode()[:4096])
        return 126
    control.send(b"started")
    return Init(control, wake, program, errand["stop_grace_s"]).run()


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # nothing of the interpreter needs tidying, and the kernel ends whatever is left in here

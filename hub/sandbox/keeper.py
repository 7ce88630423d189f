"""Outside, one per sandbox: starts it, relays for it, keeps its log, ends it. Outlives whoever started it.

Run as `python -I -S -X utf8 keeper.py` with an order (`hub.sandbox.order`) as a line of standard input; answers one JSON
line on standard output, waits for the word that the starter will find the sandbox again, and lets go of it: a starter that
dies before that leaves nothing. SIGTERM ends the sandbox gracefully, SIGUSR1 at once; SIGUSR2 only breaks every connection
that people have to it. When the keeper is killed itself, the sandbox's init sees the connection close and ends the program.
"""

# ruff: noqa: PTH123 -- pathlib would cost every learner's keeper most of a megabyte

import json
import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

# -I leaves the package's own place out as well as everybody's PYTHONPATH.
sys.path.append(__file__.rsplit("/", 3)[0])

from hub.sandbox.birth import BirthError, Sandbox
from hub.sandbox.descriptors import KEPT
from hub.sandbox.journal import Journal
from hub.sandbox.processes import start_time
from hub.sandbox.relay import Accepted, Door, Pair, Relay

_MOST_FROM_PEOPLE, _MOST_OUT = 512, 64
"""Connections at a time, out: for each way. A server needs about ten to the hub; more would use up the hub's for everybody."""

_POOL = 16
_ASK_BELOW = 8
"""Sockets made inside are asked for ahead, so that a connection does not wait for the init."""

_RETRY_S = 0.1


class Keeper:
    """The loop, from the sandbox's start to its end."""

    def __init__(self, order: dict[str, Any], sandbox: Sandbox, journal: Journal) -> None:
        self._order = order
        self._sandbox = sandbox
        self._journal = journal
        self._selector = selectors.DefaultSelector()
        self._relay = Relay(self._selector)
        self._pool: list[socket.socket] = []
        self._asked = False
        self._waiting: deque[tuple[socket.socket, Callable[[], None]]] = deque()
        self._with_people: WeakSet[Pair] = WeakSet()
        self._timers: dict[Callable[[], None], float] = {}
        self._ended = False
        self._stop_asked = False
        self.outcome: dict[str, Any] = {"exit_status": None, "signal": None}

    def serve(self, ways: list[socket.socket], listener: socket.socket | None, signals: socket.socket) -> None:
        """Relay, log and wait until the sandbox has ended."""
        watched: list[tuple[Any, Callable[[int], None]]] = [
            (self._sandbox.pidfd, self._sandbox_ended),
            (self._sandbox.control, self._init_spoke),
            (signals, lambda _: self._signalled(signals)),
        ]
        for each, handler in watched:
            self._selector.register(each, selectors.EVENT_READ, handler)
        os.set_blocking(self._sandbox.output, False)
        self._listen_to_output()
        for way, (host, port) in zip(ways, self._order["ways"], strict=True):
            Door(self._selector, way, _MOST_OUT, self._outwards(host, port))
        if listener is not None:
            Door(self._selector, listener, _MOST_FROM_PEOPLE, self._to_server)
            self._ask_for_sockets()
        while not self._ended:
            for key, events in self._selector.select(self._until_next_timer()):
                key.data(events)
            self._run_timers()
        self._finish()

    def _until_next_timer(self) -> float | None:
        return max(0.0, min(self._timers.values()) - time.monotonic()) if self._timers else None

    def _run_timers(self) -> None:
        now = time.monotonic()
        for action in [each for each, due in self._timers.items() if due <= now]:
            del self._timers[action]
            action()

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._timers[action] = time.monotonic() + seconds

    # The program's output

    def _listen_to_output(self) -> None:
        self._selector.register(self._sandbox.output, selectors.EVENT_READ, self._output)

    def _output(self, _events: int) -> None:
        if self._journal.copy(self._sandbox.output) == 0:
            self._selector.unregister(self._sandbox.output)
        elif self._journal.flooded():
            self._selector.unregister(self._sandbox.output)
            self._after(1.0, self._listen_to_output)

    # Connections

    def _outwards(self, host: str, port: int) -> Accepted:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def connect(connection: socket.socket, on_end: Callable[[], None]) -> None:
            try:
                outside = socket.socket(family, socket.SOCK_STREAM)
            except OSError:
                connection.close()
                on_end()
                return
            self._relay.connect(connection, outside, (host, port), on_end)

        return connect

    def _to_server(self, connection: socket.socket, on_end: Callable[[], None]) -> None:
        self._waiting.append((connection, on_end))
        self._match()

    def _match(self) -> None:
        while self._waiting and self._pool:
            connection, on_end = self._waiting.popleft()
            address = ("127.0.0.1", self._order["inside_server_port"])
            self._with_people.add(self._relay.connect(connection, self._pool.pop(), address, on_end))
        if len(self._pool) < _ASK_BELOW:
            self._ask_for_sockets()

    def _ask_for_sockets(self) -> None:
        if self._asked:
            return
        try:
            self._sandbox.control.send(b"sockets %d" % (_POOL - len(self._pool)), socket.MSG_DONTWAIT)
            self._asked = True
        except BlockingIOError:
            self._after(_RETRY_S, self._ask_for_sockets)
        except ConnectionError:
            pass  # the init is ending, and with it everything else

    def _init_spoke(self, _events: int) -> None:
        message, sockets = self._sandbox.receive()
        if message == b"sockets":
            self._asked = False
            self._pool += sockets[: _POOL - len(self._pool)]
            self._match()
            return
        for each in sockets:
            each.close()
        if message == b"none":
            self._asked = False
            self._after(_RETRY_S, self._ask_for_sockets)
        elif message.startswith(b"ended exit "):
            self.outcome["exit_status"] = int(message[11:])
        elif message.startswith(b"ended signal "):
            self.outcome["signal"] = int(message[13:])
        elif not message:
            self._selector.unregister(self._sandbox.control)

    # The end

    def _signalled(self, signals: socket.socket) -> None:
        for number in signals.recv(64):
            if number == signal.SIGTERM and not self._stop_asked:
                self._stop_asked = True
                self._journal.say("asked to end the program")
                self._sandbox.terminate()
                self._after(self._order["stop_grace_s"], self._sandbox.kill)
            elif number == signal.SIGUSR1:
                self._stop_asked = True
                self._sandbox.kill()
            elif number == signal.SIGUSR2:
                for pair in list(self._with_people):
                    pair.abort()
            elif number == signal.SIGCHLD and self._sandbox.bubblewrap_ended():
                self._sandbox.kill()  # normally it ends after the sandbox; somebody killed it alone

    def _sandbox_ended(self, _events: int) -> None:
        self._ended = True

    def _finish(self) -> None:
        # What was said last lies in the two pipes still.
        if self._sandbox.control in self._selector.get_map():
            self._sandbox.control.setblocking(False)
            self._drain_control()
        self._sandbox.bubblewrap_ended(wait=True)
        while self._journal.copy(self._sandbox.output):
            pass
        kills = self._sandbox.memory_kills()
        self.outcome |= {"memory_kills": kills, "stop_asked": self._stop_asked}
        if kills:
            self._journal.say(f"the kernel ended {kills} of its processes because its memory was used up")
        self._journal.say(f"ended: {json.dumps(self.outcome)}")
        self._sandbox.remove_cgroups()

    def _drain_control(self) -> None:
        try:
            while self._sandbox.control in self._selector.get_map():
                self._init_spoke(0)
        except BlockingIOError:
            pass


def detach() -> None:
    """Leave the starter's process group and family: it need not reap this process, and its end does not reach here."""
    if os.fork() != 0:
        os._exit(0)
    os.setsid()
    os.chdir("/")
    os.umask(0o077)


def become(user: dict[str, int] | None) -> None:
    """From here on the relay handles what the learner sends, so it has no more rights than the learner."""
    if user is not None:
        os.setgroups([])
        os.setresgid(user["gid"], user["gid"], user["gid"])
        os.setresuid(user["uid"], user["uid"], user["uid"])


def catch_signals() -> socket.socket:
    """What becomes readable when a signal arrives."""
    reader, writer = socket.socketpair()
    for each in (reader, writer):
        each.setblocking(False)
    signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a Ctrl-C or a closed terminal is meant for the centre
    return reader


def raise_descriptor_limit() -> None:
    """Two descriptors a connection; some machines still begin at 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def answer(reply: dict[str, Any]) -> None:
    """Tell the starter."""
    os.write(1, json.dumps(reply).encode() + b"\n")


def await_kept(running: dict[str, Any]) -> None:
    """Tell the starter the facts and wait until it has made sure that it will find them again.

    Raises `BrokenPipeError` when it is gone, before the answer or after it.
    """
    answer({"running": running})
    if sys.stdin.buffer.readline() != KEPT:
        raise BrokenPipeError


def let_go() -> None:
    """Of the starter's pipes."""
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    os.close(null)


def facts(order: dict[str, Any], sandbox: Sandbox, listener: socket.socket | None) -> dict[str, Any]:
    """`hub.sandbox.running.RunningSandbox`, as JSON."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot_id = file.read().strip()
    return {
        "boot_id": boot_id,
        "keeper_pid": os.getpid(),
        "keeper_started": start_time(os.getpid()),
        "sandbox_pid": sandbox.pid,
        "sandbox_started": sandbox.started,
        "host_port": listener.getsockname()[1] if listener else None,
        "cgroups": sandbox.cgroups,
        "held_limits": order["held_limits"],
        "log_file": order["log_file"],
        "outcome_file": order["outcome_file"],
    }


def main() -> int:
    order = json.loads(sys.stdin.buffer.readline())
    detach()
    raise_descriptor_limit()
    signals = catch_signals()
    journal: Journal | None = None
    sandbox = Sandbox()
    outcome_fd: int | None = None
    try:
        journal = Journal(order["log_file"], order["log_bytes"])
        # From before the starter knows of this keeper: by this descriptor a supervisor finds whose keepers run.
        os.dup2(journal.fd, 2)
        if order["outcome_file"]:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            outcome_fd = os.open(order["outcome_file"], flags, 0o600)
        listener = None
        if order["inside_server_port"] is not None:
            listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        ways = sandbox.start(order)
        await_kept(facts(order, sandbox, listener))
        become(order["user"])
        del order["errand"]  # the program's secrets are not needed any more
        let_go()
    except BrokenPipeError:
        sandbox.abandon()  # the starter is gone, so nobody would ever know of this sandbox
        return 1
    except (OSError, BirthError) as exc:
        sandbox.abandon()
        answer({"failed": str(exc)})
        return 1
    keeper = Keeper(order, sandbox, journal)
    keeper.serve(ways, listener, signals)
    if outcome_fd is not None:
        os.write(outcome_fd, json.dumps(keeper.outcome).encode() + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

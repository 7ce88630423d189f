"""The two ways through a sandbox's network, with real servers on both sides, and the way out that must not exist."""

import contextlib
import hashlib
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hub.sandbox.birth import Sandbox
from hub.sandbox.spec import Network, Way
from tests.hub.sandbox.conftest import AS_ROOT, Box, Boxes, eventually

HUB_PORT_INSIDE, SERVER_PORT = 8081, 8888
TEN_MB = 10_000_000

ECHO = f"""
import socket, threading
def serve(connection):
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)
server = socket.create_server(('127.0.0.1', {SERVER_PORT}), backlog=128)
print('ready', flush=True)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],)).start()
"""


class Hub:
    """A server on this machine that echoes, or does what a test puts in its place; remembers how connections ended."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self.listener.getsockname()[1]
        self.broken = 0
        self.accepted = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
            except ConnectionResetError:
                self.broken += 1


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub()
    yield made
    made.listener.close()


def network(hub: Hub) -> Network:
    return Network((Way(HUB_PORT_INSIDE, ("127.0.0.1", hub.port)),), SERVER_PORT)


def served(boxes: Boxes, hub: Hub, code: str = ECHO) -> Box:
    box = boxes.python(code, network=network(hub))
    eventually(lambda: "ready" in box.output())
    return box


def connect(box: Box) -> socket.socket:
    assert box.running.host_port is not None
    return socket.create_connection(("127.0.0.1", box.running.host_port), timeout=20)


def exchange(connection: socket.socket, data: bytes) -> bytes:
    """What comes back for `data`, which is sent to its end while the answer is read."""

    def send() -> None:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)

    sending = threading.Thread(target=send)
    sending.start()
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    sending.join()
    return b"".join(parts)


def test_ten_megabytes_pass_unchanged_both_ways_from_outside(boxes: Boxes, hub: Hub) -> None:
    data = os.urandom(TEN_MB)
    with connect(served(boxes, hub)) as connection:
        assert exchange(connection, data) == data


def test_ten_megabytes_pass_unchanged_both_ways_from_inside(boxes: Boxes, hub: Hub) -> None:
    code = f"""
import hashlib, os, socket, threading
data = os.urandom({TEN_MB})
connection = socket.create_connection(('127.0.0.1', {HUB_PORT_INSIDE}))
def send():
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
digest, count = hashlib.sha256(), 0
while part := connection.recv(65536):
    digest.update(part)
    count += len(part)
print(count, digest.digest() == hashlib.sha256(data).digest())
"""
    box = boxes.python(code, network=network(hub))
    box.wait_end(30)
    assert box.output() == f"{TEN_MB} True"


def test_fifty_at_once_each_get_their_own(boxes: Boxes, hub: Hub) -> None:
    box = served(boxes, hub)

    def one(number: int) -> bool:
        data = hashlib.sha256(str(number).encode()).digest() * 10_000
        with connect(box) as connection:
            return exchange(connection, data) == data

    with ThreadPoolExecutor(50) as pool:
        assert all(pool.map(one, range(50)))


def test_more_than_the_most_wait_and_are_served_when_others_leave(boxes: Boxes, hub: Hub) -> None:
    code = f"""
import select, socket, time
held = [socket.create_connection(('127.0.0.1', {HUB_PORT_INSIDE})) for _ in range(70)]
for each in held:
    each.sendall(b'x')
def answered():
    time.sleep(0.5)
    return sum(len(each.recv(1)) for each in select.select(held, [], [], 0)[0])
first = answered()
for each in held[:20]: each.close()
held = held[20:]
print(first, answered())
"""
    box = boxes.python(code, network=network(hub))
    box.wait_end(30)
    assert box.output() == "64 6"


def test_a_half_closed_connection_still_carries_the_answer(boxes: Boxes, hub: Hub) -> None:
    code = f"""
import socket
server = socket.create_server(('127.0.0.1', {SERVER_PORT}))
print('ready', flush=True)
connection, _ = server.accept()
said = b''
while part := connection.recv(100): said += part
connection.sendall(b'after your end: ' + said)
connection.close()
"""
    with connect(served(boxes, hub, code)) as connection:
        assert exchange(connection, b"request") == b"after your end: request"


def test_a_server_that_ends_first_still_hears_the_rest(boxes: Boxes, hub: Hub) -> None:
    code = f"""
import socket
server = socket.create_server(('127.0.0.1', {SERVER_PORT}))
print('ready', flush=True)
connection, _ = server.accept()
connection.sendall(b'answer')
connection.shutdown(socket.SHUT_WR)
said = b''
while part := connection.recv(100): said += part
print(said.decode())
"""
    box = served(boxes, hub, code)
    with connect(box) as connection:
        assert connection.recv(100) == b"answer"
        assert connection.recv(100) == b""
        connection.sendall(b"the rest")
    box.wait_end()
    assert box.output() == "ready\nthe rest"


def test_a_reset_passes_through_as_a_reset(boxes: Boxes, hub: Hub) -> None:
    code = f"""
import socket, struct, time
connection = socket.create_connection(('127.0.0.1', {HUB_PORT_INSIDE}))
connection.sendall(b'x')
connection.recv(1)
connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
connection.close()
time.sleep(60)
"""
    boxes.python(code, network=network(hub))
    eventually(lambda: hub.broken == 1)


def test_connections_can_be_cut_and_made_again_while_the_program_runs_on(boxes: Boxes, hub: Hub) -> None:
    box = served(boxes, hub)
    held = [connect(box) for _ in range(3)]
    for each in held:
        each.sendall(b"x")
        assert each.recv(1) == b"x"
    box.running.cut_connections()
    for each in held:
        each.settimeout(10)
        with each, pytest.raises(ConnectionResetError):
            each.recv(1)
    with connect(box) as again:
        again.sendall(b"y")
        assert again.recv(1) == b"y"
    assert box.running.is_served()


def test_each_way_out_leads_to_its_own_place(boxes: Boxes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        ways = tuple(Way(8081 + each, place.getsockname()) for each, place in enumerate((first, second)))
        code = "import socket; print([socket.create_connection(('127.0.0.1', port)).recv(9).decode() for port in (8081, 8082)])"
        box = boxes.python(code, network=Network(ways, SERVER_PORT))
        for place, word in ((first, b"first"), (second, b"second")):
            connection, _ = place.accept()
            with connection:
                connection.sendall(word)
        box.wait_end()
    assert box.output() == "['first', 'second']"


def test_nothing_listens_inside_is_a_reset_and_not_a_hang(boxes: Boxes, hub: Hub) -> None:
    box = boxes.start(boxes.spec("sleep", "60", network=network(hub)))
    # As early as while connecting, where the keeper is quicker than this process.
    with pytest.raises(ConnectionResetError), connect(box) as connection:
        connection.recv(1)


def test_a_hub_that_is_away_is_a_reset_and_its_return_is_noticed(boxes: Boxes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    code = f"""
import socket, time
while True:
    try:
        connection = socket.create_connection(('127.0.0.1', {HUB_PORT_INSIDE}))
        print(connection.recv(5), flush=True)
        break
    except ConnectionError:
        print('away', flush=True); time.sleep(0.1)
"""
    box = boxes.python(code, network=Network((Way(HUB_PORT_INSIDE, ("127.0.0.1", port)),), SERVER_PORT))
    eventually(lambda: "away" in box.output())
    with socket.create_server(("127.0.0.1", port)) as listener:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"hello")
    box.wait_end()
    assert box.output().endswith("b'hello'")


def test_a_slow_reader_slows_the_writer_and_not_the_keeper_down(boxes: Boxes, hub: Hub) -> None:
    code = f"""
import socket
server = socket.create_server(('127.0.0.1', {SERVER_PORT}))
print('ready', flush=True)
connection, _ = server.accept()
connection.settimeout(1)
sent = 0
try:
    while True: sent += connection.send(bytes(1 << 16))
except TimeoutError:
    print('stopped at', sent, flush=True)
"""
    box = served(boxes, hub, code)
    with connect(box):
        eventually(lambda: "stopped at" in box.output())
    assert int(box.output().split()[-1]) < 64 << 20
    if AS_ROOT:
        lines = (
            Path(f"/proc/{box.running.keeper_pid}/status").read_text().splitlines() if box.running.is_alive() else []
        )
        peaks = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
        assert all(peak < 40_000 for peak in peaks)


def test_abrupt_ends_leave_no_descriptor_behind(boxes: Boxes, hub: Hub) -> None:
    box = served(boxes, hub)
    descriptors = Path(f"/proc/{box.running.keeper_pid}/fd")
    if not os.access(descriptors, os.R_OK):
        pytest.skip("the keeper's descriptors can be listed by root only")
    with connect(box) as connection:
        exchange(connection, b"warm")
    before = eventually(lambda: len(list(descriptors.iterdir())))
    for number in range(60):
        connection = connect(box)
        connection.sendall(b"x" * number * 1000)
        if number % 3:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    # The pool of sockets made ahead may be between two fillings: sixteen more or less.
    eventually(lambda: len(list(descriptors.iterdir())) <= before + 16)


def test_an_accepted_socket_is_no_way_out(boxes: Boxes, hub: Hub) -> None:
    """connect(AF_UNSPEC) makes any TCP socket connectable again: one of the host's would now reach every port there."""
    code = f"""
import ctypes, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
server = socket.create_server(('127.0.0.1', {SERVER_PORT}))
print('ready', flush=True)
connection, _ = server.accept()
assert libc.connect(connection.fileno(), bytes(16), 16) == 0, 'AF_UNSPEC'
connection.settimeout(2)
try:
    connection.connect(('127.0.0.1', {hub.port}))
    print('got out', flush=True)
except OSError as exc:
    print('refused', flush=True)
"""
    box = served(boxes, hub, code)
    # AF_UNSPEC itself resets the connection, which may be seen here before it is fully made.
    with contextlib.suppress(ConnectionResetError), connect(box):
        box.wait_end()
    box.wait_end()
    assert box.output() == "ready\nrefused"
    assert hub.accepted == 0


def test_without_a_network_there_is_only_an_empty_loopback(boxes: Boxes) -> None:
    code = "import socket\nprint(socket.if_nameindex(), open('/proc/net/tcp').read().count(chr(10)) - 1)"
    box = boxes.python(code)
    box.wait_end()
    assert box.output() == "[(1, 'lo')] 0"
    assert box.running.host_port is None


def test_the_latency_of_a_request_is_printed(boxes: Boxes, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    box = served(boxes, hub)

    def median_us(address: tuple[str, int], fresh: bool) -> float:
        took = []
        with socket.create_connection(address) as kept:
            for _ in range(300):
                began = time.perf_counter()
                with socket.create_connection(address) if fresh else contextlib.nullcontext(kept) as connection:
                    connection.sendall(b"x" * 200)
                    connection.recv(65536)
                took.append(time.perf_counter() - began)
        return sorted(took)[150] * 1e6

    assert box.running.host_port is not None
    through, direct = ("127.0.0.1", box.running.host_port), ("127.0.0.1", hub.port)
    with capsys.disabled():
        sys.stdout.write(
            f"\nmedian of an exchange: kept connection {median_us(through, fresh=False):.0f} us "
            f"(direct {median_us(direct, fresh=False):.0f}), new connection {median_us(through, fresh=True):.0f} us "
            f"(direct {median_us(direct, fresh=True):.0f})\n"
        )
    assert box.running.is_served()


@pytest.mark.parametrize("kind", ["file", "udp", "unix", "ipv6", "pipe"])
def test_the_keeper_takes_nothing_but_tcp_sockets(kind: str, tmp_path: Path) -> None:
    """Were an init ever taken over, this is what it could send."""
    sandbox = Sandbox()
    their_end = sandbox._control_end
    tcp = socket.socket()
    with contextlib.ExitStack() as stack:
        if kind == "file":
            fds = [stack.enter_context((tmp_path / "f").open("w")).fileno()]
        elif kind == "pipe":
            fds = list(os.pipe())
            for fd in fds:
                stack.callback(os.close, fd)
        else:
            family, type_ = {
                "udp": (socket.AF_INET, socket.SOCK_DGRAM),
                "unix": (socket.AF_UNIX, socket.SOCK_STREAM),
                "ipv6": (socket.AF_INET6, socket.SOCK_STREAM),
            }[kind]
            fds = [stack.enter_context(socket.socket(family, type_)).fileno()]
        open_before = _open_descriptors()
        socket.send_fds(their_end, [b"sockets"], [*fds, tcp.fileno()])
        message, received = sandbox.receive()
        assert (message, len(received)) == (b"sockets", 1)
        received[0].close()
        assert _open_descriptors() == open_before
    tcp.close()
    their_end.close()
    assert sandbox.receive() == (b"", [])
    sandbox.control.close()


def _open_descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}

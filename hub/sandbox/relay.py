"""Bytes between pairs of TCP sockets, nothing looked at: half-closes and resets pass through, a slow side slows the other.

An idle connection holds no buffer: what one side sent is written to the other at once, and only what did not fit waits,
during which nothing more is read. One selector, one thread; nothing here blocks.
"""

import contextlib
import errno
import selectors
import socket
import struct
from collections.abc import Callable
from typing import Protocol

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_CHUNK_BYTES = 256 * 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_OUT_OF_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

Handler = Callable[[int], None]


class _Side:
    """One socket of a pair and what still has to be written to it."""

    __slots__ = ("connecting", "finished_reading", "finished_writing", "interest", "socket", "waiting")

    def __init__(self, connection: socket.socket, *, connecting: bool) -> None:
        self.socket = connection
        self.connecting = connecting
        self.waiting = b""
        self.finished_reading = False
        self.finished_writing = False
        self.interest = 0


class Pair:
    """Two connected sockets, until both directions have ended or one side broke."""

    def __init__(self, relay: "Relay", left: socket.socket, right: _Side, on_end: Callable[[], None]) -> None:
        self._relay = relay
        self._left = _Side(left, connecting=False)
        self._right = right
        self._on_end = on_end
        self._ended = False
        self._update()

    def _handle(self, side: _Side, other: _Side, events: int) -> None:
        if self._ended:
            return  # the other side's event in the same round ended it
        try:
            if events & WRITE:
                self._connected(side)
                self._flush(side, other)
            if events & READ and not side.finished_reading:
                self._read(side, other)
        except BlockingIOError:
            pass
        except OSError:
            self.abort()
            return
        for writer, reader in ((side, other), (other, side)):
            self._pass_end(reader, writer)
        if side.finished_writing and other.finished_writing:
            self._end()
        else:
            self._update()

    def _connected(self, side: _Side) -> None:
        if side.connecting:
            if code := side.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(code, "connect")
            side.connecting = False

    def _read(self, side: _Side, other: _Side) -> None:
        count = side.socket.recv_into(self._relay.chunk)
        if count == 0:
            side.finished_reading = True
            return
        self._write(other, side, self._relay.chunk[:count])

    def _flush(self, side: _Side, other: _Side) -> None:
        if side.waiting:
            data, side.waiting = side.waiting, b""
            self._write(side, other, memoryview(data))

    def _write(self, side: _Side, other: _Side, data: memoryview) -> None:
        try:
            sent = side.socket.send(data)
        except BlockingIOError:
            sent = 0
        except (BrokenPipeError, ConnectionResetError):
            # It takes no more, but what it said before, such as an early answer, must still reach the other side.
            side.finished_writing = True
            other.finished_reading = True
            return
        if sent < len(data):
            side.waiting = bytes(data[sent:])

    def _pass_end(self, reader: _Side, writer: _Side) -> None:
        if reader.finished_reading and not (writer.waiting or writer.finished_writing or writer.connecting):
            writer.finished_writing = True
            with contextlib.suppress(OSError):  # it was gone already, as its own reading will say
                writer.socket.shutdown(socket.SHUT_WR)

    def _update(self) -> None:
        for side, other in ((self._left, self._right), (self._right, self._left)):
            wanted = WRITE if side.waiting or side.connecting else 0
            if not (side.finished_reading or side.connecting or other.waiting or other.connecting):
                wanted |= READ
            self._relay.watch(side.socket, side.interest, wanted, self._handler(side, other))
            side.interest = wanted

    def _handler(self, side: _Side, other: _Side) -> Handler:
        return lambda events: self._handle(side, other, events)

    def abort(self) -> None:
        """Break both connections, so that neither end takes what it got for the whole. Nothing if they have ended."""
        if self._ended:
            return
        for side in (self._left, self._right):
            try:
                side.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            except OSError:
                continue
        self._end()

    def _end(self) -> None:
        self._ended = True
        for side in (self._left, self._right):
            self._relay.watch(side.socket, side.interest, 0, None)
            side.interest = 0
            side.socket.close()
        self._on_end()


class Relay:
    """All pairs of one selector."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self.chunk = memoryview(bytearray(_CHUNK_BYTES))

    def connect(
        self, left: socket.socket, right: socket.socket, address: tuple[str, int], on_end: Callable[[], None]
    ) -> Pair:
        """Connect `right` to `address` and relay between it and `left`; both belong to the relay now."""
        for each in (left, right):
            each.setblocking(False)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = right.connect_ex(address)
        side = _Side(right, connecting=True)
        pair = Pair(self, left, side, on_end)
        if code not in {0, errno.EINPROGRESS}:
            pair.abort()
        return pair

    def watch(self, connection: socket.socket, before: int, wanted: int, handler: Handler | None) -> None:
        """Change what is waited for on a socket from `before` to `wanted`; 0 is nothing."""
        if before == wanted:
            return
        if wanted == 0:
            self._selector.unregister(connection)
        elif before == 0:
            self._selector.register(connection, wanted, handler)
        else:
            self._selector.modify(connection, wanted, handler)


class Accepted(Protocol):
    """What a door does with a connection; it calls `on_end` once when it is done with it."""

    def __call__(self, connection: socket.socket, on_end: Callable[[], None]) -> None: ...


class Door:
    """A listening socket that lets in at most `most` connections at a time; the rest wait in the kernel's queue."""

    def __init__(
        self, selector: selectors.BaseSelector, listener: socket.socket, most: int, accepted: Accepted
    ) -> None:
        listener.setblocking(False)
        self._selector = selector
        self._listener = listener
        self._most = most
        self._accepted = accepted
        self._inside = 0
        self._open = False
        self._let_in()

    def _let_in(self) -> None:
        if not self._open and self._inside < self._most:
            self._selector.register(self._listener, READ, self._accept)
            self._open = True

    def _accept(self, _events: int) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError as exc:
            if exc.errno in _OUT_OF_DESCRIPTORS and self._inside:
                self._close()  # until a connection ends; asking again at once would spin
            return
        self._inside += 1
        if self._inside >= self._most:
            self._close()
        self._accepted(connection, self._left)

    def _close(self) -> None:
        self._selector.unregister(self._listener)
        self._open = False

    def _left(self) -> None:
        self._inside -= 1
        self._let_in()

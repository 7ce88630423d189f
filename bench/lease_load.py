"""`python -m bench.lease_load`: asks for leases and gives them back, over HTTP, as a process of its own; an order as JSON on standard
input, what came of it as JSON on standard output.

Light, because it runs on the machine that it measures: raw HTTP/1.1 on kept connections, no client library. Every answer is read
and checked; one that is not what it should be ends the run.
"""

import asyncio
import itertools
import json
import random
import resource
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, field
from typing import Any

API = "/services/practicum/api/v1"
HOLD_S = 0.2
"""Open loop: how long after an ask its lease is given back."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to do. `kind`: `closed` (pairs as fast as they are answered), `open` (pairs at `rate`), `reads` (2 x `rate` reads)."""

    kind: str
    port: int
    token: str = field(repr=False)
    profile: str
    seconds: float
    connections: int
    rate: float = 0.0
    seed: int = 1


@dataclass(slots=True)
class Outcome:
    """What came of it. `per_second` counts pairs (of `reads`: requests) by the second of their end."""

    pairs: int = 0
    per_second: list[int] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)
    """From the moment a request was due, which in an open loop is not when a connection was free for it."""
    fences: int = 0
    cpu_s: float = 0.0


class Wrong(Exception):  # noqa: N818 - not an error of this program
    """The service answered something else than it should."""


class Connection(asyncio.Protocol):
    """One kept connection, one request at a time."""

    def __init__(self, order: Order) -> None:
        self._head = (
            f"Host: 127.0.0.1:{order.port}\r\nAuthorization: Bearer {order.token}\r\nContent-Type: application/json\r\n"
        )
        self._buffer = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    async def ask(self, method: str, path: str, body: str = "") -> tuple[int, dict[str, Any]]:
        """Status and JSON of the answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(
            f"{method} {API}{path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        status, content = await self._answer
        return status, json.loads(content)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        at = head.lower().index(b"content-length:") + 15
        length = int(head[at:].split(b"\r\n", 1)[0])
        if len(rest) >= length:
            self._buffer = rest[length:]
            answer, self._answer = self._answer, None
            if answer is not None and not answer.done():
                answer.set_result((int(head[9:12]), rest[:length]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Wrong(f"the connection was lost: {exc}"))


class Load:
    """A run of one order."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._outcome = Outcome()
        self._seconds: Counter[int] = Counter()
        self._fences: set[int] = set()
        self._free: deque[Connection] = deque()
        self._wanted: deque[asyncio.Future[Connection]] = deque()
        self._keys = itertools.count()
        self._run = f"{random.getrandbits(48):012x}"

    async def run(self) -> Outcome:
        loop = asyncio.get_running_loop()
        for _ in range(self._order.connections):
            _, connection = await loop.create_connection(lambda: Connection(self._order), "127.0.0.1", self._order.port)
            self._free.append(connection)
        self._began = loop.time()
        await {"closed": self._closed, "open": self._open, "reads": self._reads}[self._order.kind]()
        outcome = self._outcome
        outcome.fences = len(self._fences)
        whole = int(self._order.seconds)
        outcome.per_second = [self._seconds[second] for second in range(whole)]
        usage = resource.getrusage(resource.RUSAGE_SELF)
        outcome.cpu_s = usage.ru_utime + usage.ru_stime
        return outcome

    async def _closed(self) -> None:
        loop, end = asyncio.get_running_loop(), self._began + self._order.seconds

        async def pairs(connection: Connection, name: str) -> None:
            while (due := loop.time()) < end:
                lease = await self._acquire(connection, name, due)
                await self._release(connection, lease, loop.time())

        async with asyncio.TaskGroup() as group:
            for number, connection in enumerate(self._free):
                group.create_task(pairs(connection, f"closed-{number}"))

    async def _open(self) -> None:
        async def pair(due: float, number: int) -> None:
            lease = await self._with_connection(lambda one: self._acquire(one, f"open-{number}", due))
            await _until(due + HOLD_S)
            await self._with_connection(lambda one: self._release(one, lease, due + HOLD_S))

        await self._arrive(self._order.rate, pair)

    async def _reads(self) -> None:
        first = self._free.popleft()
        lease = await self._acquire(first, "read", asyncio.get_running_loop().time())
        self._free.append(first)
        self._outcome.latencies_ms.clear()

        async def read(connection: Connection, due: float) -> None:
            status, answer = await connection.ask("GET", f"/leases/{lease}")
            self._note(due)
            if status != 200 or answer["id"] != lease:
                raise Wrong(f"{status} {answer}")
            self._count()

        async def one(due: float, _number: int) -> None:
            await self._with_connection(lambda connection: read(connection, due))

        await self._arrive(2 * self._order.rate, one)
        await self._release(self._free[0], lease, asyncio.get_running_loop().time())
        self._outcome.latencies_ms.pop()

    async def _arrive(self, rate: float, arrival: Callable[[float, int], Coroutine[Any, Any, None]]) -> None:
        """Start `arrival` at random moments, `rate` in a second on average, whatever became of those before."""
        draw, due = random.Random(self._order.seed), self._began
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                due += draw.expovariate(rate)
                if due > self._began + self._order.seconds:
                    break
                await _until(due)
                group.create_task(arrival(due, number))

    async def _with_connection(self, work: Callable[[Connection], Coroutine[Any, Any, Any]]) -> Any:
        if self._free:
            connection = self._free.popleft()
        else:
            wanted = asyncio.get_running_loop().create_future()
            self._wanted.append(wanted)
            connection = await wanted
        try:
            return await work(connection)
        finally:
            if self._wanted:
                self._wanted.popleft().set_result(connection)
            else:
                self._free.append(connection)

    async def _acquire(self, connection: Connection, name: str, due: float) -> str:
        order = self._order
        body = (
            f'{{"key":"{self._run}-{next(self._keys)}","session":{{"kind":"server","name":"{name}"}},"owner":"{name}",'
            f'"cohort":"bench","profile":"{order.profile}"}}'
        )
        status, lease = await connection.ask("POST", "/leases", body)
        self._note(due)
        if status != 201 or lease["status"] != "held" or lease["owner"] != name or not lease["placement"]:
            raise Wrong(f"{status} {lease}")
        if lease["fence"] in self._fences:
            raise Wrong(f"fence {lease['fence']} twice")
        self._fences.add(lease["fence"])
        return str(lease["id"])

    async def _release(self, connection: Connection, lease_id: str, due: float) -> None:
        status, lease = await connection.ask("DELETE", f"/leases/{lease_id}")
        self._note(due)
        if status != 200 or lease["id"] != lease_id or lease["reason"] != "released":
            raise Wrong(f"{status} {lease}")
        self._outcome.pairs += 1
        self._count()

    def _note(self, due: float) -> None:
        self._outcome.latencies_ms.append((asyncio.get_running_loop().time() - due) * 1000)

    def _count(self) -> None:
        self._seconds[int(asyncio.get_running_loop().time() - self._began)] += 1


async def _until(due: float) -> None:
    wait_s = due - asyncio.get_running_loop().time()
    if wait_s > 0:
        await asyncio.sleep(wait_s)


def main() -> int:
    """Exit status 0, or 1 with what was wrong on standard error."""
    order = Order(**json.load(sys.stdin))
    began = time.monotonic()
    try:
        outcome = asyncio.run(Load(order).run())
    except BaseExceptionGroup as exc:
        print(f"after {time.monotonic() - began:.1f} s: {exc.exceptions[0]}", file=sys.stderr)
        return 1
    json.dump(asdict(outcome), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())

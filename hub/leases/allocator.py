"""One writer for all leases: many requests, one decision after the other, one commit for all that came meanwhile.

1. Requests queue up while a commit is under way.
2. All that have queued up are decided, one by one, in the book: in memory, in the event loop, a few ten microseconds each.
3. What they changed is written in one transaction, in a thread of its own.
4. Only then does anybody hear of it, and only then does it show.

A commit that fails changes nothing: the book is thrown away and read from the database again, because a lost connection does not tell
whether the commit was the last thing that arrived. Each start takes the database over by a growing number; an allocator that finds
another number there has been replaced and never writes again. So there is one writer whatever a supervisor or a cluster starts.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Generic, ParamSpec, Self, TypeVar

from hub.clock import Clock
from hub.database import Database
from hub.errors import HubError
from hub.leases.book import Book, Changes, Stored
from hub.leases.errors import AllocatorReplacedError, LeaseError
from hub.leases.model import Lease
from hub.leases.moments import Moments
from hub.leases.offers import Offers
from hub.leases.store import Leases

log = logging.getLogger(__name__)

T = TypeVar("T")
P = ParamSpec("P")

MOST_PER_COMMIT = 1000
"""A flood is cut into commits of this size, so that the first of it does not wait for the last."""

Decision = Callable[[Book, datetime], T]
"""An operation on the book at a time. What it refuses it refuses by raising a `HubError`, with the book as it was."""


@dataclass(slots=True, eq=False)
class _Request(Generic[T]):
    decision: Decision[T]
    key: str | None
    answer: asyncio.Future[T]


class Allocator:
    """Decides and writes; see the module. An asynchronous context; `published` is called in the event loop after each commit."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        offers: Offers,
        *,
        claim_s: int,
        published: Callable[[Iterable[Lease]], None],
        restored: Callable[[Iterable[Lease], Iterable[Lease]], None],
        committed: Callable[[int, float], None],
    ) -> None:
        """`published` gets what a commit changed; `restored` every live lease, and what the start itself changed; `committed` of each
        commit how many requests it answered, and seconds.
        """
        self.offers = offers
        self._database = database
        self._moments = Moments(clock)
        self._claim_s = claim_s
        self._published, self._restored, self._committed = published, restored, committed
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="allocator")
        self._queue: list[_Request[Any]] = []
        self._came = asyncio.Event()
        self._book: Book | None = None
        self._epoch: int | None = None
        self._is_replaced = False
        self._is_stale = False
        """The book may differ from the database: read it again before the next decision."""
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Take the database over. Raises `DatabaseUnavailableError`."""
        await self._restore()
        self._task = asyncio.create_task(self._serve(), name="allocator")
        return self

    async def __aexit__(self, *_: object) -> None:
        """What is being written is written; what still waits is refused."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        _refuse(self._queue, AllocatorReplacedError())
        self._thread.shutdown()

    @property
    def book(self) -> Book:
        """For reading what no commit depends on, such as how much is free; it may be a commit ahead of the database."""
        assert self._book is not None, "not started"
        return self._book

    async def run(self, decision: Decision[T], key: str | None = None) -> T:
        """What the decision returned, once everything it changed is written down.

        Raises what the decision refused with, or `DatabaseUnavailableError`, `DiskFullError`, `AllocatorReplacedError`, and then
        nothing has changed. `key`: of the ask it is about, if any.
        """
        if self._is_replaced:
            raise AllocatorReplacedError
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append(_Request(decision, key, answer))
        self._came.set()
        return await answer

    async def change_offers(self, offers: Offers) -> None:
        """Have these nodes and profiles from now on; if that cannot be written now, then as soon as anything can."""
        self.offers = offers
        await self.run(lambda book, now: book.change_offers(offers, now))

    def now(self) -> datetime:
        """The time by which decisions are made."""
        return self._moments.now()

    async def _serve(self) -> None:
        while True:
            await self._came.wait()
            batch, self._queue = self._queue[:MOST_PER_COMMIT], self._queue[MOST_PER_COMMIT:]
            if not self._queue:
                self._came.clear()
            try:
                await self._commit(batch)
            except HubError as exc:
                self._fail(batch, exc)
            except Exception:  # the top of the loop: whatever it was, the next request finds a book as stored
                log.exception("leases could not be decided")
                self._fail(batch, HubError())
            finally:
                _refuse(batch, AllocatorReplacedError())

    def _fail(self, batch: list[_Request[Any]], exc: HubError) -> None:
        self._is_stale = True
        if isinstance(exc, AllocatorReplacedError) and not self._is_replaced:
            self._is_replaced = True
            log.critical("another process hands out devices now; this one has stopped")
        _refuse(batch, exc)

    async def _commit(self, batch: list[_Request[Any]]) -> None:
        if self._is_replaced:
            raise AllocatorReplacedError
        if self._is_stale:
            await self._restore()
        book = self.book
        keys = [request.key for request in batch if request.key is not None and not book.knows_key(request.key)]
        if keys:
            book.remember(await self._in_thread(self._of_keys, keys))
        now = self._moments.now()
        outcomes = [(request.answer, _decide(request, book, now)) for request in batch]
        changes = book.drain()
        if changes:
            began_s = time.perf_counter()
            await self._in_thread(self._write, changes, now)
            self._committed(len(batch), time.perf_counter() - began_s)
            self._published(changes.leases())
        for answer, outcome in outcomes:
            if answer.done():
                continue  # who asked has gone; the lease is found by its key
            if isinstance(outcome, LeaseError):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

    async def _restore(self) -> None:
        stored = await self._in_thread(self._load)
        self._moments.not_before(stored.clock_at)
        now = self._moments.now()
        book = Book(self.offers, stored, claim_s=self._claim_s, now=now)
        changes = book.drain()
        if changes:
            await self._in_thread(self._write, changes, now)
        self._book, self._is_stale = book, False
        self._restored(book.live(), changes.leases())

    def _load(self) -> Stored:
        if self._epoch is None:
            with self._database.writing() as connection:
                leases = Leases(connection)
                epoch, stored = leases.take_over(), leases.load(self.offers.pools)
            self._epoch = epoch
            return stored
        with self._database.reading() as connection:
            Leases(connection).check_epoch(self._epoch)
            return Leases(connection).load(self.offers.pools)

    def _of_keys(self, keys: list[str]) -> list[Lease]:
        with self._database.reading() as connection:
            return Leases(connection).of_keys(keys)

    def _write(self, changes: Changes, now: datetime) -> None:
        assert self._epoch is not None
        with self._database.writing() as connection:
            Leases(connection).write(changes, self._epoch, now)

    async def _in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        call = partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


def _decide(request: _Request[T], book: Book, now: datetime) -> T | LeaseError:
    try:
        return request.decision(book, now)
    except LeaseError as refusal:
        return refusal


def _refuse(batch: Iterable[_Request[Any]], exc: HubError) -> None:
    for request in batch:
        if not request.answer.done():
            request.answer.set_exception(exc)

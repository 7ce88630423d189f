"""The only door to leases: ask, claim, give back, look."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Self, TypeVar

from hub.clock import Clock
from hub.database import Database
from hub.gpu.model import Node
from hub.leases.allocator import Allocator
from hub.leases.asks import checked_ask, checked_quota, is_id
from hub.leases.errors import LeaseEndedError, UnknownLeaseError
from hub.leases.figures import Figures
from hub.leases.model import (
    Ask,
    Availability,
    DeviceView,
    EndReason,
    Lease,
    LeaseStatus,
    Outlook,
    Quota,
    Session,
    UsageLine,
)
from hub.leases.offers import Offers
from hub.leases.outlooks import RECORDS, Outlooks
from hub.leases.published import Published
from hub.leases.store import Leases
from hub.leases.usage import sum_up
from hub.leases.views import device_views, seen_again

T = TypeVar("T")

TAKEN_BACK = {EndReason.EXPIRED, EndReason.DEVICE_LOST, EndReason.REVOKED, EndReason.WITHDRAWN}


class LeaseDesk:
    """Leases of one centre. An asynchronous context; between entering and leaving it, safe to use from its event loop.

    Everything returned is committed. Every method that changes something raises `DatabaseUnavailableError`, `DiskFullError` or
    `AllocatorReplacedError` when nothing could be written, and then nothing has changed.
    """

    def __init__(self, database: Database, offers: Offers, clock: Clock, *, claim_s: int = 120) -> None:
        """`claim_s`: how long an offer stands."""
        self.taken_back = 0
        """How many leases so far have ended while their sessions may go on: the reconciler then looks at once."""
        self.figures = Figures()
        """What happened since this desk was made, counted."""
        self._database = database
        self._clock = clock
        self._published = Published()
        self._outlooks = Outlooks(self._published)
        self._allocator = Allocator(
            database,
            clock,
            offers,
            claim_s=claim_s,
            published=self._publish,
            restored=self._start_afresh,
            committed=self.figures.note_commit,
        )

    async def __aenter__(self) -> Self:
        """Take over the database's leases. Raises `DatabaseUnavailableError`."""
        await self._allocator.__aenter__()
        for pool in self.offers.pools:
            self._outlooks.start(pool, await asyncio.to_thread(self._holding_times, pool))
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._allocator.__aexit__(*exc)
        self._published.close()

    # Asking and giving back

    async def acquire(self, ask: Ask) -> Lease:
        """A lease: held if it fits now and nobody in front waits for it; else, if the ask would wait, a place in the queue.

        Two asks with one key are one, for ever: the second gets the first one's lease, as it is by then. Raises `AskInvalidError`,
        `KeyReusedError` (same key, other ask), `SessionHasLeaseError`, `UnknownShareError`, `NeverFitsError`, `QuotaExceededError`
        (could never fit the quota), and if it would not wait `DevicesFullError`.
        """
        ask = checked_ask(ask)
        return await self._allocator.run(lambda book, now: book.acquire(ask, now), key=ask.key)

    async def claim(self, lease_id: str) -> Lease:
        """The lease, held; one that is held already stays so. Raises `NotOfferedError`, `LeaseEndedError`, `UnknownLeaseError`."""
        try:
            return await self._allocator.run(lambda book, now: book.claim(lease_id, now))
        except UnknownLeaseError:
            raise _ended(await self.find(lease_id)) from None

    async def heartbeat(self, lease_id: str, fence: int) -> Lease:
        """The lease, seen alive now. Raises `FenceError` for a wrong fence, `LeaseEndedError`, `UnknownLeaseError`."""
        try:
            return await self._allocator.run(lambda book, now: book.heartbeat(lease_id, fence, now))
        except UnknownLeaseError:
            raise _ended(await self.find(lease_id)) from None

    async def release(self, lease_id: str, reason: EndReason = EndReason.RELEASED, fence: int | None = None) -> Lease:
        """The lease, ended; one that has ended stays as it is.

        A place in the queue and an offer end as cancelled when the reason is `RELEASED`. Raises `FenceError` if a fence is given and is
        not the lease's, `UnknownLeaseError`.
        """
        try:
            return await self._allocator.run(lambda book, now: book.release(lease_id, reason, fence, now))
        except UnknownLeaseError:
            return await self.find(lease_id)

    # Looking

    async def find(self, lease_id: str) -> Lease:
        """The lease, also one that has ended; raises `UnknownLeaseError`."""
        found = self._published.find(lease_id)
        if found is None and is_id(lease_id):
            found = await asyncio.to_thread(self._read, lambda leases: leases.find(lease_id))
        if found is None:
            raise UnknownLeaseError
        return found

    def of_session(self, session: Session) -> Lease | None:
        """The session's live lease."""
        return self._published.of_session(session)

    async def last_of_session(self, session: Session) -> Lease | None:
        """The session's live lease, else the one it asked for last."""
        found = self.of_session(session)
        return found or await asyncio.to_thread(self._read, lambda leases: leases.last_of_session(session))

    def waiting(self) -> list[Lease]:
        """Everybody who waits, in the order of asking."""
        return self._published.waiting()

    def outlook(self, lease_id: str) -> Outlook | None:
        """What somebody who waits can expect; None for a lease that does not wait."""
        lease = self._published.find(lease_id)
        if lease is None or lease.status is not LeaseStatus.WAITING:
            return None
        return self._outlooks.of(lease, self._allocator.book, self._allocator.now(), self._clock.steady_s())

    def availability(self, owner: str, cohort: str) -> list[Availability]:
        """Every share on offer as it is for this person now: largest first for each pool, the machine's CPUs last."""
        book, now = self._allocator.book, self._allocator.now()
        return self._outlooks.availability(owner, cohort, book, now, self._clock.steady_s())

    @property
    def offers(self) -> Offers:
        """The nodes there are, and the profiles on offer."""
        return self._allocator.offers

    def devices(self) -> list[DeviceView]:
        """Every device with the leases on it; a node's CPUs are one where CPU shares are on offer."""
        return device_views(self.offers, self._published.live())

    @property
    def version(self) -> int:
        """Grows with every committed change."""
        return self._published.version

    async def changed(self, version: int, timeout_s: float) -> int:
        """The version once it is another one than `version`, or after `timeout_s`. Changes within 50 ms may be told as one."""
        return await self._published.changed(version, timeout_s)

    # Quotas and usage

    async def quotas(self) -> list[Quota]:
        """Every quota, by cohort and pool."""
        return await self._allocator.run(lambda book, _: book.quotas())

    async def set_quota(self, quota: Quota) -> None:
        """Make this the quota of its cohort and pool; nobody loses what they hold. Raises `AskInvalidError`."""
        checked = checked_quota(quota)
        await self._allocator.run(lambda book, now: book.set_quota(checked, now))

    async def usage(self, since: datetime, until: datetime) -> list[UsageLine]:
        """Who held how much within a period, summed by person, cohort, organisation and profile; what is held still counts until now."""
        now = self._allocator.now()
        return await asyncio.to_thread(
            self._read, lambda leases: sum_up(leases.held_within(since, until), since, until, now)
        )

    # Keeping order: what the reconciler calls

    async def look(self, nodes: Iterable[Node]) -> None:
        """Take in a look at machines that succeeded: leases on a device that is gone end, and one that is back is offered again."""
        offers = self.offers
        for seen in nodes:
            offers = seen_again(offers, seen)
        if offers is not self.offers:
            await self._allocator.change_offers(offers)

    async def expire(self) -> None:
        """End offers nobody claimed in time, and leases whose holder has been silent for longer than it had promised."""
        if self._allocator.book.has_due(self._allocator.now()):
            await self._allocator.run(lambda book, now: book.expire(now))

    async def see(self, lease_ids: Iterable[str]) -> None:
        """Note that the sessions of these held leases run."""
        unseen = [each for each in lease_ids if (lease := self._published.find(each)) and lease.seen_at is None]
        if unseen:
            await self._allocator.run(lambda book, now: book.see(unseen, now))

    def now(self) -> datetime:
        """The time by which leases are decided; it never goes back."""
        return self._allocator.now()

    # How

    def _publish(self, leases: Iterable[Lease]) -> None:
        leases = tuple(leases)
        for lease in leases:
            self.figures.note(self._published.find(lease.id), lease)
        self.taken_back += sum(lease.reason in TAKEN_BACK for lease in leases)
        self._published.put(leases)
        self._outlooks.learn(leases)

    def _start_afresh(self, live: Iterable[Lease], changed: Iterable[Lease]) -> None:
        self._published.replace_all(live)
        self._published.put(lease for lease in changed if not lease.is_live)

    def _holding_times(self, pool: str) -> list[float]:
        return self._read(lambda leases: leases.holding_times_s(pool, RECORDS))

    def _read(self, question: Callable[[Leases], T]) -> T:
        with self._database.reading() as connection:
            return question(Leases(connection))

    # Last: from here on the class means this by `list`

    async def list(
        self, *, live: bool = True, session: Session | None = None, owner: str | None = None, limit: int | None = 1000
    ) -> list[Lease]:
        """Live leases in the order of asking; with `live=False` all, the ones asked for last first. At most `limit`; None: however many."""
        if not live:
            return await asyncio.to_thread(
                self._read, lambda leases: leases.latest(session=session, owner=owner, limit=limit)
            )
        found = self._published.live()
        if session is not None:
            found = [lease for lease in found if lease.ask.session == session]
        if owner is not None:
            found = [lease for lease in found if lease.ask.owner == owner]
        return found[:limit]


def _ended(lease: Lease) -> LeaseEndedError:
    return LeaseEndedError(reason=lease.reason.value if lease.reason else "")

"""Keeps leases and what really happens in step, so that no crash of anything loses a share for good."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from hub.errors import HubError
from hub.gpu.model import Node
from hub.leases.desk import LeaseDesk
from hub.leases.errors import UnknownLeaseError
from hub.leases.model import EndReason, Lease, LeaseStatus, RunningSession, SessionKind

log = logging.getLogger(__name__)

TICK_S = 1.0
"""An offer lapses at most this late."""
PASS_EVERY_S = 10.0


class Reconciler:
    """Compares leases with machines and sessions, every `PASS_EVERY_S` and whenever a share was taken from somebody. A pass:

    1. Look at the devices. One that is gone ends the leases on it; a look that failed says nothing about any device.
    2. Note which leases are held, and only then list the sessions that run: a lease granted during the listing is not judged by it.
    3. A listing that failed frees nothing. It also forgets who was missing before, so that two in a row means just that.
    4. A held lease of a server that runs under it is noted as seen.
    5. A held lease of a server that does not run under it may be one that is just starting: for `grace_s` it is left alone, unless it has
       been seen running. After that it ends as orphaned, once two listings in a row have missed it.
    6. A session that runs under a lease that has ended, or is not its own, loses the share's limits for the basic ones: the share may be
       somebody else's by now. Where they cannot be changed while it runs, that is logged, and tried again.

    Every tick, offers that nobody claimed lapse and leases whose holders went silent end. Whatever fails is logged and tried again.
    """

    def __init__(
        self,
        desk: LeaseDesk,
        list_running: Callable[[], Iterable[RunningSession]],
        fall_back: Callable[[RunningSession, Lease | None], str | None],
        look: Callable[[], Iterable[Node]],
        *,
        grace_s: float,
    ) -> None:
        """The callables block and are called in threads.

        `fall_back` is told the lease that ended, None for one that nobody knows, and returns what it could not change, in words.
        """
        self._desk = desk
        self._list_running, self._fall_back, self._look = list_running, fall_back, look
        self._grace_s = grace_s
        self._missing: frozenset[str] = frozenset()
        self._fallen: dict[RunningSession, str | None] = {}

    async def run(self) -> None:
        """Go on until cancelled."""
        loop = asyncio.get_running_loop()
        next_pass_s, taken_back = loop.time(), self._desk.taken_back
        while True:
            await self._logged("leases that are due", self._desk.expire)
            if loop.time() >= next_pass_s or taken_back != self._desk.taken_back:
                next_pass_s, taken_back = loop.time() + PASS_EVERY_S, self._desk.taken_back
                await self._logged("a look at the devices", self.look_at_devices)
                await self._logged("leases against what runs", self.compare)
            await asyncio.sleep(TICK_S)

    async def look_at_devices(self) -> None:
        """Step 1."""
        await self._desk.look(await asyncio.to_thread(lambda: tuple(self._look())))

    async def compare(self) -> None:
        """Steps 2 to 6."""
        held = [lease for lease in await self._desk.list(limit=None) if _is_held_by_server(lease)]
        missing, self._missing = self._missing, frozenset()
        running = await asyncio.to_thread(lambda: tuple(self._list_running()))
        under = {each.lease: each for each in running if each.lease is not None}
        present = {lease.id for lease in held if lease.id in under and _is_own(under[lease.id], lease)}
        await self._desk.see(present)
        absent = [lease for lease in held if lease.id not in present and self._may_be_missed(lease)]
        for lease in absent:
            if lease.id in missing:
                log.warning("no server runs under lease %s of %s: ended", lease.id, lease.ask.owner)
                await self._desk.release(lease.id, EndReason.ORPHANED, lease.fence)
        self._missing = frozenset(lease.id for lease in absent)
        await self._take_limits_back(running)

    def _may_be_missed(self, lease: Lease) -> bool:
        assert lease.held_at is not None
        return lease.seen_at is not None or (self._desk.now() - lease.held_at).total_seconds() >= self._grace_s

    async def _take_limits_back(self, running: Iterable[RunningSession]) -> None:
        ended = {each for each in running if each.lease is not None and not self._is_held(each)}
        # Only of what still runs is remembered that it was done.
        self._fallen = {each: said for each, said in self._fallen.items() if each in ended}
        for each in ended:
            if each in self._fallen and self._fallen[each] is None:
                continue
            try:
                said = await asyncio.to_thread(self._fall_back, each, await self._lease_of(each))
            except (OSError, HubError) as exc:  # a disk that somebody has filled must not leave the others their limits
                said = str(exc)
            if said != self._fallen.get(each, ""):
                log.warning("%s runs under a lease that has ended: %s", each.session.key, said or "basic limits now")
            self._fallen[each] = said

    async def _lease_of(self, running: RunningSession) -> Lease | None:
        assert running.lease is not None
        try:
            return await self._desk.find(running.lease)
        except UnknownLeaseError:
            return None

    def _is_held(self, running: RunningSession) -> bool:
        lease = self._desk.of_session(running.session)
        return lease is not None and lease.status is LeaseStatus.HELD and _is_own(running, lease)

    @staticmethod
    async def _logged(what: str, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except HubError as exc:
            log.warning("%s: %s", what, exc)
        except Exception:  # the top of a loop that has to go on
            log.exception("%s", what)


def _is_held_by_server(lease: Lease) -> bool:
    return lease.status is LeaseStatus.HELD and lease.ask.session.kind is SessionKind.SERVER


def _is_own(running: RunningSession, lease: Lease) -> bool:
    return (running.session, running.lease, running.fence) == (lease.ask.session, lease.id, lease.fence)

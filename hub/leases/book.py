"""The allocator's memory: every live lease, the fleet they are placed in, and who waits; every decision about them.

Pure: it reads no clock and writes nothing down. Each operation takes the time, changes the book and leaves what it touched in
`changes`; the allocator writes that to the database before anybody hears of it, and on a failure throws the book away. What an
operation costs grows neither with the fleet nor with the queue.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from uuid import uuid4

from hub.gpu.errors import GpuError
from hub.gpu.model import Demand
from hub.leases.errors import (
    DevicesFullError,
    FenceError,
    KeyReusedError,
    LeaseEndedError,
    NeverFitsError,
    NotOfferedError,
    QuotaExceededError,
    QuotaUsedUpError,
    SessionHasLeaseError,
    UnknownLeaseError,
    UnknownShareError,
)
from hub.leases.model import Ask, EndReason, Lease, LeaseStatus, Quota, Wait
from hub.leases.offers import Offers
from hub.leases.quotas import Quotas, size_milli
from hub.leases.room import Room
from hub.leases.turns import Line, Place

ENDED_REMEMBERED = 2_000
"""Ended leases kept by key, so that a request repeated at once needs no look into the database."""
DUE_SLACK = 64
NO_LIMIT = 1 << 40


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database knows: where a book starts from."""

    leases: tuple[Lease, ...] = ()
    """Live ones."""
    quotas: tuple[Quota, ...] = ()
    fence: int = 0
    order: int = 0
    clock_at: datetime | None = None
    served: dict[str, list[int]] = field(default_factory=dict)
    """By pool: the highest numbers of asks that were served."""


@dataclass(slots=True)
class Changes:
    """What has to be written down: leases that are new, leases that changed, quotas; the counters as they are now."""

    new: dict[str, Lease] = field(default_factory=dict)
    changed: dict[str, Lease] = field(default_factory=dict)
    quotas: dict[tuple[str, str], Quota] = field(default_factory=dict)
    fence: int = 0
    order: int = 0

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.quotas)

    def leases(self) -> list[Lease]:
        return [*self.new.values(), *self.changed.values()]


class Book:
    """See the module. Not thread-safe; one allocator owns it."""

    def __init__(self, offers: Offers, stored: Stored, *, claim_s: int, now: datetime) -> None:
        """The book as stored; leases that the devices of today cannot hold end at once, which is the first change."""
        self._claim = timedelta(seconds=claim_s)
        self._leases: dict[str, Lease] = {}
        self._by_key: dict[str, str] = {}
        self._by_session: dict[str, str] = {}
        self._ended: OrderedDict[str, Lease] = OrderedDict()
        self._fence, self._order = stored.fence, stored.order
        self._quotas = Quotas(stored.quotas)
        self._served = dict(stored.served)
        self._due: list[tuple[datetime, str]] = []
        self._lines: dict[str, Line] = {}
        self._changes = Changes()
        for lease in stored.leases:
            self._enter(lease)
        self.change_offers(offers, now)

    # What it knows

    def knows_key(self, key: str) -> bool:
        """Whether the lease of this key is at hand; if not, it may still be in the database."""
        return key in self._by_key or key in self._ended

    def remember(self, ended: Iterable[Lease]) -> None:
        """Ended leases by their keys: those that end here, and those found in the database because their keys came again."""
        for lease in ended:
            self._ended[lease.ask.key] = lease
        while len(self._ended) > ENDED_REMEMBERED:
            self._ended.popitem(last=False)

    def live(self) -> list[Lease]:
        return list(self._leases.values())

    def quotas(self) -> list[Quota]:
        return self._quotas.all()

    def count(self, demand: Demand) -> int:
        """How many more of `demand` fit now."""
        return self._room.count(demand)

    def ever_fits(self, demand: Demand) -> bool:
        """Whether the devices that are here now could serve it with nobody else on them."""
        return self._room.ever_fits(demand)

    def never_admits(self, cohort: str, pool: str, demand: Demand) -> Wait | None:
        """Which quota is smaller than the share itself."""
        return self._quotas.never_admits(cohort, pool, size_milli(demand))

    def quota_room(self, cohort: str, owner: str, pool: str, demand: Demand) -> int:
        """How many more shares of this size the person's quotas admit."""
        room = self._quotas.room(cohort, owner, pool, size_milli(demand))
        return NO_LIMIT if room is None else room

    def why(self, lease: Lease) -> Wait:
        """Why a lease that waits does so."""
        return self._room.why(lease)

    def drain(self) -> Changes:
        """What changed since the last call."""
        changes, self._changes = self._changes, Changes()
        changes.fence, changes.order = self._fence, self._order
        return changes

    # What can happen

    def acquire(self, ask: Ask, now: datetime) -> Lease:
        """A lease for the ask, held or waiting, or the one it got earlier. Errors: see `LeaseDesk.acquire`."""
        before = self._of_key(ask.key)
        if before is not None:
            if before.ask != ask:
                raise KeyReusedError
            return before
        profile = self.offers.by_name.get(ask.profile)
        if profile is None:
            raise UnknownShareError(profile=ask.profile)
        if ask.session.key in self._by_session:
            raise SessionHasLeaseError(lease=self._by_session[ask.session.key])
        demand, pool = profile.demand, profile.pool
        if not self.ever_fits(demand):
            raise NeverFitsError(profile=ask.profile)
        if self.never_admits(ask.cohort, pool, demand):
            raise QuotaExceededError(profile=ask.profile)
        self._order += 1
        lease = Lease(uuid4().hex, ask, pool, demand, LeaseStatus.WAITING, now, self._order)
        self._enter(lease)
        self._changes.new[lease.id] = lease
        self._lines[pool].enter(_place(lease))
        self._run_turns((pool,), now, fresh=lease.id)
        made = self._leases[lease.id]
        if made.status is LeaseStatus.WAITING and not ask.wait:
            self._unmake(made)
            raise DevicesFullError if self.why(made) in {Wait.DEVICES_FULL, Wait.BEHIND} else QuotaUsedUpError
        return made

    def claim(self, lease_id: str, now: datetime) -> Lease:
        """The lease, held. Raises `UnknownLeaseError` if it is not live, `NotOfferedError`, `LeaseEndedError`."""
        lease = self._live(lease_id)
        if lease.status is LeaseStatus.HELD:
            return lease
        if lease.status is LeaseStatus.WAITING:
            raise NotOfferedError
        assert lease.claim_by is not None
        if now > lease.claim_by:
            self._end(lease, EndReason.UNCLAIMED, now)
            raise LeaseEndedError(reason=EndReason.UNCLAIMED.value)
        return self._hold(lease, now)

    def heartbeat(self, lease_id: str, fence: int, now: datetime) -> Lease:
        """The lease, seen alive. Raises `UnknownLeaseError` if it is not live, `FenceError`."""
        lease = self._live(lease_id)
        if lease.fence != fence:
            raise FenceError
        return self._put(replace(lease, seen_at=now))

    def release(self, lease_id: str, reason: EndReason, fence: int | None, now: datetime) -> Lease:
        """The lease, ended. Raises `UnknownLeaseError` if it is not live, `FenceError`."""
        lease = self._live(lease_id)
        if fence is not None and lease.fence != fence:
            raise FenceError
        if reason is EndReason.RELEASED and lease.status is not LeaseStatus.HELD:
            reason = EndReason.CANCELLED
        return self._end(lease, reason, now)

    def see(self, lease_ids: Iterable[str], now: datetime) -> None:
        """Note that the sessions of these held leases were seen running; once is enough."""
        for lease_id in lease_ids:
            lease = self._leases.get(lease_id)
            if lease is not None and lease.status is LeaseStatus.HELD and lease.seen_at is None:
                self._put(replace(lease, seen_at=now))

    def has_due(self, now: datetime) -> bool:
        """Whether `expire` would have something to do."""
        return bool(self._due) and self._due[0][0] < now

    def expire(self, now: datetime) -> None:
        """End offers that were not claimed in time, and leases whose holder has been silent for longer than promised."""
        while self.has_due(now):
            _, lease_id = heappop(self._due)
            lease = self._leases.get(lease_id)
            due = None if lease is None else _due(lease)
            if lease is None or due is None:
                continue
            if due < now:
                is_offer = lease.status is LeaseStatus.OFFERED
                self._end(lease, EndReason.UNCLAIMED if is_offer else EndReason.EXPIRED, now)
            else:
                heappush(self._due, (due, lease_id))  # it gave a sign of life since

    def set_quota(self, quota: Quota, now: datetime) -> None:
        """Make this the quota of its cohort and pool. Nobody loses what they hold."""
        self._quotas.set(quota)
        self._changes.quotas[quota.cohort, quota.pool] = quota
        if quota.pool in self._lines:
            self._lines[quota.pool].wake_all()
            self._run_turns((quota.pool,), now)

    def change_offers(self, offers: Offers, now: datetime) -> None:
        """Nodes, devices or profiles are others now. Every live lease is placed anew where it was; what there is no room for ends."""
        self.offers = offers
        self._served.update({pool: line.latest_served for pool, line in self._lines.items()})
        self._lines = {pool: Line(self._served.get(pool, ())) for pool in offers.pools}
        self._quotas.forget_use()
        self._room = Room(offers, self._quotas)
        lost = []
        # Who was granted first is placed first: if there is less room than before, the newest lose.
        for lease in sorted(self._leases.values(), key=_seniority):
            if lease.placement is None:
                self._stand_again(lease, now)
                continue
            try:
                self._room.take(lease)
            except GpuError:
                self._close(lease, EndReason.WITHDRAWN, now)
                continue
            self._watch(lease)
            if self._room.is_lost(lease):
                lost.append(lease)
        for lease in lost:
            self._end(lease, EndReason.DEVICE_LOST, now)
        self._run_turns(self._lines, now)

    # How

    def _stand_again(self, lease: Lease, now: datetime) -> None:
        """Who waits goes on waiting for the share of that name, whatever its size is now."""
        profile = self.offers.by_name.get(lease.ask.profile)
        if profile is None or profile.pool != lease.pool:
            self._close(lease, EndReason.WITHDRAWN, now)
            return
        if profile.demand != lease.demand:
            lease = self._put(replace(lease, demand=profile.demand))
        self._lines[lease.pool].enter(_place(lease))

    def _run_turns(self, pools: Iterable[str], now: datetime, fresh: str | None = None) -> None:
        """Serve whoever's turn it is. Who has just asked is there and holds it; the others are made an offer."""
        for pool in pools:
            line = self._lines[pool]
            while len(line):
                place = line.next(self._room.gate(pool))
                if place is None:
                    break
                overtaken = line.overtaken(place.order)
                line.leave(place.order)
                line.served(place.order)
                placement = self._room.find(place.demand)
                lease = replace(self._leases[place.lease], placement=placement, overtaken=overtaken)
                self._room.take(lease)
                if place.lease == fresh:
                    self._hold(lease, now)
                else:
                    self._offer(lease, now)

    def _offer(self, lease: Lease, now: datetime) -> None:
        offered = replace(lease, status=LeaseStatus.OFFERED, offered_at=now, claim_by=now + self._claim)
        self._watch(self._put(offered))

    def _hold(self, lease: Lease, now: datetime) -> Lease:
        self._fence += 1
        held = replace(lease, status=LeaseStatus.HELD, held_at=now, claim_by=None, fence=self._fence)
        self._watch(held)
        return self._put(held)

    def _end(self, lease: Lease, reason: EndReason, now: datetime) -> Lease:
        """End a lease, give back what it takes, and serve who waited for that."""
        ended = self._close(lease, reason, now)
        if lease.placement is None:
            self._lines[lease.pool].leave(lease.order)
            self._run_turns((lease.pool,), now)  # others may have stood behind it
            return ended
        gaining = self._room.give_back(lease)
        if lease.pool in self._lines:
            self._lines[lease.pool].wake(lease.ask.cohort, lease.ask.owner)
        self._run_turns(gaining, now)
        return ended

    def _close(self, lease: Lease, reason: EndReason, now: datetime) -> Lease:
        ended = replace(lease, status=LeaseStatus.ENDED, ended_at=now, reason=reason)
        self._put(ended)
        del self._leases[lease.id], self._by_key[lease.ask.key], self._by_session[lease.ask.session.key]
        self.remember((ended,))
        return ended

    def _unmake(self, lease: Lease) -> None:
        """Forget an ask that was refused, as if it had not been."""
        self._lines[lease.pool].leave(lease.order)
        del self._leases[lease.id], self._by_key[lease.ask.key], self._by_session[lease.ask.session.key]
        del self._changes.new[lease.id]

    def _enter(self, lease: Lease) -> None:
        self._leases[lease.id] = lease
        self._by_key[lease.ask.key] = self._by_session[lease.ask.session.key] = lease.id

    def _put(self, lease: Lease) -> Lease:
        self._leases[lease.id] = lease
        if lease.id in self._changes.new:
            self._changes.new[lease.id] = lease
        else:
            self._changes.changed[lease.id] = lease
        return lease

    def _watch(self, lease: Lease) -> None:
        due = _due(lease)
        if due is not None:
            heappush(self._due, (due, lease.id))
        if len(self._due) > 2 * len(self._leases) + DUE_SLACK:
            self._due = [(due, each.id) for each in self._leases.values() if (due := _due(each)) is not None]
            heapify(self._due)

    def _live(self, lease_id: str) -> Lease:
        lease = self._leases.get(lease_id)
        if lease is None:
            raise UnknownLeaseError
        return lease

    def _of_key(self, key: str) -> Lease | None:
        lease_id = self._by_key.get(key)
        return self._leases[lease_id] if lease_id is not None else self._ended.get(key)


def _place(lease: Lease) -> Place:
    return Place(lease.order, lease.id, lease.demand, lease.ask.cohort, lease.ask.owner)


def _seniority(lease: Lease) -> tuple[int, int]:
    """Held leases by their grants, then offers, then who waits, by their asking."""
    if lease.fence is not None:
        return 0, lease.fence
    return (1 if lease.takes else 2), lease.order


def _due(lease: Lease) -> datetime | None:
    """When a lease ends by itself unless something happens."""
    if lease.status is LeaseStatus.OFFERED:
        return lease.claim_by
    patience_s = lease.ask.patience_s
    alive_at = lease.seen_at or lease.held_at
    if lease.status is not LeaseStatus.HELD or patience_s is None or alive_at is None:
        return None
    return alive_at + timedelta(seconds=patience_s)

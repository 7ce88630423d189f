"""All SQL of leases. Works inside a transaction that its caller owns."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, insert, or_, select, text, update

from hub.leases import tables
from hub.leases.book import Changes, Stored
from hub.leases.errors import AllocatorReplacedError
from hub.leases.model import Ask, EndReason, Lease, LeaseStatus, Quota, Session, SessionKind
from hub.leases.quotas import size_milli
from hub.leases.records import demand_from_text, demand_to_text, placement_from_text, placement_to_text
from hub.leases.turns import OVERTAKINGS
from hub.leases.usage import Holding

_LEASE, _ALLOCATOR, _QUOTA = tables.lease, tables.allocator, tables.quota
_LIVE = text("status <> 'ended'")
"""Written out: with a parameter, SQLite could not tell that the partial index serves."""
_CHANGING = (
    "demand",
    "size_milli",
    "status",
    "overtaken",
    "placement",
    "fence",
    "offered_at",
    "claim_by",
    "held_at",
    "seen_at",
    "ended_at",
    "reason",
)
"""The columns of a lease that change after it was asked for."""
_INSERT = insert(_LEASE)
_UPDATE = (
    update(_LEASE)
    .where(_LEASE.c.asked_order == bindparam("row"))
    .values({name: bindparam(f"new_{name}") for name in _CHANGING})
)


class Leases:
    """Leases, quotas, and the one row that says who may write them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take_over(self) -> int:
        """The epoch of a new allocator: from now on the one before it can write nothing.

        The row stays locked until the transaction ends, so what the one before was just writing is either seen or refused.
        """
        statement = update(_ALLOCATOR).values(epoch=_ALLOCATOR.c.epoch + 1).returning(_ALLOCATOR.c.epoch)
        epoch: int = self._connection.execute(statement).scalar_one()
        return epoch

    def check_epoch(self, epoch: int) -> None:
        """Raises `AllocatorReplacedError` if another allocator has taken over."""
        if self._connection.execute(select(_ALLOCATOR.c.epoch)).scalar_one() != epoch:
            raise AllocatorReplacedError

    def load(self, pools: Iterable[str]) -> Stored:
        """What a book starts from; the numbers served last are read for these pools."""
        counters = self._connection.execute(select(_ALLOCATOR)).one()
        live = self._connection.execute(select(_LEASE).where(_LIVE)).all()
        quotas = self._connection.execute(select(*(_QUOTA.c[each.name] for each in fields(Quota)))).all()
        return Stored(
            leases=tuple(_lease(row) for row in live),
            quotas=tuple(Quota(*row) for row in quotas),
            fence=counters.fence,
            order=counters.asked_order,
            clock_at=counters.clock_at,
            served={pool: self._served(pool) for pool in pools},
        )

    def write(self, changes: Changes, epoch: int, clock_at: datetime) -> None:
        """Write everything down. Raises `AllocatorReplacedError` if another allocator has taken over; then roll back."""
        counters = update(_ALLOCATOR).where(_ALLOCATOR.c.epoch == epoch)
        # First of all: on PostgreSQL this waits for an allocator that is just taking over.
        done = self._connection.execute(
            counters.values(fence=changes.fence, asked_order=changes.order, clock_at=clock_at)
        )
        if done.rowcount != 1:
            raise AllocatorReplacedError
        # What ends comes first: a session may end one lease and get the next in one batch, and may have only one that lives.
        changed = sorted(changes.changed.values(), key=lambda lease: lease.is_live)
        if changed:
            self._connection.execute(_UPDATE, [_changing(lease) for lease in changed])
        if changes.new:
            self._connection.execute(_INSERT, [_row(lease) for lease in changes.new.values()])
        for quota in changes.quotas.values():
            self._set_quota(quota)

    def of_keys(self, keys: Sequence[str]) -> list[Lease]:
        """The leases that were asked for with these keys."""
        rows: list[Lease] = []
        for at in range(0, len(keys), 500):  # both databases limit the parameters of one statement
            found = self._connection.execute(select(_LEASE).where(_LEASE.c.key.in_(keys[at : at + 500])))
            rows += [_lease(row) for row in found]
        return rows

    def find(self, lease_id: str) -> Lease | None:
        row = self._connection.execute(select(_LEASE).where(_LEASE.c.id == lease_id)).one_or_none()
        return None if row is None else _lease(row)

    def last_of_session(self, session: Session) -> Lease | None:
        """The lease the session asked for last."""
        query = select(_LEASE).where(_of_session(session)).order_by(_LEASE.c.asked_order.desc()).limit(1)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _lease(row)

    def latest(self, *, session: Session | None, owner: str | None, limit: int | None) -> list[Lease]:
        """Leases, live or ended, the ones asked for last first."""
        query = select(_LEASE).order_by(_LEASE.c.asked_order.desc()).limit(limit)
        if session is not None:
            query = query.where(_of_session(session))
        if owner is not None:
            query = query.where(_LEASE.c.owner == owner)
        return [_lease(row) for row in self._connection.execute(query)]

    def holding_times_s(self, pool: str, most: int) -> list[float]:
        """How long the latest leases of a pool that ended had been held, the latest last."""
        query = (
            select(_LEASE.c.held_at, _LEASE.c.ended_at)
            .where(_LEASE.c.pool == pool, _LEASE.c.held_at.is_not(None), _LEASE.c.ended_at.is_not(None))
            .order_by(_LEASE.c.asked_order.desc())
            .limit(most)
        )
        rows = self._connection.execute(query).all()
        return [(row.ended_at - row.held_at).total_seconds() for row in reversed(rows)]

    def held_within(self, since: datetime, until: datetime) -> Iterator[Holding]:
        """Each lease that was held at some time of the period."""
        columns = [_LEASE.c[name] for name in Holding._fields]
        not_before = or_(_LEASE.c.ended_at.is_(None), _LEASE.c.ended_at > since)
        query = select(*columns).where(_LEASE.c.held_at < until, not_before).execution_options(yield_per=1000)
        return (Holding(*row) for row in self._connection.execute(query))

    def _served(self, pool: str) -> list[int]:
        was_served = or_(_LEASE.c.offered_at.is_not(None), _LEASE.c.held_at.is_not(None))
        query = select(_LEASE.c.asked_order).where(_LEASE.c.pool == pool, was_served)
        return list(self._connection.execute(query.order_by(_LEASE.c.asked_order.desc()).limit(OVERTAKINGS)).scalars())

    def _set_quota(self, quota: Quota) -> None:
        same = and_(_QUOTA.c.cohort == quota.cohort, _QUOTA.c.pool == quota.pool)
        self._connection.execute(delete(_QUOTA).where(same))
        values = {column.name: getattr(quota, column.name) for column in _QUOTA.c}
        self._connection.execute(insert(_QUOTA).values(values))


def _of_session(session: Session) -> ColumnElement[bool]:
    return and_(_LEASE.c.session_kind == session.kind.value, _LEASE.c.session_name == session.name)


def _row(lease: Lease) -> dict[str, object]:
    ask = lease.ask
    return {
        "asked_order": lease.order,
        "id": lease.id,
        "key": ask.key,
        "session_kind": ask.session.kind.value,
        "session_name": ask.session.name,
        "owner": ask.owner,
        "cohort": ask.cohort,
        "organisation": ask.organisation,
        "profile": ask.profile,
        "pool": lease.pool,
        "wait": ask.wait,
        "patience_s": ask.patience_s,
        "demand": demand_to_text(lease.demand),
        "size_milli": size_milli(lease.demand),
        "status": lease.status.value,
        "overtaken": lease.overtaken,
        "placement": None if lease.placement is None else placement_to_text(lease.placement),
        "fence": lease.fence,
        "asked_at": lease.asked_at,
        "offered_at": lease.offered_at,
        "claim_by": lease.claim_by,
        "held_at": lease.held_at,
        "seen_at": lease.seen_at,
        "ended_at": lease.ended_at,
        "reason": None if lease.reason is None else lease.reason.value,
    }


def _changing(lease: Lease) -> dict[str, object]:
    row = _row(lease)
    changing = {f"new_{name}": row[name] for name in _CHANGING}
    changing["row"] = lease.order
    return changing


def _lease(row: Any) -> Lease:
    session = Session(SessionKind(row.session_kind), row.session_name)
    return Lease(
        id=row.id,
        ask=Ask(row.key, session, row.owner, row.cohort, row.organisation, row.profile, bool(row.wait), row.patience_s),
        pool=row.pool,
        demand=demand_from_text(row.demand),
        status=LeaseStatus(row.status),
        asked_at=row.asked_at,
        order=row.asked_order,
        overtaken=row.overtaken,
        placement=None if row.placement is None else placement_from_text(row.placement),
        fence=row.fence,
        offered_at=row.offered_at,
        claim_by=row.claim_by,
        held_at=row.held_at,
        seen_at=row.seen_at,
        ended_at=row.ended_at,
        reason=None if row.reason is None else EndReason(row.reason),
    )

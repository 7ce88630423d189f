"""The reconciler: no crash loses a share for good, and no failed look frees one."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import pytest

from hub.clock import ManualClock
from hub.errors import HubError
from hub.gpu.errors import InventoryError
from hub.gpu.model import Node
from hub.leases import reconciler as module
from hub.leases.model import EndReason, Lease, LeaseStatus, RunningSession, SessionKind
from hub.leases.reconciler import Reconciler
from tests.hub.leases.desks import WHOLE, KillableDesk, ask, without

GRACE_S = 180


class Machine:
    """What a look and a listing find."""

    def __init__(self, desk: KillableDesk) -> None:
        self.nodes: Iterable[Node] | None = desk.offers.nodes
        self.running: list[RunningSession] | None = []
        self.fallen: list[RunningSession] = []
        self.unchanged: str | None = None
        self.failure: OSError | None = None
        self.reconciler = Reconciler(desk, self.list, self.fall_back, self.look, grace_s=GRACE_S)

    def list(self) -> Iterable[RunningSession]:
        if self.running is None:
            raise HubError
        return list(self.running)

    def look(self) -> Iterable[Node]:
        if self.nodes is None:
            raise InventoryError
        return self.nodes

    def fall_back(self, session: RunningSession, lease: Lease | None) -> str | None:
        assert lease is None or not lease.is_live or lease.fence != session.fence
        self.fallen.append(session)
        if self.failure is not None:
            raise self.failure
        return self.unchanged

    async def passes(self, times: int = 1) -> None:
        for _ in range(times):
            try:
                await self.reconciler.compare()
            except HubError:
                assert self.running is None


@pytest.fixture
def machine(desk: KillableDesk) -> Machine:
    return Machine(desk)


def runs(lease: Lease) -> RunningSession:
    return RunningSession(lease.ask.session, lease.id, lease.fence)


async def test_a_lease_whose_server_never_came_ends_after_the_grace_and_two_listings(
    desk: KillableDesk, machine: Machine, clock: ManualClock
) -> None:
    lease = await desk.acquire(ask("ann"))
    clock.advance(GRACE_S - 1)
    await machine.passes(3)
    assert (await desk.find(lease.id)).is_live
    clock.advance(1)
    await machine.passes()
    assert (await desk.find(lease.id)).is_live
    await machine.passes()
    assert (await desk.find(lease.id)).reason is EndReason.ORPHANED


async def test_a_lease_whose_server_was_seen_and_has_gone_ends_after_two_listings(
    desk: KillableDesk, machine: Machine
) -> None:
    lease = await desk.acquire(ask("ann"))
    machine.running = [runs(lease)]
    await machine.passes()
    assert (await desk.find(lease.id)).seen_at is not None
    machine.running = []
    await machine.passes()
    assert (await desk.find(lease.id)).is_live
    await machine.passes()
    assert (await desk.find(lease.id)).reason is EndReason.ORPHANED


async def test_a_failed_listing_frees_nothing_and_starts_the_count_afresh(
    desk: KillableDesk, machine: Machine, clock: ManualClock
) -> None:
    lease = await desk.acquire(ask("ann"))
    clock.advance(GRACE_S)
    await machine.passes()
    machine.running = None
    await machine.passes(5)
    machine.running = []
    await machine.passes()
    assert (await desk.find(lease.id)).is_live
    await machine.passes()
    assert not (await desk.find(lease.id)).is_live


async def test_a_server_under_another_lease_does_not_count_and_loses_its_limits(
    desk: KillableDesk, machine: Machine, clock: ManualClock
) -> None:
    old = await desk.release((await desk.acquire(ask("ann", key="old"))).id)
    new = await desk.acquire(ask("ann", key="new"))
    basic = RunningSession(ask("bob").session, None, None)
    machine.running = [runs(old), basic]
    clock.advance(GRACE_S)
    await machine.passes(2)
    assert machine.fallen == [runs(old)]  # once
    assert (await desk.find(new.id)).reason is EndReason.ORPHANED
    machine.running = [replace(runs(old), fence=99)]
    await machine.passes()
    assert machine.fallen[1:] == machine.running


async def test_limits_that_cannot_be_changed_now_are_tried_again(desk: KillableDesk, machine: Machine) -> None:
    lease = await desk.release((await desk.acquire(ask("ann"))).id, EndReason.REVOKED)
    machine.running, machine.unchanged = [runs(lease)], "memory: in use."
    await machine.passes(2)
    machine.unchanged = None
    await machine.passes(2)
    assert machine.fallen == [runs(lease)] * 3


async def test_a_server_whose_limits_cannot_be_reached_leaves_no_other_its_share(
    desk: KillableDesk, machine: Machine
) -> None:
    ended = [await desk.release((await desk.acquire(ask(name))).id, EndReason.REVOKED) for name in ("ann", "bob")]
    machine.running, machine.failure = [runs(lease) for lease in ended], OSError(28, "No space left on device")
    await machine.passes()
    assert set(machine.fallen) == set(machine.running)
    machine.failure = None
    await machine.passes(2)
    assert len(machine.fallen) == 4


async def test_grading_leases_are_left_to_their_heartbeats(
    desk: KillableDesk, machine: Machine, clock: ManualClock
) -> None:
    lease = await desk.acquire(ask("job", kind=SessionKind.GRADING, patience_s=10_000))
    clock.advance(GRACE_S)
    await machine.passes(3)
    assert (await desk.find(lease.id)).is_live


async def test_it_goes_on_by_itself_whatever_fails(
    desk: KillableDesk, machine: Machine, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.001)
    monkeypatch.setattr(module, "PASS_EVERY_S", 0.001)
    first, second = await desk.acquire(ask("ann", WHOLE)), await desk.acquire(ask("bob", WHOLE))
    waits = await desk.acquire(ask("cao", WHOLE))
    machine.nodes = machine.running = None
    task = asyncio.create_task(machine.reconciler.run())
    await asyncio.sleep(0.05)
    assert {lease.id for lease in await desk.list()} == {first.id, second.id, waits.id}
    assert first.placement is not None
    machine.nodes = [without(desk.offers, first.placement.shares[0].device)]
    await _until(desk, first.id, LeaseStatus.ENDED)
    assert (await desk.find(first.id)).reason is EndReason.DEVICE_LOST
    machine.running = []
    clock.advance(GRACE_S)
    await _until(desk, waits.id, LeaseStatus.OFFERED)
    clock.advance(121)
    await _until(desk, waits.id, LeaseStatus.ENDED)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _until(desk: KillableDesk, lease: str, status: LeaseStatus) -> None:
    async with asyncio.timeout(30):
        while (await desk.find(lease)).status is not status:
            await desk.changed(desk.version, 1)

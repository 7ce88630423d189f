"""What must hold for leases whatever happened, worked out anew from the records alone."""

from collections import Counter
from collections.abc import Iterable

from hub.database import Database
from hub.gpu.mig import SLICE_MILLI, profiles
from hub.gpu.model import DeviceStatus
from hub.gpu.placement import Fleet
from hub.gpu.profiles import expected_workload
from hub.leases.model import Lease, LeaseStatus
from hub.leases.offers import Offers
from hub.leases.quotas import Quotas, size_milli
from hub.leases.store import Leases


def recorded(database: Database) -> dict[str, Lease]:
    """Every lease in the database."""
    with database.reading() as connection:
        return {lease.id: lease for lease in Leases(connection).latest(session=None, owner=None, limit=10**6)}


def check_no_overlap(leases: Iterable[Lease], offers: Offers) -> None:
    """What is offered or held fits into the devices, each part once, and lies on no lost device."""
    used: Counter[tuple[str, str]] = Counter()
    taken_slices: Counter[tuple[str, int]] = Counter()
    devices = {device.id: device for node in offers.nodes for device in node.devices}
    for lease in leases:
        if lease.takes:
            assert lease.placement is not None
            used[lease.placement.node, "cpu"] += lease.placement.cpu_milli
            used[lease.placement.node, "memory"] += lease.placement.memory_mib
            for share in lease.placement.shares:
                assert devices[share.device].status is DeviceStatus.OK
                used[share.device, "compute"] += share.compute_milli
                if share.mig is not None:
                    assert share.start is not None
                    size = profiles()[share.mig].memory_slices
                    assert share.compute_milli == size * SLICE_MILLI
                    taken_slices.update((share.device, share.start + at) for at in range(size))
                else:
                    used[share.device, "memory"] += share.memory_mib
    assert not [one for one, times in taken_slices.items() if times > 1]
    for node in offers.nodes:
        assert used[node.id, "cpu"] <= node.cpu_milli
        assert used[node.id, "memory"] <= node.memory_mib
    for device in devices.values():
        assert used[device.id, "compute"] <= device.compute_milli
        assert used[device.id, "memory"] <= device.memory_mib


def fleet_with(leases: Iterable[Lease], offers: Offers) -> Fleet:
    """A new fleet with what is taken taken: what is free in it is what should be."""
    fleet = Fleet(offers.nodes, expected_workload(offers.profiles))
    for lease in sorted(leases, key=lambda one: one.order):
        if lease.takes:
            assert lease.placement is not None
            fleet.take(lease.placement)
    return fleet


def times_overtaken(lease: Lease, leases: Iterable[Lease]) -> int:
    """How many of the same pool that asked later were served."""
    return sum(
        one.pool == lease.pool and one.order > lease.order and (one.offered_at or one.held_at) is not None
        for one in leases
    )


def check_nobody_waits_in_vain(leases: Iterable[Lease], offers: Offers, quotas: Quotas, bound: int) -> None:
    """Whoever waits while their share is free waits for their quota, or for somebody who may not be overtaken any more."""
    leases = list(leases)
    fleet = fleet_with(leases, offers)
    for lease in leases:
        if lease.takes:
            quotas.take(lease)
    kept_together: set[str] = set()
    for lease in sorted(leases, key=lambda one: one.order):
        size = size_milli(lease.demand)
        admitted = quotas.cohort_admits(lease.ask.cohort, lease.pool, size) and quotas.learner_admits(
            lease.ask.cohort, lease.ask.owner, lease.pool, size
        )
        if lease.status is not LeaseStatus.WAITING or not admitted or lease.pool in kept_together:
            continue
        assert fleet.find(lease.demand) is None, f"{lease.ask.owner} waits for what is free"
        if times_overtaken(lease, leases) >= bound and fleet.could_ever_fit(lease.demand):
            kept_together.add(lease.pool)

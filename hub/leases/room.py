"""What is free: the fleet and the quotas as one thing that leases are taken out of and given back to. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from hub.gpu.model import Demand, Device, DeviceStatus, Placement
from hub.gpu.placement import Fleet
from hub.gpu.profiles import expected_workload
from hub.leases.model import Lease, Wait
from hub.leases.offers import Offers
from hub.leases.quotas import Quotas, size_milli


class Room:
    """A fleet of the nodes on offer with nothing placed in it yet, and what of the quotas is used."""

    def __init__(self, offers: Offers, quotas: Quotas) -> None:
        self.quotas = quotas
        self._fleet = Fleet(offers.nodes, expected_workload(offers.profiles))
        self._pools_of = {node.id: offers.pools_of(node) for node in offers.nodes}
        self._lost = {device.id for device in _devices(offers) if device.status is DeviceStatus.LOST}
        self._found: dict[Demand, Placement | None] = {}
        self._ever: dict[Demand, bool] = {}

    def take(self, lease: Lease) -> None:
        """Take what the lease's placement says. Raises `PlacementConflictError` or `UnknownDeviceError`, and then changes nothing."""
        assert lease.placement is not None
        self._fleet.take(lease.placement)
        self._found.clear()
        self.quotas.take(lease)

    def give_back(self, lease: Lease) -> tuple[str, ...]:
        """Give it back. Returns the pools in which somebody may gain by it."""
        assert lease.placement is not None
        self._fleet.give_back(lease.placement)
        self._found.clear()
        self.quotas.give_back(lease)
        return self._pools_of[lease.placement.node]

    def find(self, demand: Demand) -> Placement | None:
        """Where `demand` would go now. Remembered until something is taken or given back."""
        if demand not in self._found:
            self._found[demand] = self._fleet.find(demand)
        return self._found[demand]

    def ever_fits(self, demand: Demand) -> bool:
        """Whether the devices that are here now could serve it with nobody else on them."""
        fits = self._ever.get(demand)
        if fits is None:
            self._ever[demand] = fits = self._fleet.could_ever_fit(demand)
        return fits

    def count(self, demand: Demand) -> int:
        """How many more of `demand` fit now."""
        return self._fleet.room(demand)

    def is_lost(self, lease: Lease) -> bool:
        """Whether a device the lease is on is lost."""
        return lease.placement is not None and any(share.device in self._lost for share in lease.placement.shares)

    def why(self, lease: Lease) -> Wait:
        """Why a lease that waits does so."""
        gate = self.gate(lease.pool)
        if not gate.cohort_admits(lease.demand, lease.ask.cohort):
            return Wait.COHORT_QUOTA
        if not gate.learner_admits(lease.demand, lease.ask.cohort, lease.ask.owner):
            return Wait.LEARNER_QUOTA
        return Wait.BEHIND if self.find(lease.demand) else Wait.DEVICES_FULL

    def gate(self, pool: str) -> "PoolGate":
        return PoolGate(self, pool)


@dataclass(frozen=True, slots=True)
class PoolGate:
    """What decides about those who wait for one pool: a `hub.leases.turns.Gate`."""

    room: Room
    pool: str

    def cohort_admits(self, demand: Demand, cohort: str) -> bool:
        return self.room.quotas.cohort_admits(cohort, self.pool, size_milli(demand))

    def learner_admits(self, demand: Demand, cohort: str, owner: str) -> bool:
        return self.room.quotas.learner_admits(cohort, owner, self.pool, size_milli(demand))

    def fits(self, demand: Demand) -> bool:
        return self.room.find(demand) is not None

    def ever_fits(self, demand: Demand) -> bool:
        return self.room.ever_fits(demand)


def _devices(offers: Offers) -> Iterable[Device]:
    return (device for node in offers.nodes for device in node.devices)

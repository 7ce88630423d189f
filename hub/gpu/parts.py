"""What is asked of a node's devices, and the ways in which they can serve it.

Both are remembered where they are asked for: by the free devices of a node, and by what demands have in common that differ in host CPU and
memory alone. There are far fewer of these than of nodes and demands.
"""

from dataclasses import dataclass, field, replace
from itertools import chain, groupby
from typing import NamedTuple

from hub.gpu.mig import SLICE_MILLI, profiles
from hub.gpu.model import Demand
from hub.gpu.states import DeviceFree, Kinds, Pick, Way

PICKS_LIMIT = 100_000
WAYS_LIMIT = 256
"""Remembered device states per part, and parts per set of devices, before they are forgotten; bounds memory under made-up sizes."""


def compute_of(demand: Demand) -> int:
    """Thousandths of a device a demand takes in all."""
    return demand.devices * part_of(demand)


def part_of(demand: Demand) -> int:
    """Thousandths of each of its devices a demand takes."""
    if demand.mig is not None:
        return profiles()[demand.mig].memory_slices * SLICE_MILLI
    return demand.compute_milli


class _OnDevice(dict[DeviceFree, tuple[Way, ...]]):
    """Free device -> the ways to take one of a demand's parts there; none if it does not fit."""

    def __init__(self, kinds: Kinds, demand: Demand) -> None:
        super().__init__()
        self._kinds = kinds
        self._demand = demand
        self._admits: dict[int, bool] = {}

    def __missing__(self, free: DeviceFree) -> tuple[Way, ...]:
        if len(self) >= PICKS_LIMIT:
            self.clear()
        admits = self._admits.get(free.kind)
        if admits is None:
            self._admits[free.kind] = admits = self._kinds[free.kind].admits(self._demand)
        self[free] = ways = tuple([(pick,) for pick in self._picks(free)]) if admits else ()
        return ways

    def _picks(self, free: DeviceFree) -> list[Pick]:
        if self._demand.mig is not None:
            return [Pick(free, after, start) for start, after in self._kinds.moves(free, self._demand.mig)]
        compute_milli = free.compute_milli - self._demand.compute_milli
        memory_mib = free.memory_mib - self._demand.device_memory_mib
        if compute_milli < 0 or memory_mib < 0:
            return []
        return [Pick(free, DeviceFree(free.kind, compute_milli, memory_mib, 0), -1)]


class DevicePart:
    """What demands have in common that differ in nothing but host CPU and memory."""

    __slots__ = ("_on_device", "compute_milli", "demand", "milli")

    def __init__(self, kinds: Kinds, demand: Demand) -> None:
        self.demand = replace(demand, cpu_milli=0, memory_mib=0)
        self.milli = part_of(demand)
        """Thousandths of each device."""
        self.compute_milli = compute_of(demand)
        """Thousandths of a device in all."""
        self._on_device = _OnDevice(kinds, self.demand)

    def ways(self, devices: tuple[DeviceFree, ...]) -> tuple[Way, ...]:
        """The different ways the sorted `devices` of one node can serve it: one per distinct device state, tightest first.

        For several devices the tightest that fit, all of one kind.
        """
        needed, on_device = self.demand.devices, self._on_device
        if needed == 1:
            if len(devices) == 1:
                return on_device[devices[0]]
            serving = [ways for free in dict.fromkeys(devices) if (ways := on_device[free])]
            return serving[0] if len(serving) == 1 else tuple(chain.from_iterable(serving))
        runs = (list(run) for _, run in groupby(devices, key=lambda free: free.kind))
        fitting = (tuple([pick for free in run for (pick,) in on_device[free]]) for run in runs)
        return tuple([picks[:needed] for picks in fitting if len(picks) >= needed])


class Alike(NamedTuple):
    """Devices of one kind on one node that parts of one size fit: how many, and their free compute."""

    kind: int
    able: int
    usable_milli: int


@dataclass(slots=True, eq=False)
class DeviceSet:
    """A node's pool and free devices: what follows from them alone, whatever host CPU and memory they come with."""

    number: int
    """Tells sets apart; equal ones may have two once an earlier one is forgotten."""
    pool: str
    devices: tuple[DeviceFree, ...]
    loaded: tuple[DeviceFree, ...] = field(init=False)
    """Those with free compute: on the others there is nothing to waste."""
    compute_milli: int = field(init=False)
    most_milli: int = field(init=False)
    next_milli: int = field(init=False)
    """Free compute of its freest device, and of the next."""
    ways: dict[DevicePart, tuple[Way, ...]] = field(default_factory=dict)
    """What `serve` has answered."""
    alike: dict[int, tuple[Alike, ...]] = field(default_factory=dict)
    """By the number of a size that is asked for on several devices at once."""

    def __post_init__(self) -> None:
        self.loaded = tuple([free for free in self.devices if free.compute_milli])
        amounts = sorted([free.compute_milli for free in self.loaded])
        self.compute_milli = sum(amounts)
        self.most_milli = amounts[-1] if amounts else 0
        self.next_milli = amounts[-2] if len(amounts) > 1 else 0

    def serve(self, part: DevicePart) -> tuple[Way, ...]:
        """The different ways to serve `part`, tightest first; none if it does not fit."""
        ways = self.ways.get(part)
        if ways is None:
            demand = part.demand
            if demand.devices == 0:
                ways = ((),) if demand.pools is None or self.pool in demand.pools else ()
            else:
                # Where a part needs compute, devices without any are not worth a look.
                ways = part.ways(self.loaded if part.milli else self.devices)
            if len(self.ways) >= WAYS_LIMIT:
                self.ways.clear()
            self.ways[part] = ways
        return ways


def replaced(devices: tuple[DeviceFree, ...], picks: Way) -> tuple[DeviceFree, ...]:
    """The sorted devices of a node after `picks`."""
    if not picks:
        return devices
    left = list(devices)
    for pick in picks:
        left.remove(pick.before)
        left.append(pick.after)
    left.sort()
    return tuple(left)

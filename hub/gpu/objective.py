"""How much of a node's free compute is wasted: the number placement makes small. Whole numbers, in millionths of a device.

Three parts, each with a fixed weight for every fleet and workload:

1. *Fragments*: the free compute that a demand drawn from the workload could not use (Weng et al., "Beware of Fragmentation: Scheduling
   GPU-Sharing Workloads with Fragmentation Gradient Descent", USENIX ATC 2023), here also by host memory, device memory and MIG geometry.
2. *Stranded* compute: what the host's free CPU and memory could not serve at the rate the workload takes them along with compute. The first part
   asks whether the *next* demand fits, and so sees a host run dry only when it is too late; this one sees it from the first demand on, and
   sends those that need much CPU to hosts that have it to spare. Two rates: of the demands for devices alone, and of all demands.
3. *Room left* on the host and its devices, small: among equals, the fullest node (best fit).
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from hub.gpu.mig import SLICE_MILLI, profiles
from hub.gpu.model import Demand
from hub.gpu.states import DeviceFree, DeviceKind, Kinds, NodeState, Pick, options, usable_milli

MICRO = 1000
"""Millionths of a device in a thousandth."""
STRANDED_PER_RATE = 500
"""Weight of stranded compute, in thousandths of that of a fragment; halves because there are two rates."""
ROOM_PER_CPU_MILLI = (25, 128)
ROOM_PER_COMPUTE_MILLI = (25, 8)
"""Millionths of a device per thousandth left, as fractions: a twentieth of best fit with both sides of the trace's largest node counted
alike. Neither these nor the weight above are critical: halved or doubled, they move seven of eight traces tried by less than 0.2 points of
unallocated GPU, and the eighth, whose pods use up all CPU, by 0.6; all stay below FGD."""
UNBOUNDED = 1 << 62
TABLE_LIMIT = 100_000
"""Remembered device values per table before it starts afresh; bounds memory under endlessly many sizes."""


class Rate(NamedTuple):
    """Totals over a workload: for so much compute it takes so much CPU and memory along."""

    compute_milli: int
    cpu_milli: int
    memory_mib: int

    def served_milli(self, cpu_milli: int, memory_mib: int) -> int:
        """The compute that so much CPU and memory goes with; what there is beyond it is stranded."""
        if not self.memory_mib:
            return cpu_milli * self.compute_milli // self.cpu_milli if self.cpu_milli else UNBOUNDED
        by_memory = memory_mib * self.compute_milli // self.memory_mib
        return min(cpu_milli * self.compute_milli // self.cpu_milli, by_memory) if self.cpu_milli else by_memory


class Choice(NamedTuple):
    """The best way for one demand to go to a node in one state; the lower `score` the better."""

    score: int
    picks: tuple[Pick, ...]


@dataclass(frozen=True, slots=True)
class Workload:
    """The demands to expect, each with a whole weight: from usage records, or one of each profile on offer."""

    weights: tuple[tuple[Demand, int], ...]

    @classmethod
    def of(cls, weights: Mapping[Demand, int]) -> "Workload":
        """The workload in an order that does not depend on the mapping's."""
        return cls(tuple(sorted(weights.items(), key=lambda item: (-item[1], repr(item[0])))))

    def rates(self) -> tuple[Rate, ...]:
        """CPU and memory per compute: of demands for devices, and of all demands."""
        with_devices = _rate((demand, weight) for demand, weight in self.weights if demand.devices)
        if not with_devices.compute_milli:
            return ()
        return (with_devices, _rate(self.weights))


def _rate(weights: Iterable[tuple[Demand, int]]) -> Rate:
    compute = cpu = memory = 0
    for demand, weight in weights:
        compute += weight * compute_of(demand)
        cpu += weight * demand.cpu_milli
        memory += weight * demand.memory_mib
    return Rate(compute, cpu, memory)


def compute_of(demand: Demand) -> int:
    """Thousandths of a device a demand takes in all."""
    return demand.devices * part_of(demand)


def part_of(demand: Demand) -> int:
    """Thousandths of each of its devices a demand takes."""
    if demand.mig is not None:
        return profiles()[demand.mig].memory_slices * SLICE_MILLI
    return demand.compute_milli


class _Admitting(dict[int, bool]):
    """Which device kinds admit a demand: a container of their indexes."""

    def __init__(self, kinds: Kinds, demand: Demand) -> None:
        super().__init__()
        self._kinds = kinds
        self._demand = demand

    def __missing__(self, kind: int) -> bool:
        self[kind] = admits = self._kinds[kind].admits(self._demand)
        return admits

    def __contains__(self, kind: object) -> bool:
        return isinstance(kind, int) and self[kind]


class _FragmentTable(dict[DeviceFree, int]):
    """Free device -> weighted compute that demands for one device cannot use, on hosts that admit just `fitting` of the workload."""

    def __init__(self, kinds: Kinds, total: int, fitting: Iterable[tuple[Demand, int]]) -> None:
        super().__init__()
        self._kinds = kinds
        self._total = total
        fitting = tuple(fitting)
        self._single = tuple((demand, weight) for demand, weight in fitting if demand.devices == 1)
        self._compute_steps = sorted({demand.compute_milli for demand, _ in self._single})
        self._memory_steps = sorted({demand.device_memory_mib for demand, _ in self._single})
        self._fitting: dict[tuple[int, int, int], int] = {}
        by_size: dict[Demand, list[tuple[int, int]]] = {}
        for demand, weight in fitting:
            if demand.devices > 1:
                size = Demand(
                    devices=1,
                    compute_milli=demand.compute_milli,
                    device_memory_mib=demand.device_memory_mib,
                    models=demand.models,
                    pools=demand.pools,
                    engines=demand.engines,
                )
                by_size.setdefault(size, []).append((demand.devices, weight))
        self._several = tuple((_UsableTable(kinds, size), tuple(sorted(counts))) for size, counts in by_size.items())

    def change(self, devices: tuple[DeviceFree, ...], picks: tuple[Pick, ...]) -> int:
        """By how much `picks` change the weighted fragments of `devices`, but for what demands for several devices use *before*."""
        change = 0
        for before, after, _ in picks:
            change += self[after] - self[before]
        return change - self.usable_by_several(replaced(devices, picks)) if self._several else change

    def usable_by_several(self, devices: tuple[DeviceFree, ...]) -> int:
        """Weighted compute that demands for more than one device can use."""
        if not self._several or not devices:
            return 0
        if devices[0].kind == devices[-1].kind:
            return self._usable_by_several(devices)
        # The devices of one session must be alike.
        runs = groupby(devices, key=lambda free: free.kind)
        return sum(self._usable_by_several(tuple(alike)) for _, alike in runs)

    def _usable_by_several(self, devices: tuple[DeviceFree, ...]) -> int:
        total = 0
        for usable, counts in self._several:
            amounts = [usable[free] for free in devices]
            able = len(amounts) - amounts.count(0)
            if able >= counts[0][0]:
                total += sum(amounts) * sum([weight for needed, weight in counts if needed <= able])
        return total

    def __missing__(self, free: DeviceFree) -> int:
        if len(self) >= TABLE_LIMIT:
            self.clear()
        kind = self._kinds[free.kind]
        if kind.layout is None:
            usable = self._weight_fitting(kind, free) * free.compute_milli
        else:
            usable = sum([weight * usable_milli(kind, free, demand) for demand, weight in self._single])
        self[free] = value = self._total * free.compute_milli - usable
        return value

    def _weight_fitting(self, kind: DeviceKind, free: DeviceFree) -> int:
        """Weight of the demands that fit an undivided device: the same between two sizes that are asked for."""
        at = (
            free.kind,
            bisect_right(self._compute_steps, free.compute_milli),
            bisect_right(self._memory_steps, free.memory_mib),
        )
        weight = self._fitting.get(at)
        if weight is None:
            fits = [
                weight
                for demand, weight in self._single
                if demand.compute_milli <= free.compute_milli
                and demand.device_memory_mib <= free.memory_mib
                and kind.admits(demand)
            ]
            self._fitting[at] = weight = sum(fits)
        return weight


class _UsableTable(dict[DeviceFree, int]):
    """Free device -> compute that parts of one size can use."""

    def __init__(self, kinds: Kinds, size: Demand) -> None:
        super().__init__()
        self._kinds = kinds
        self._size = size

    def __missing__(self, free: DeviceFree) -> int:
        if len(self) >= TABLE_LIMIT:
            self.clear()
        self[free] = value = usable_milli(self._kinds[free.kind], free, self._size)
        return value


class Objective:
    """Scores node states against one workload. Pure: remembers only what it would compute again."""

    def __init__(self, workload: Workload, kinds: Kinds) -> None:
        self._kinds = kinds
        self._weights = workload.weights
        self._total = sum(weight for _, weight in workload.weights) or 1
        self._rates = workload.rates()
        self._cpu_steps = sorted({demand.cpu_milli for demand, _ in workload.weights})
        self._memory_steps = sorted({demand.memory_mib for demand, _ in workload.weights})
        self._tables: dict[tuple[int, int], _FragmentTable] = {}
        self._by_fitting: dict[tuple[int, ...], _FragmentTable] = {}
        self._admitting_by_demand: dict[Demand, _Admitting] = {}

    def waste(self, state: NodeState) -> int:
        """Millionths of a device wasted on a node in `state`: parts 1 and 2."""
        table = self._table(state.cpu_milli, state.memory_mib)
        fragments = sum(map(table.__getitem__, state.devices)) - table.usable_by_several(state.devices)
        compute_milli = sum([free.compute_milli for free in state.devices])
        return fragments * MICRO // self._total + self._stranded(state.cpu_milli, state.memory_mib, compute_milli)

    def best(self, state: NodeState, demand: Demand, waste: int | None = None) -> Choice | None:
        """How `demand` is best served by a node in `state`, whose `waste` the caller may know; None if it cannot be.

        The score is what the waste grows by, plus part 3. Of equal ways the one listed first by `options`, the tightest, wins.
        """
        cpu_milli = state.cpu_milli - demand.cpu_milli
        memory_mib = state.memory_mib - demand.memory_mib
        if cpu_milli < 0 or memory_mib < 0:
            return None
        if demand.devices == 0 and demand.pools is not None and state.pool not in demand.pools:
            return None
        ways = options(self._kinds, state.devices, demand, self._admitting(demand))
        if not ways:
            return None
        table = self._table(cpu_milli, memory_mib)
        changes = [table.change(state.devices, way) for way in ways]
        change = min(changes)
        chosen = ways[changes.index(change)]
        # The ways differ in fragments alone: the host gives the same, and so do the devices in all.
        fragments = sum(map(table.__getitem__, state.devices)) + change
        compute_milli = sum([free.compute_milli for free in state.devices]) - compute_of(demand)
        left = fragments * MICRO // self._total + self._stranded(cpu_milli, memory_mib, compute_milli)
        room = _part(ROOM_PER_CPU_MILLI, cpu_milli) + _part(ROOM_PER_COMPUTE_MILLI, compute_milli)
        return Choice(left + room - (self.waste(state) if waste is None else waste), chosen)

    def _stranded(self, cpu_milli: int, memory_mib: int, compute_milli: int) -> int:
        stranded = 0
        for rate in self._rates:
            served = rate.served_milli(cpu_milli, memory_mib)
            if served < compute_milli:
                stranded += STRANDED_PER_RATE * (compute_milli - served)
        return stranded

    def _admitting(self, demand: Demand) -> "_Admitting":
        admitting = self._admitting_by_demand.get(demand)
        if admitting is None:
            if len(self._admitting_by_demand) >= TABLE_LIMIT:
                self._admitting_by_demand.clear()
            self._admitting_by_demand[demand] = admitting = _Admitting(self._kinds, demand)
        return admitting

    def _table(self, cpu_milli: int, memory_mib: int) -> "_FragmentTable":
        """Shared by all hosts that admit the same demands: only where their CPU and memory lie among the workload's matters."""
        at = bisect_right(self._cpu_steps, cpu_milli), bisect_right(self._memory_steps, memory_mib)
        table = self._tables.get(at)
        if table is None:
            fitting = tuple(
                index
                for index, (demand, _) in enumerate(self._weights)
                if demand.cpu_milli <= cpu_milli and demand.memory_mib <= memory_mib
            )
            table = self._by_fitting.get(fitting)
            if table is None:
                table = _FragmentTable(self._kinds, self._total, (self._weights[index] for index in fitting))
                self._by_fitting[fitting] = table
            self._tables[at] = table
        return table


def replaced(devices: tuple[DeviceFree, ...], picks: tuple[Pick, ...]) -> tuple[DeviceFree, ...]:
    """The sorted devices of a node after `picks`."""
    if not picks:
        return devices
    left = list(devices)
    for pick in picks:
        left.remove(pick.before)
        left.append(pick.after)
    left.sort()
    return tuple(left)


def _part(fraction: tuple[int, int], amount: int) -> int:
    return amount * fraction[0] // fraction[1]

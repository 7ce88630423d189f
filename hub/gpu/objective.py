"""How much of a node's free compute is wasted: the number placement makes small. Whole numbers, in millionths of a device.

Four parts, each with a fixed weight for every fleet and workload:

1. *Fragments*: the free compute that a demand drawn from the workload could not use (Weng et al., "Beware of Fragmentation: Scheduling
   GPU-Sharing Workloads with Fragmentation Gradient Descent", USENIX ATC 2023), here also by host memory, device memory and MIG geometry.
2. *Stranded* compute: what the host's free CPU and memory could not serve at the rate the workload takes them along with compute. The first part
   asks whether the *next* demand fits, and so sees a host run dry only when it is too late; this one sees it from the first demand on, and
   sends those that need much CPU to hosts that have it to spare. Two rates: of the demands for devices alone, and of all demands.
3. *Room left* on the host and its devices, small: among equals, the fullest node (best fit).
4. *Worth* of free compute of a kind that demands ask for by name (by model, pool, engine or MIG profile), taken off the waste: the nearer what
   they ask for comes to what there is of that kind, the better it is kept for them. The first part prefers a kind that few ask for, even where
   there is less of it than they need; this one sends those that may go anywhere to where nobody else has to go.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from hub.gpu.fragments import FragmentTables
from hub.gpu.hosts import Hosts, Rate
from hub.gpu.model import Demand
from hub.gpu.parts import DevicePart, DeviceSet, compute_of
from hub.gpu.states import DeviceFree, Kinds, NodeState, Way

MICRO = 1000
"""Millionths of a device in a thousandth."""
MILLION = 1_000_000
STRANDED_PER_RATE = 500
"""Weight of stranded compute, in thousandths of that of a fragment; halves because there are two rates."""
CPU_ROOM, CPU_ROOM_PER = 25, 128
COMPUTE_ROOM, COMPUTE_ROOM_PER = 25, 8
"""Millionths of a device per thousandth left, as fractions: a twentieth of best fit with both sides of the trace's largest node counted
alike. Neither these nor the weight above are critical: halved or doubled, they move seven of eight traces tried by less than 0.2 points of
unallocated GPU, and the eighth, whose pods use up all CPU, by 0.6; all stay below FGD."""
DEVICE_SETS_LIMIT = 20_000
WORTH_PER_PRESSURE = 200
"""Worth of compute of which all is asked for by name, in thousandths of the weight of a fragment. At 50 half of the gain is lost, 400 gains
no more."""
PARTS_LIMIT = 2_000
"""Remembered values before a memory starts afresh; bounds memory under endlessly many sizes."""
NOTHING_GOES_ALONG = Rate(0, 0, 0)


class Choice(NamedTuple):
    """The best way for one demand to go to a node in one state; the lower `score`, what the waste grows by plus part 3, the better."""

    score: int
    picks: Way


@dataclass(frozen=True, slots=True)
class Workload:
    """The demands to expect, each with a whole weight: from usage records, or one of each profile on offer."""

    weights: tuple[tuple[Demand, int], ...]

    @classmethod
    def of(cls, weights: Mapping[Demand, int]) -> "Workload":
        """The workload in an order that does not depend on the mapping's."""
        return cls(tuple(sorted(weights.items(), key=lambda item: (-item[1], repr(item[0])))))

    def rates(self) -> tuple[Rate, Rate]:
        """CPU and memory per compute: of demands for devices, and of all demands. Nothing per nothing where no compute is asked for."""
        with_devices = _rate((demand, weight) for demand, weight in self.weights if demand.devices)
        if not with_devices.compute_milli:
            return NOTHING_GOES_ALONG, NOTHING_GOES_ALONG
        return with_devices, _rate(self.weights)


def _rate(weights: Iterable[tuple[Demand, int]]) -> Rate:
    compute = cpu = memory = 0
    for demand, weight in weights:
        compute += weight * compute_of(demand)
        cpu += weight * demand.cpu_milli
        memory += weight * demand.memory_mib
    return Rate(compute, cpu, memory)


def worth_by_kind(workload: Workload, kinds: Kinds, stock_milli: Mapping[int, int]) -> dict[int, int]:
    """Part 4: what free compute of a kind is worth, in billionths of the workload's weight. Kinds nobody has to have are left out.

    A demand that some kind does not admit asks by name for those that do, for each in proportion to its stock. The pressure on a kind is what is
    asked for by name, were all demands together to ask for just as much as there is, against its stock; and at most 1.
    """
    asked_milli = sum(weight * compute_of(demand) for demand, weight in workload.weights)
    if not asked_milli:
        return {}
    by_name: Counter[int] = Counter()
    """Millionths of a kind's stock."""
    for demand, weight in workload.weights:
        admitting = [kind for kind in stock_milli if demand.devices and kinds[kind].admits(demand)]
        if len(admitting) < len(stock_milli):
            of_each = MILLION * weight * compute_of(demand) // (sum(stock_milli[kind] for kind in admitting) or 1)
            by_name.update(dict.fromkeys(admitting, of_each))
    total, whole_stock_milli = sum(weight for _, weight in workload.weights), sum(stock_milli.values())
    pressure = {kind: min(asked * whole_stock_milli // asked_milli, MILLION) for kind, asked in by_name.items()}
    return {kind: total * WORTH_PER_PRESSURE * of_kind for kind, of_kind in pressure.items()}


class Objective:
    """Scores node states against one workload. Pure: remembers only what it would compute again."""

    def __init__(self, workload: Workload, kinds: Kinds) -> None:
        self._kinds = kinds
        self._total = sum(weight for _, weight in workload.weights) or 1
        self._workload = workload
        self._fragments = FragmentTables(kinds, workload.weights)
        hosts = Hosts(workload.weights, workload.rates(), self._fragments)
        self._cpus, self._memories, self._tables = hosts.cpus, hosts.memories, hosts.tables
        self._nothing = DevicePart(kinds, Demand())
        self._numbers = count()
        self._device_sets: dict[tuple[str, tuple[DeviceFree, ...]], DeviceSet] = {}
        self._parts: dict[Demand, DevicePart] = {}

    def stock(self, compute_milli: Mapping[int, int]) -> None:
        """Take to heart how much compute of each device kind the fleet has in all. Whoever remembers scores has to ask again."""
        self._fragments.revalue(worth_by_kind(self._workload, self._kinds, compute_milli))

    def device_set(self, pool: str, devices: tuple[DeviceFree, ...]) -> DeviceSet:
        """What is remembered of these devices."""
        known = self._device_sets.get((pool, devices))
        if known is None:
            if len(self._device_sets) >= DEVICE_SETS_LIMIT:
                self._device_sets.clear()
            known = DeviceSet(next(self._numbers), pool, devices)
            self._device_sets[pool, devices] = known
        return known

    def part(self, demand: Demand) -> DevicePart:
        """What `demand` asks of devices: the same object for all that differ in host CPU and memory alone."""
        part = self._parts.get(demand)
        if part is None:
            if len(self._parts) >= PARTS_LIMIT:
                self._parts.clear()
            part = DevicePart(self._kinds, demand)
            # Its own demand stands for all of them.
            part = self._parts.setdefault(part.demand, part)
            self._parts[demand] = part
        return part

    def allowance(self, cpu_milli: int) -> int:
        """By how much a demand can score less than one that takes `cpu_milli` less, and no more memory, with the same part of devices.

        Only by the room of that CPU. Everything else can only grow: fewer of the workload fit beside it, and more is stranded.
        """
        return -(-cpu_milli * CPU_ROOM // CPU_ROOM_PER)

    def waste(self, devices: DeviceSet, cpu_milli: int, memory_mib: int) -> int:
        """Millionths of a device wasted on a node with these devices, CPU and memory free: parts 1 and 2."""
        nothing_taken = self.after(devices, self._nothing, cpu_milli, memory_mib)
        assert nothing_taken is not None
        room = cpu_milli * CPU_ROOM // CPU_ROOM_PER + devices.compute_milli * COMPUTE_ROOM // COMPUTE_ROOM_PER
        return nothing_taken - room

    def after(self, devices: DeviceSet, part: DevicePart, cpu_milli: int, memory_mib: int) -> int | None:
        """Parts 1 to 3 once `part` is taken in the best way and so much is left of the host; None if it does not fit.

        The ways differ in fragments alone: the host serves the same, and the devices have the same compute left in all.
        """
        ways = devices.ways.get(part)
        if ways is None:
            ways = devices.serve(part)
        if not ways:
            return None
        cpu_step, served, served_of_all = self._cpus[cpu_milli]
        memory_step, by_memory, by_memory_of_all = self._memories[memory_mib]
        fragments, _ = self._tables[cpu_step, memory_step].least(devices, ways)
        compute_milli = devices.compute_milli - part.compute_milli
        after = fragments * MICRO // self._total + cpu_milli * CPU_ROOM // CPU_ROOM_PER
        after += compute_milli * COMPUTE_ROOM // COMPUTE_ROOM_PER
        # Half of a decision's time goes into this function; min() would take a twentieth of that.
        if by_memory < served:  # noqa: PLR1730
            served = by_memory
        if by_memory_of_all < served_of_all:  # noqa: PLR1730
            served_of_all = by_memory_of_all
        if served < compute_milli:
            after += STRANDED_PER_RATE * (compute_milli - served)
        if served_of_all < compute_milli:
            after += STRANDED_PER_RATE * (compute_milli - served_of_all)
        return after

    def way(self, devices: DeviceSet, part: DevicePart, cpu_milli: int, memory_mib: int) -> Way:
        """The best way to take a `part` that fits, where so much is left of the host. Of equals the tightest."""
        ways = devices.serve(part)
        if len(ways) == 1:
            return ways[0]
        table = self._tables[self._cpus[cpu_milli][0], self._memories[memory_mib][0]]
        _, way = table.least(devices, ways)
        return way

    def best(self, state: NodeState, demand: Demand) -> Choice | None:
        """How `demand` is best served by a node in `state`; None if it cannot be."""
        cpu_milli = state.cpu_milli - demand.cpu_milli
        memory_mib = state.memory_mib - demand.memory_mib
        if cpu_milli < 0 or memory_mib < 0:
            return None
        devices, part = self.device_set(state.pool, state.devices), self.part(demand)
        after = self.after(devices, part, cpu_milli, memory_mib)
        if after is None:
            return None
        waste = self.waste(devices, state.cpu_milli, state.memory_mib)
        return Choice(after - waste, self.way(devices, part, cpu_milli, memory_mib))

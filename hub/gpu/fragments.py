"""Free compute that a workload cannot use, in thousandths of a device times the workload's weight: part 1 of the objective.

What is asked for by one demand for one device adds up over devices; what demands for several devices can use does not, and is taken off
for the devices of a node together. Both are remembered, by the state of a device and by the devices of a node.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from hub.gpu.model import Demand
from hub.gpu.parts import Alike, DeviceSet
from hub.gpu.states import DeviceFree, Kinds, Way, usable_milli

BILLION = 1_000_000_000
NOTHING_YET: tuple[int, Way] = (1 << 200, ())
"""More than any fragments can be."""
TABLE_LIMIT = 100_000
"""Remembered device values per table before it starts afresh; bounds memory under endlessly many sizes."""


class UsableTable(dict[DeviceFree, int]):
    """Free device -> compute that parts of one size can use. Parts of that size are asked for on several devices at once."""

    def __init__(self, kinds: Kinds, size: Demand, number: int) -> None:
        super().__init__()
        self._kinds = kinds
        self._size = size
        self._number = number

    def __missing__(self, free: DeviceFree) -> int:
        if len(self) >= TABLE_LIMIT:
            self.clear()
        self[free] = value = usable_milli(self._kinds[free.kind], free, self._size)
        return value

    def alike(self, devices: DeviceSet) -> tuple[Alike, ...]:
        """The kinds of which at least two devices fit: the devices of one session must be alike, and fewer serve no demand for several."""
        known = devices.alike.get(self._number)
        if known is None:
            runs = (
                (kind, [amount for free in run if (amount := self[free])])
                for kind, run in groupby(devices.loaded, key=lambda free: free.kind)
            )
            known = tuple(Alike(kind, len(amounts), sum(amounts)) for kind, amounts in runs if len(amounts) > 1)
            devices.alike[self._number] = known
        return known


class FragmentTable(dict[DeviceFree, int]):
    """Free device -> weighted compute that demands for one device cannot use, less its worth, on hosts that admit just `fitting`."""

    def __init__(self, tables: "FragmentTables", fitting: Iterable[tuple[Demand, int]]) -> None:
        super().__init__()
        self._kinds = tables.kinds
        self._total = tables.total
        self._worth = tables.worth
        self._single: Counter[Demand] = Counter()
        by_size: dict[Demand, list[tuple[int, int]]] = {}
        for demand, weight in fitting:
            if demand.devices == 1:
                self._single[_part(demand)] += weight
            elif demand.devices > 1:
                by_size.setdefault(_part(demand), []).append((demand.devices, weight))
        self._by_kind: dict[int, tuple[tuple[int, int, int], ...]] = {}
        self._several = tuple((tables.usable(size), _weights_up_to(counts)) for size, counts in by_size.items())
        self._least_of_several_milli = min([size.compute_milli for size in by_size], default=0)

    def least(self, devices: DeviceSet, ways: tuple[Way, ...]) -> tuple[int, Way]:
        """The fragments that the best of `ways` leaves, and that way: the first of equals."""
        several = self._several and devices.next_milli >= self._least_of_several_milli
        least, chosen = NOTHING_YET
        for way in ways:
            change = 0
            for before, after, _ in way:
                change += self[after] - self[before]
            if several:
                change -= self._usable_by_several(devices, way)
            if change < least:
                least, chosen = change, way
        for free in devices.loaded:
            least += self[free]
        return least, chosen

    def _usable_by_several(self, devices: DeviceSet, way: Way) -> int:
        """Weighted compute that demands for more than one device can use after `way`."""
        total = 0
        for usable, weights in self._several:
            for alike in usable.alike(devices):
                able, left_milli = alike.able, alike.usable_milli
                for before, after, _ in way:
                    if before.kind == alike.kind:
                        had, has = usable[before], usable[after]
                        left_milli += has - had
                        able -= (had > 0) - (has > 0)
                total += left_milli * weights[min(able, len(weights) - 1)]
        return total

    def __missing__(self, free: DeviceFree) -> int:
        if len(self) >= TABLE_LIMIT:
            self.clear()
        kind, compute_milli, memory_mib, _ = free
        if self._kinds[kind].layout is None:
            fits = [
                weight
                for part_milli, part_mib, weight in self._by_kind.get(kind) or self._admitted(kind)
                if part_milli <= compute_milli and part_mib <= memory_mib
            ]
            usable = sum(fits) * compute_milli
        else:
            usable = sum(
                [weight * usable_milli(self._kinds[kind], free, part) for part, weight in self._single.items()]
            )
        worth = self._worth.get(kind, 0) * compute_milli // BILLION
        self[free] = value = self._total * compute_milli - usable - worth
        return value

    def _admitted(self, kind: int) -> tuple[tuple[int, int, int], ...]:
        """Compute, memory and weight of the parts that undivided devices of a kind admit."""
        self._by_kind[kind] = admitted = tuple(
            (part.compute_milli, part.device_memory_mib, weight)
            for part, weight in self._single.items()
            if self._kinds[kind].admits(part)
        )
        return admitted


class FragmentTables:
    """The tables of one workload."""

    def __init__(self, kinds: Kinds, weights: Sequence[tuple[Demand, int]]) -> None:
        self.kinds = kinds
        self.total = sum(weight for _, weight in weights) or 1
        self.worth: dict[int, int] = {}
        """By device kind: what free compute is worth, in billionths of the workload's weight."""
        self._weights = weights
        self._usable: dict[Demand, UsableTable] = {}
        self._by_fitting: dict[tuple[int, ...], FragmentTable] = {}

    def revalue(self, worth: Mapping[int, int]) -> None:
        """Let kinds be worth this from now on."""
        self.worth.clear()
        self.worth.update(worth)
        for table in self._by_fitting.values():
            table.clear()

    def of_host(self, cpu_milli: int, memory_mib: int) -> FragmentTable:
        """The table of hosts with so much free, shared by all that admit the same demands."""
        fitting = tuple(
            at
            for at, (demand, _) in enumerate(self._weights)
            if demand.cpu_milli <= cpu_milli and demand.memory_mib <= memory_mib
        )
        table = self._by_fitting.get(fitting)
        if table is None:
            table = FragmentTable(self, (self._weights[at] for at in fitting))
            self._by_fitting[fitting] = table
        return table

    def usable(self, size: Demand) -> UsableTable:
        """The table of a size, shared by all hosts."""
        table = self._usable.get(size)
        if table is None:
            self._usable[size] = table = UsableTable(self.kinds, size, len(self._usable))
        return table


def _part(demand: Demand) -> Demand:
    """One of the parts a demand asks for, without what it takes of the host."""
    return replace(demand, devices=1, cpu_milli=0, memory_mib=0)


def _weights_up_to(counts: list[tuple[int, int]]) -> tuple[int, ...]:
    """By number of able devices: the weight of the demands, given as (devices, weight), that so many can serve."""
    most = max(needed for needed, _ in counts)
    return tuple(sum([weight for needed, weight in counts if needed <= able]) for able in range(most + 1))

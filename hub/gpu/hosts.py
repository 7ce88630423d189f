"""What a node's free host CPU and memory mean for the devices beside them: which of the workload they admit, and how much compute they serve.

Remembered by amount, not by pair: fleets in use have many thousands of pairs, and no two nodes the same one. What is remembered are whole
numbers in plain tuples, which Python's garbage collector lets go of: it costs more than the placing, once there are 100,000 objects.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hub.gpu.fragments import FragmentTable, FragmentTables
from hub.gpu.model import Demand

UNBOUNDED = 1 << 62
AMOUNTS_LIMIT = 100_000
"""Remembered amounts before they are forgotten; bounds memory under endlessly many sizes."""


class Rate(NamedTuple):
    """Totals over a workload: for so much compute it takes so much CPU and memory along."""

    compute_milli: int
    cpu_milli: int
    memory_mib: int


Means = tuple[int, int, int]
"""How many of the workload's distinct sizes fit an amount; and the compute it goes with by the rate of demands for devices, and by that of
all demands. Compute beyond that is stranded."""


class Amounts(dict[int, Means]):
    """Free CPU, or free memory -> what so much of it means; `rates` are pairs of compute and of what goes along with it."""

    def __init__(self, sizes: Iterable[int], rates: tuple[tuple[int, int], tuple[int, int]]) -> None:
        super().__init__()
        self.sizes = sorted(set(sizes))
        (self._asking_milli, self._by_asking), (self._all_milli, self._by_all) = rates

    def __missing__(self, amount: int) -> Means:
        if len(self) >= AMOUNTS_LIMIT:
            self.clear()
        by_asking, by_all = self._by_asking, self._by_all
        self[amount] = means = (
            bisect_right(self.sizes, amount),
            amount * self._asking_milli // by_asking if by_asking else UNBOUNDED,
            amount * self._all_milli // by_all if by_all else UNBOUNDED,
        )
        return means


class Hosts:
    """The amounts of one workload, which is `weights` with CPU and memory going along at two `rates`; `fragments` are its tables."""

    def __init__(
        self, weights: Sequence[tuple[Demand, int]], rates: tuple[Rate, Rate], fragments: FragmentTables
    ) -> None:
        of_asking, of_all = rates
        self.cpus = Amounts(
            (demand.cpu_milli for demand, _ in weights),
            ((of_asking.compute_milli, of_asking.cpu_milli), (of_all.compute_milli, of_all.cpu_milli)),
        )
        self.memories = Amounts(
            (demand.memory_mib for demand, _ in weights),
            ((of_asking.compute_milli, of_asking.memory_mib), (of_all.compute_milli, of_all.memory_mib)),
        )
        self.tables = _Tables(fragments, self.cpus.sizes, self.memories.sizes)
        """By how many sizes of CPU and of memory fit: what is fragments on such a host."""


class _Tables(dict[tuple[int, int], FragmentTable]):
    """Hosts that admit the same demands share a table."""

    def __init__(self, tables: FragmentTables, cpus_milli: Sequence[int], memories_mib: Sequence[int]) -> None:
        super().__init__()
        self._tables = tables
        self._cpus_milli, self._memories_mib = cpus_milli, memories_mib

    def __missing__(self, steps: tuple[int, int]) -> FragmentTable:
        cpu_step, memory_step = steps
        cpu_milli = self._cpus_milli[cpu_step - 1] if cpu_step else -1
        memory_mib = self._memories_mib[memory_step - 1] if memory_step else -1
        self[steps] = table = self._tables.of_host(cpu_milli, memory_mib)
        return table

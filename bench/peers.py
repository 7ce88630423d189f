"""The policies ours is measured against, as their paper's simulator scores them: BestFit and FGD.

Source: "Beware of Fragmentation" (USENIX ATC 2023) and github.com/hkust-adsl/kubernetes-scheduler-simulator. Both score in whole points from
0 to 100, highest wins, equal points go to the first node; every node is scored, as a scheduler plugin does. FGD expects the most
popular 95 % of demands and looks at CPU and GPU, not at host memory.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from bench.traces import Trace
from hub.gpu.model import WHOLE_MILLI, Demand, Node

LARGEST_CPU_MILLI = 128_000
LARGEST_GPU_MILLI = 8 * WHOLE_MILLI
TYPICAL_PERCENT = 95
UNFIT = -1


@dataclass(slots=True)
class PeerNode:
    """A node and what is free on it."""

    model: str
    cpu_milli: int
    memory_mib: int
    gpus: list[int]

    @classmethod
    def of(cls, node: Node) -> "PeerNode":
        """The node with nothing placed on it."""
        model = node.devices[0].model if node.devices else ""
        return cls(model, node.cpu_milli, node.memory_mib, [WHOLE_MILLI] * len(node.devices))

    def fits(self, pod: Demand) -> bool:
        """Whether the pod could run here now."""
        if pod.cpu_milli > self.cpu_milli or pod.memory_mib > self.memory_mib:
            return False
        if not pod.devices:
            return True
        if pod.models is not None and self.model not in pod.models:
            return False
        return sum(left >= pod.compute_milli for left in self.gpus) >= pod.devices

    def place(self, pod: Demand, gpu: int | None) -> None:
        """Run the pod here: on `gpu`, or on the first that fit."""
        self.cpu_milli -= pod.cpu_milli
        self.memory_mib -= pod.memory_mib
        fitting = (at for at, left in enumerate(self.gpus) if left >= pod.compute_milli)
        for _ in range(pod.devices):
            self.gpus[gpu if gpu is not None else next(fitting)] -= pod.compute_milli


class Policy(Protocol):
    """Points of a node that fits a pod, and the GPU on it for a part of one."""

    def points(self, node: PeerNode, pod: Demand) -> tuple[int, int | None]: ...


class BestFit:
    """The node with least CPU and GPU left over, each by the largest node's; on it the fullest GPU."""

    def points(self, node: PeerNode, pod: Demand) -> tuple[int, int | None]:
        cpu = (node.cpu_milli - pod.cpu_milli) / LARGEST_CPU_MILLI
        gpu = (sum(node.gpus) - pod.devices * pod.compute_milli) / LARGEST_GPU_MILLI
        return int((1 - (cpu + gpu) / 2) * 100), _fullest(node, pod) if _is_part(pod) else None


class Fgd:
    """The node, and GPU, on which the expected fragments grow least."""

    def __init__(self, trace: Trace) -> None:
        self._fragments = Fragments(typical_pods(trace))

    def points(self, node: PeerNode, pod: Demand) -> tuple[int, int | None]:
        before = self._fragments.milli(node.model, node.cpu_milli, node.gpus)
        cpu_milli = node.cpu_milli - pod.cpu_milli
        if not _is_part(pod):
            # The simulator takes the fullest that fit here; for whole GPUs all that fit are alike.
            fitting = [at for at, left in enumerate(node.gpus) if left >= pod.compute_milli][: pod.devices]
            gpus = [left - pod.compute_milli if at in fitting else left for at, left in enumerate(node.gpus)]
            return _slope_points(before - self._fragments.milli(node.model, cpu_milli, gpus)), None
        best: tuple[int, int | None] = (UNFIT, None)
        seen: set[int] = set()
        for at, left in enumerate(node.gpus):
            if left < pod.compute_milli or left in seen:
                continue
            seen.add(left)
            gpus = [*node.gpus[:at], left - pod.compute_milli, *node.gpus[at + 1 :]]
            points = _slope_points(before - self._fragments.milli(node.model, cpu_milli, gpus))
            if points > best[0]:
                best = (points, at)
        return best


class Fragments:
    """Free GPU, in thousandths, that a pod drawn from the typical ones could not use: the paper's F."""

    def __init__(self, typical: Sequence[tuple[Demand, int]]) -> None:
        self._typical = typical
        self._total = sum(weight for _, weight in typical)
        self._cpu_steps = sorted({pod.cpu_milli for pod, _ in typical})
        self._fitting: dict[tuple[str, int], _Fitting] = {}

    def milli(self, model: str, cpu_milli: int, gpus: Sequence[int]) -> float:
        """The fragments of a node; pods without a GPU can use none of it."""
        at = model, bisect_right(self._cpu_steps, cpu_milli)
        fitting = self._fitting.get(at)
        if fitting is None:
            self._fitting[at] = fitting = _Fitting(
                [(pod, weight) for pod, weight in self._typical if pod.devices and _admits(model, cpu_milli, pod)]
            )
        return sum(gpus) - fitting.usable(gpus) / self._total


class _Fitting(dict[int, int]):
    """Free GPU -> weight of the one-GPU pods that fit it, among those the host admits."""

    def __init__(self, pods: Sequence[tuple[Demand, int]]) -> None:
        super().__init__()
        self._single = [(pod.compute_milli, weight) for pod, weight in pods if pod.devices == 1]
        self._several = [(pod.compute_milli, pod.devices, weight) for pod, weight in pods if pod.devices > 1]

    def __missing__(self, left: int) -> int:
        self[left] = weight = sum(weight for milli, weight in self._single if milli <= left)
        return weight

    def usable(self, gpus: Sequence[int]) -> int:
        usable = sum([left * self[left] for left in gpus])
        for milli, devices, weight in self._several:
            fitting = [left for left in gpus if left >= milli]
            if len(fitting) >= devices:
                usable += weight * sum(fitting)
        return usable


def typical_pods(trace: Trace) -> list[tuple[Demand, int]]:
    """The most frequent demands, without their host memory, that make up 95 % of the pods."""
    counts = Counter(replace(pod, memory_mib=0) for pod in trace.pods)
    by_frequency = sorted(counts.items(), key=lambda item: (item[1], _size(item[0])), reverse=True)
    typical, covered = [], 0
    for pod, count in by_frequency:
        if covered * 100 >= TYPICAL_PERCENT * len(trace.pods):
            break
        typical.append((pod, count))
        covered += count
    return typical


@dataclass(slots=True)
class _Table:
    """Points of every node for one kind of pod; nodes that changed since are scored again when it is next asked for."""

    points: list[int]
    gpus: list[int | None]
    changes_read: int


class Replay:
    """A cluster on which `policy` places pods one after the other; `order` is the order in which equal points are settled."""

    def __init__(self, policy: Policy, order: Sequence[Node]) -> None:
        self._policy = policy
        self.nodes = [PeerNode.of(node) for node in order]
        self._tables: dict[Demand, _Table] = {}
        self._changed: list[int] = []

    def place(self, pod: Demand) -> bool:
        """Place one pod; False if it fits nowhere."""
        table = self._table(pod)
        most = max(table.points)
        if most == UNFIT:
            return False
        at = table.points.index(most)
        self.nodes[at].place(pod, table.gpus[at])
        self._changed.append(at)
        return True

    def _table(self, pod: Demand) -> _Table:
        table = self._tables.get(pod)
        if table is None:
            size = len(self.nodes)
            self._tables[pod] = table = _Table([UNFIT] * size, [None] * size, len(self._changed))
            stale = set(range(size))
        else:
            stale = set(self._changed[table.changes_read :])
            table.changes_read = len(self._changed)
        for at in stale:
            node = self.nodes[at]
            table.points[at], table.gpus[at] = self._policy.points(node, pod) if node.fits(pod) else (UNFIT, None)
        return table


def _is_part(pod: Demand) -> bool:
    return pod.devices == 1 and pod.compute_milli < WHOLE_MILLI


def _admits(model: str, cpu_milli: int, pod: Demand) -> bool:
    return pod.cpu_milli <= cpu_milli and (pod.models is None or model in pod.models)


def _fullest(node: PeerNode, pod: Demand) -> int:
    return min(
        (at for at, left in enumerate(node.gpus) if left >= pod.compute_milli), key=lambda at: (node.gpus[at], at)
    )


def _slope_points(milli: float) -> int:
    return int(100 / (1 + math.exp(-milli / 1000)))


def _size(pod: Demand) -> tuple[int, int, int, str]:
    return pod.cpu_milli, pod.compute_milli, pod.devices, "|".join(sorted(pod.models or ()))

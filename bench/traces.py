"""Node and pod lists of the kind Alibaba published (cluster-trace-gpu-v2023), read and replayed as the FGD paper's simulator does.

The lists are for research use and not part of this repository; they are given by path. Facts of the replay are those of
github.com/hkust-adsl/kubernetes-scheduler-simulator: pods in random order, then more of them (drawn with replacement) or fewer, until
their GPU requests come to the wanted part of the capacity; nobody leaves; a pod that does not fit is dropped; equal nodes in random order.
"""

import csv
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.errors import HubError
from hub.gpu.model import WHOLE_MILLI, Demand, Device, Engine, Node
from hub.gpu.objective import Workload

POOL = "trace"
NODE_COLUMNS = ("sn", "cpu_milli", "memory_mib", "gpu", "model")
POD_COLUMNS = ("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli")


class TraceError(HubError):
    """A trace file cannot be used."""

    code = "trace-unusable"


@dataclass(frozen=True, slots=True)
class Trace:
    """Nodes, and the demands of the pods in the order of the file."""

    nodes: tuple[Node, ...]
    pods: tuple[Demand, ...]

    @property
    def capacity_milli(self) -> int:
        """Thousandths of a GPU in the whole cluster."""
        return sum(len(node.devices) for node in self.nodes) * WHOLE_MILLI

    def workload(self) -> Workload:
        """How often each demand occurs."""
        return Workload.of(Counter(self.pods))

    def arrivals(self, load_percent: int, draw: random.Random) -> list[Demand]:
        """Pods in random order whose GPU requests come to `load_percent` of the capacity."""
        pods = list(self.pods)
        draw.shuffle(pods)
        wanted = self.capacity_milli * load_percent // 100
        requested = sum(map(gpu_milli, pods))
        while requested > wanted:
            dropped = pods.pop(draw.randrange(len(pods)))
            requested -= gpu_milli(dropped)
        while True:
            pod = draw.choice(self.pods)
            # The simulator compares one GPU's part, not the pod's total: the last pod may go past the mark.
            if requested + pod.compute_milli > wanted:
                return pods
            requested += gpu_milli(pod)
            pods.append(pod)


def gpu_milli(pod: Demand) -> int:
    """Thousandths of a GPU a pod asks for in all."""
    return pod.devices * pod.compute_milli


def read_trace(nodes: Path, pods: Path) -> Trace:
    """The trace in two CSV files. Raises `TraceError` with one sentence naming file, line and column."""
    trace = Trace(
        nodes=tuple(_node(row) for row in _rows(nodes, NODE_COLUMNS)),
        pods=tuple(_pod(row) for row in _rows(pods, POD_COLUMNS)),
    )
    if not trace.capacity_milli:
        raise TraceError("%(path)s lists no GPU.", path=nodes)
    if not any(map(gpu_milli, trace.pods)):
        raise TraceError("%(path)s lists no pod that asks for a GPU.", path=pods)
    return trace


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a file, that can say where it is."""

    path: Path
    line: int
    values: Mapping[str, str]

    def text(self, column: str) -> str:
        return self.values.get(column) or ""

    def whole(self, column: str) -> int:
        text = self.text(column)
        if not (text.isascii() and text.isdecimal()):
            raise TraceError(
                "%(path)s, line %(line)s: %(column)s must be a whole number, not %(text)s.",
                path=self.path,
                line=self.line,
                column=column,
                text=repr(text),
            )
        return int(text)


def _rows(path: Path, columns: Sequence[str]) -> list[_Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise TraceError("%(path)s has no column %(column)s.", path=path, column=missing[0])
            return [_Row(path, reader.line_num, values) for values in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise TraceError("Cannot read %(path)s: %(cause)s.", path=path, cause=exc) from exc


def _node(row: _Row) -> Node:
    name, model = row.text("sn"), row.text("model")
    gpus = tuple(
        # Their memory is not in the trace: none is asked for, so none need be there.
        Device(id=f"{name}/{at}", node=name, pool=POOL, model=model, engine=Engine.SLICE, memory_mib=0)
        for at in range(row.whole("gpu"))
    )
    return Node(id=name, pool=POOL, cpu_milli=row.whole("cpu_milli"), memory_mib=row.whole("memory_mib"), devices=gpus)


def _pod(row: _Row) -> Demand:
    devices = row.whole("num_gpu")
    models = frozenset(filter(None, row.text("gpu_spec").split("|"))) if devices else frozenset()
    # A few lists give more than 1000 for a whole GPU; their converter caps it too.
    compute_milli = min(row.whole("gpu_milli") or WHOLE_MILLI, WHOLE_MILLI) if devices else 0
    return Demand(
        cpu_milli=row.whole("cpu_milli"),
        memory_mib=row.whole("memory_mib"),
        devices=devices,
        compute_milli=compute_milli,
        models=models or None,
    )

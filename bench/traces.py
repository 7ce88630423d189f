"""Node and pod lists of the kind Alibaba published (cluster-trace-gpu-v2023), read and replayed as the FGD paper's simulator does.

The lists are for research use and not part of this repository; they are given by path. Facts of the replay are those of
github.com/hkust-adsl/kubernetes-scheduler-simulator: pods in random order, then more of them (drawn with replacement) or fewer, until
their GPU requests come to the wanted part of the capacity; nobody leaves; a pod that does not fit is dropped; equal nodes in random order.
"""

import csv
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.errors import HubError
from hub.gpu.model import WHOLE_MILLI, Demand, Device, Engine, Node
from hub.gpu.objective import Workload

POOL = "trace"
NODE_COLUMNS = ("sn", "cpu_milli", "memory_mib", "gpu", "model")
POD_COLUMNS = ("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli")
MOST = 10**12
"""No amount in a list goes beyond this; a larger one is a mistake."""
MOST_GPUS = 1024
"""Of one node, and for one pod."""


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

    def homeless(self) -> tuple[int, tuple[str, ...]]:
        """How many pods ask only for GPU models that no node has, and which those are."""
        models = {device.model for node in self.nodes for device in node.devices}
        asked = [pod.models for pod in self.pods if pod.models is not None and not pod.models & models]
        return len(asked), tuple(sorted(set().union(*asked)))

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
        nodes=tuple(_node(row) for row in _named_rows(nodes, NODE_COLUMNS)),
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
        return (self.values.get(column) or "").strip()

    def whole(self, column: str, most: int = MOST) -> int:
        text = self.text(column)
        # By its length first: int() refuses thousands of digits with an error of its own.
        if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and int(text) <= most):
            raise TraceError(
                "%(path)s, line %(line)s: %(column)s must be a whole number up to %(most)s, not %(text)s.",
                path=self.path,
                line=self.line,
                column=column,
                most=f"{most:,}",
                text=repr(text[:40]),
            )
        return int(text)

    @property
    def is_blank(self) -> bool:
        return not any(value and value.strip() for value in self.values.values() if not isinstance(value, list))


def _named_rows(path: Path, columns: Sequence[str]) -> Iterator[_Row]:
    """The rows, each with another name in the first column."""
    seen: set[str] = set()
    for row in _rows(path, columns):
        name = row.text(columns[0])
        if name in seen or not name:
            raise TraceError(
                "%(path)s, line %(line)s: %(column)s must be another name on each line, not %(text)s.",
                path=path,
                line=row.line,
                column=columns[0],
                text=repr(name),
            )
        seen.add(name)
        yield row


def _rows(path: Path, columns: Sequence[str]) -> list[_Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise TraceError("%(path)s has no column %(column)s.", path=path, column=missing[0])
            rows = (_Row(path, reader.line_num, values) for values in reader)
            return [row for row in rows if not row.is_blank]
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise TraceError("Cannot read %(path)s: %(cause)s.", path=path, cause=exc) from exc


def _node(row: _Row) -> Node:
    name, model = row.text("sn"), row.text("model")
    gpus = tuple(
        # Their memory is not in the trace: none is asked for, so none need be there.
        Device(id=f"{name}/{at}", node=name, pool=POOL, model=model, engine=Engine.SLICE, memory_mib=0)
        for at in range(row.whole("gpu", MOST_GPUS))
    )
    return Node(id=name, pool=POOL, cpu_milli=row.whole("cpu_milli"), memory_mib=row.whole("memory_mib"), devices=gpus)


def _pod(row: _Row) -> Demand:
    devices = row.whole("num_gpu", MOST_GPUS)
    models = frozenset(filter(None, map(str.strip, row.text("gpu_spec").split("|")))) if devices else frozenset()
    # A few lists give more than 1000 for a whole GPU; their converter caps it too.
    compute_milli = min(row.whole("gpu_milli") or WHOLE_MILLI, WHOLE_MILLI) if devices else 0
    return Demand(
        cpu_milli=row.whole("cpu_milli"),
        memory_mib=row.whole("memory_mib"),
        devices=devices,
        compute_milli=compute_milli,
        models=models or None,
    )

"""The devices as a page shows them: each a bar of its shares, a large centre folded into its machines. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.gpu import mig
from hub.gpu.model import Device, DeviceStatus, Engine
from hub.gpu.naming import natural_key
from hub.gpu.profiles import ShareProfile
from hub.leases.model import DeviceView, Lease, LeaseStatus, SessionKind
from hub.leases.offers import MACHINE
from hub.web.device_meter import Reading
from hub.web.share_words import ShareWords, size

UNFOLDED_DEVICES = 24
"""With more, machines are shown folded: a picture of a thousand devices in full would be read by nobody, and weigh megabytes."""
MOST_NODES = 120
MOST_WAITING = 60
BAR = 100.0


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: their own name, whose names they may see, and which of those they may take a share from."""

    name: str
    names: Mapping[str, str]
    """User name: displayed name, of everybody they administer; empty for learners."""
    may_end: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Part:
    """A share as a part of the bar, in percent of the device."""

    start: float
    width: float
    kind: str
    """`yours`, `used`, or `offered`: kept for somebody whose turn it is."""
    title: str
    """Of the share."""
    holder: str
    """A name where the viewer may see it; empty otherwise."""
    held_for: str
    lease: str
    """Its id where the viewer may end it."""


@dataclass(frozen=True, slots=True)
class DeviceCard:
    """One device."""

    id: str
    label: str
    model: str
    engine: Engine
    lost: bool
    simulated: bool
    size_text: str
    used_percent: int
    parts: tuple[Part, ...]
    slices: int
    """Lines to draw in the bar: memory slices of a MIG device."""
    measured: str
    """How busy it is, where that can be measured."""


@dataclass(frozen=True, slots=True)
class NodeCard:
    """A machine with its devices; folded, only their use is known."""

    name: str
    title: str
    here: bool
    """Whether it is the machine the centre runs on, whose name says nothing."""
    simulated: bool
    folded: bool
    cards: tuple[DeviceCard, ...]
    used_percent: int
    lost: int


@dataclass(frozen=True, slots=True)
class PlaceLine:
    """Somebody in the queue."""

    position: int
    share: str
    holder: str
    yours: bool
    waits_for: str
    """How long already."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Everybody who waits for one pool."""

    pool: str
    count: int
    lines: tuple[PlaceLine, ...]
    """The first of them where the viewer may see names, else their own alone."""


@dataclass(frozen=True, slots=True)
class DevicesView:
    """Everything the live part of the page shows."""

    nodes: tuple[NodeCard, ...]
    node_count: int
    device_count: int
    lost_count: int
    queues: tuple[Queue, ...]
    fault: str


def devices_view(
    found: Sequence[DeviceView],
    waiting: Sequence[Lease],
    viewer: Viewer,
    words: ShareWords,
    profiles: Mapping[str, ShareProfile],
    *,
    now: datetime,
    reading: Reading,
    fault: str = "",
    wanted: str = "",
) -> DevicesView:
    """The view; `wanted` is the name, or part of the names, of the machines to show alone."""
    by_node: dict[str, list[DeviceView]] = {}
    for each in found:
        by_node.setdefault(each.device.node, []).append(each)
    folds = len(found) > UNFOLDED_DEVICES
    shown = [wanted] if wanted in by_node else _named(by_node, wanted)
    unfolded = set(shown[:3]) if wanted else set()
    drawn = _Drawing(viewer, words, profiles, reading, now)
    return DevicesView(
        nodes=tuple(
            drawn.node(name, by_node[name], folded=folds and name not in unfolded) for name in shown[:MOST_NODES]
        ),
        node_count=len(shown),
        device_count=len(found),
        lost_count=sum(each.device.status is DeviceStatus.LOST for each in found),
        queues=tuple(drawn.queues(waiting)),
        fault=fault,
    )


def _named(names: Iterable[str], wanted: str) -> list[str]:
    return [name for name in sorted(names, key=natural_key) if wanted.lower() in name.lower()]


@dataclass(frozen=True, slots=True)
class _Drawing:
    viewer: Viewer
    words: ShareWords
    profiles: Mapping[str, ShareProfile]
    reading: Reading
    now: datetime

    def node(self, name: str, found: Sequence[DeviceView], *, folded: bool) -> NodeCard:
        ordered = sorted(found, key=lambda each: (each.device.engine is Engine.CPU, natural_key(each.device.id)))
        cards = tuple(self.device(each, number, folded=folded) for number, each in enumerate(ordered))
        real = [each for each in found if each.device.engine is not Engine.CPU] or list(found)
        counts = Counter(each.device.model for each in real)
        return NodeCard(
            name=name,
            title=", ".join(f"{count} × {model}" for model, count in counts.items() if model != "CPU"),
            here=name == MACHINE,
            simulated=all(each.device.simulated for each in found),
            folded=folded,
            cards=cards,
            used_percent=round(
                sum(_used_milli(each) for each in real) / sum(_whole_milli(each) for each in real) * 100
            ),
            lost=sum(each.device.status is DeviceStatus.LOST for each in found),
        )

    def device(self, view: DeviceView, number: int, *, folded: bool) -> DeviceCard:
        device = view.device
        amount = self.words.processors(device.compute_milli) if device.engine is Engine.CPU else ""
        return DeviceCard(
            id=device.id,
            label="CPU" if device.engine is Engine.CPU else f"GPU {number}",
            model=device.model,
            engine=device.engine,
            lost=device.status is DeviceStatus.LOST,
            simulated=device.simulated,
            size_text=" · ".join(each for each in (amount, size(device.memory_mib)) if each),
            used_percent=round(_used_milli(view) * 100 / _whole_milli(view)),
            parts=() if folded else tuple(self._parts(view)),
            slices=mig.SLICES if device.engine is Engine.MIG else 0,
            measured=self._measured(device),
        )

    def _measured(self, device: Device) -> str:
        if device.simulated:
            return ""
        if device.engine is Engine.CPU:
            return self.words.load(self.reading.load, self.reading.cpus)
        usage = self.reading.usage.get(device.id)
        return self.words.usage(usage, device.memory_mib) if usage else ""

    def queues(self, waiting: Iterable[Lease]) -> Iterator[Queue]:
        pools: dict[str, list[PlaceLine]] = {}
        for lease in waiting:
            lines = pools.setdefault(lease.pool, [])
            yours, holder = self._holder(lease)
            lines.append(
                PlaceLine(
                    position=len(lines) + 1,
                    share=self.words.title_of(lease, self.profiles),
                    holder=holder,
                    yours=yours,
                    waits_for=self._since(lease.asked_at),
                )
            )
        for pool, lines in pools.items():
            seen = [line for line in lines if line.yours or line.holder]
            yield Queue(pool, len(lines), tuple(seen[:MOST_WAITING]))

    def _parts(self, view: DeviceView) -> Iterator[Part]:
        start = 0.0
        whole = _whole_milli(view)
        for lease in sorted(view.leases, key=lambda each: each.order):
            width = _part_milli(view.device, lease) / whole * BAR
            slice_at = _slice_of(view.device, lease)
            if slice_at is not None:
                start = slice_at * BAR / mig.SLICES
            yours, holder = self._holder(lease)
            kind = "offered" if lease.status is LeaseStatus.OFFERED else "yours" if yours else "used"
            yield Part(
                start=round(start, 2),
                width=round(width, 2),
                kind=kind,
                title=self._part_of(lease),
                holder=holder,
                held_for=self._since(lease.held_at or lease.offered_at or lease.asked_at),
                lease=lease.id if lease.ask.owner in self.viewer.may_end else "",
            )
            start += width

    def _part_of(self, lease: Lease) -> str:
        known = self.profiles.get(lease.ask.profile)
        return self.words.part(known) if known else lease.ask.profile

    def _since(self, moment: datetime) -> str:
        return self.words.duration(max(0, int((self.now - moment).total_seconds())))

    def _holder(self, lease: Lease) -> tuple[bool, str]:
        """Whether it is the viewer's own, and the name they may see."""
        if lease.ask.session.kind is SessionKind.GRADING:
            return False, self.viewer.names.get(lease.ask.owner, "")
        return lease.ask.owner == self.viewer.name, self.viewer.names.get(lease.ask.owner, "")


def _part_milli(device: Device, lease: Lease) -> int:
    if lease.placement is None:
        return 0
    if device.engine is Engine.CPU:
        return lease.placement.cpu_milli
    return sum(share.compute_milli for share in lease.placement.shares if share.device == device.id)


def _slice_of(device: Device, lease: Lease) -> int | None:
    if lease.placement is None:
        return None
    return next((share.start for share in lease.placement.shares if share.device == device.id), None)


def _used_milli(view: DeviceView) -> int:
    return min(_whole_milli(view), sum(_part_milli(view.device, lease) for lease in view.leases))


def _whole_milli(view: DeviceView) -> int:
    return max(1, view.device.compute_milli)

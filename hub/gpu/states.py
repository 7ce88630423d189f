"""The state of a node as a value: nodes with equal states are interchangeable, so each state is scored once however many share it.

These are named tuples rather than dataclasses because they are dictionary keys on the path of every decision, and a tuple's hash and
order are computed in C.
"""

from dataclasses import dataclass
from typing import NamedTuple

from hub.gpu.mig import MigLayout, free_milli, profiles
from hub.gpu.model import WHOLE_MILLI, Demand, Device, Engine


class DeviceFree(NamedTuple):
    """What is free on one device. `kind` indexes `Kinds`; `slices` is the free mask of a MIG device, else 0."""

    kind: int
    compute_milli: int
    memory_mib: int
    slices: int


class NodeState(NamedTuple):
    """What is free on one node. `devices` is sorted, so that equal devices in another order are the same state."""

    pool: str
    cpu_milli: int
    memory_mib: int
    devices: tuple[DeviceFree, ...]


class Pick(NamedTuple):
    """A device in state `before` becomes `after`; `start` is the MIG instance's first slice, else -1."""

    before: DeviceFree
    after: DeviceFree
    start: int


Way = tuple[Pick, ...]
"""One way for a node's devices to serve a demand; empty if it asks for none."""


@dataclass(frozen=True, slots=True)
class DeviceKind:
    """What devices alike have in common."""

    pool: str
    model: str
    engine: Engine
    compute_milli: int
    memory_mib: int
    layout: MigLayout | None

    def admits(self, demand: Demand) -> bool:
        """Whether a device of this kind, all free, could be part of what `demand` asks for."""
        if demand.models is not None and self.model not in demand.models:
            return False
        if demand.pools is not None and self.pool not in demand.pools:
            return False
        if demand.engines is not None and self.engine not in demand.engines:
            return False
        if demand.mig is not None:
            return self.layout is not None and bool(self.layout.starts(demand.mig))
        if self.layout is not None or demand.device_memory_mib > self.memory_mib:
            return False
        return self.engine is not Engine.WHOLE or demand.compute_milli == WHOLE_MILLI


class Move(NamedTuple):
    """One way to grant a MIG instance: it starts at slice `start` and leaves the device in state `after`."""

    start: int
    after: DeviceFree


class Kinds:
    """The device kinds of a fleet, by index. Grows as devices are added; an index never changes its meaning."""

    def __init__(self) -> None:
        self._kinds: list[DeviceKind] = []
        self._index: dict[DeviceKind, int] = {}
        self._moves: dict[tuple[int, str, int], tuple[Move, ...]] = {}

    def __getitem__(self, index: int) -> DeviceKind:
        return self._kinds[index]

    def untouched(self, device: Device) -> DeviceFree:
        """The state of `device` with nothing granted."""
        kind = DeviceKind(
            device.pool, device.model, device.engine, device.compute_milli, device.memory_mib, device.layout
        )
        index = self._index.setdefault(kind, len(self._kinds))
        if index == len(self._kinds):
            self._kinds.append(kind)
        if kind.layout is not None:
            return DeviceFree(index, free_milli(kind.layout.untouched), 0, kind.layout.untouched)
        return DeviceFree(index, kind.compute_milli, kind.memory_mib, 0)

    def moves(self, free: DeviceFree, profile: str) -> tuple[Move, ...]:
        """Every way to grant an instance of `profile` on a device, lowest start first. Remembered: masks are few."""
        key = free.kind, profile, free.slices
        moves = self._moves.get(key)
        if moves is None:
            layout = self._kinds[free.kind].layout
            starts = layout.legal(profile, free.slices) if layout is not None else ()
            masks = [(start, free.slices & ~profiles()[profile].mask(start)) for start in starts]
            moves = tuple(Move(start, with_slices(free, slices)) for start, slices in masks)
            self._moves[key] = moves
        return moves


def usable_milli(kind: DeviceKind, free: DeviceFree, demand: Demand) -> int:
    """How much of what is free on a device parts of `demand`'s size can use: all of it or nothing, on MIG what they tile."""
    if not kind.admits(demand):
        return 0
    if demand.mig is not None and kind.layout is not None:
        return kind.layout.usable_milli(demand.mig, free.slices)
    fits = free.compute_milli >= demand.compute_milli and free.memory_mib >= demand.device_memory_mib
    return free.compute_milli if fits else 0


def with_slices(free: DeviceFree, slices: int) -> DeviceFree:
    """A MIG device whose free mask is `slices`."""
    return DeviceFree(free.kind, free_milli(slices), 0, slices)

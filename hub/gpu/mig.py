"""Where MIG instances may lie on a device: masks over its memory slices, by legal starts.

A device has 8 memory slices, bits 0 to 7 of a mask. Bit 8 stands for the media engines, which only one instance (`+me`) can have:
so that limit too is an intersection of masks. Profiles are named by fraction (`1g`, `1g.2m`, `3g`), never by NVIDIA's numeric id,
which differs between drivers. Source: NVIDIA MIG User Guide, "Supported MIG Profiles"; `data/mig_profiles.json`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

SLICES = 8
SLICE_MILLI = 1000 // SLICES
MEDIA = 1 << SLICES
EVERY_SLICE = (1 << SLICES) - 1
UNTOUCHED = EVERY_SLICE | MEDIA


@dataclass(frozen=True, slots=True)
class MigProfile:
    """One size of instance."""

    name: str
    compute_slices: int
    memory_slices: int
    starts: tuple[int, ...]
    limit: int

    def mask(self, start: int) -> int:
        """Bits an instance starting at slice `start` takes."""
        slices = ((1 << self.memory_slices) - 1) << start
        return slices | MEDIA if self.name.endswith("+me") else slices

    def legal(self, free: int) -> tuple[int, ...]:
        """Starts at which an instance fits into the `free` mask."""
        return tuple(start for start in self.starts if self.mask(start) & free == self.mask(start))


@dataclass(frozen=True, slots=True)
class MigLayout:
    """Which instances a device can hold: any legal one, or just those that exist and may not be changed."""

    offers: tuple[tuple[str, tuple[int, ...]], ...]
    """Profile name -> starts, sorted by name."""
    untouched: int
    """Mask of a device on which nothing is granted."""

    def starts(self, profile: str) -> tuple[int, ...]:
        """Starts this device has for `profile`, free or not."""
        return next((starts for name, starts in self.offers if name == profile), ())

    def legal(self, profile: str, free: int) -> tuple[int, ...]:
        """Starts at which `profile` can be granted while `free` slices are left."""
        known = profiles().get(profile)
        if known is None:
            return ()
        offered = self.starts(profile)
        return tuple(start for start in known.legal(free) if start in offered)

    def usable_milli(self, profile: str, free: int) -> int:
        """Thousandths of the device that instances of `profile` alone could still fill."""
        return _packed_slices(self, profile, free) * SLICE_MILLI


@cache
def _packed_slices(layout: MigLayout, profile: str, free: int) -> int:
    """Slices covered by as many disjoint instances as fit.

    Instances of one profile have one length, so taking the lowest legal start first packs the most of them.
    """
    size = profiles()[profile].memory_slices if profile in profiles() else 0
    packed = 0
    while starts := layout.legal(profile, free):
        free &= ~profiles()[profile].mask(starts[0])
        packed += size
    return packed


def free_milli(free: int) -> int:
    """Thousandths of the device the free slices amount to."""
    return (free & EVERY_SLICE).bit_count() * SLICE_MILLI


@cache
def profiles() -> Mapping[str, MigProfile]:
    """Every known profile by its fraction name."""
    return {
        name: MigProfile(
            name=name,
            compute_slices=entry["compute_slices"],
            memory_slices=entry["memory_slices"],
            starts=tuple(entry["starts"]),
            limit=entry["max"],
        )
        for name, entry in _geometry()["profiles"].items()
    }


def full_layout() -> MigLayout:
    """Any legal instance: for devices whose layout may be changed, and for simulated ones."""
    return MigLayout(tuple(sorted((name, profile.starts) for name, profile in profiles().items())), UNTOUCHED)


def fixed_layout(instances: Iterable[tuple[str, int]]) -> MigLayout:
    """Just the existing `instances`, as (profile, start): the layout of a card is the operator's to change, not ours."""
    offers: dict[str, list[int]] = {}
    untouched = 0
    for name, start in instances:
        offers.setdefault(name, []).append(start)
        untouched |= profiles()[name].mask(start)
    return MigLayout(tuple(sorted((name, tuple(sorted(starts))) for name, starts in offers.items())), untouched)


def assign_starts(names: Sequence[str], free: int = UNTOUCHED) -> tuple[int, ...] | None:
    """Disjoint legal starts for instances that exist side by side, in their order; None if there are none. The lowest possible ones."""
    if not names:
        return ()
    for start in profiles()[names[0]].legal(free):
        rest = assign_starts(names[1:], free & ~profiles()[names[0]].mask(start))
        if rest is not None:
            return (start, *rest)
    return None


def models() -> tuple[str, ...]:
    """Device models whose MIG names are known."""
    return tuple(name for name in _geometry()["names"] if name != "order")


def full_name(model: str, profile: str) -> str | None:
    """NVIDIA's name of `profile` on `model`, such as `1g.10gb`; None where it is not known."""
    names = _geometry()["names"]
    if model not in names or profile not in names["order"]:
        return None
    return str(names[model][names["order"].index(profile)])


def fraction_name(model: str, name: str) -> str | None:
    """The inverse of `full_name`."""
    names = _geometry()["names"]
    if model not in names or name not in names[model]:
        return None
    return str(names["order"][names[model].index(name)])


def sms(profile: str, device_sms: int) -> int:
    """Streaming multiprocessors of an instance on a device with `device_sms` of them.

    Listed where NVIDIA's tables were confirmed; elsewhere an eighth of the device per compute slice, which is low rather than high.
    """
    name = profile.removesuffix("+me")
    for table in _geometry()["sms"].values():
        if table["7g"] == device_sms:
            return int(table[name])
    compute_slices = profiles()[profile].compute_slices
    return device_sms if name == "7g" else device_sms * compute_slices // SLICES


@cache
def _geometry() -> Mapping[str, Any]:
    text = resources.files("hub.gpu").joinpath("data/mig_profiles.json").read_text(encoding="utf-8")
    data: Mapping[str, Any] = json.loads(text)
    return data

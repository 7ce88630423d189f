"""Devices, demands and placements: what they are, in whole numbers.

Units everywhere: host CPU in thousandths of one CPU (`cpu_milli`), a device's compute in thousandths of that device
(`compute_milli`), memory in MiB. No floating point: what is taken and given back ten thousand times must still add up.
"""

from dataclasses import dataclass
from enum import StrEnum

from hub.gpu.errors import ShareSizeError
from hub.gpu.mig import MigLayout, profiles

WHOLE_MILLI = 1000
LIMIT = 1 << 40
"""No size goes beyond this; a larger one is a mistake or an attack, and would not fit a database's integer."""


class Engine(StrEnum):
    """What enforces a share."""

    WHOLE = "whole"
    MIG = "mig"
    MPS = "mps"
    SLICE = "slice"
    CPU = "cpu"


class DeviceStatus(StrEnum):
    """Whether a device can be used."""

    OK = "ok"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class MigInstance:
    """A MIG instance that exists on a card: its UUID is what a process is given."""

    uuid: str
    profile: str
    start: int
    memory_mib: int
    sms: int


@dataclass(frozen=True, slots=True)
class Device:
    """A physical accelerator, or the CPUs of a machine (`engine` cpu)."""

    id: str
    node: str
    pool: str
    model: str
    engine: Engine
    memory_mib: int
    compute_milli: int = WHOLE_MILLI
    """1000 for an accelerator; a thousand per CPU for the CPUs of a machine."""
    sms: int = 0
    """Streaming multiprocessors; 0 where it has none or they are not known."""
    status: DeviceStatus = DeviceStatus.OK
    simulated: bool = False
    minor: int | None = None
    """The N of /dev/nvidiaN."""
    layout: MigLayout | None = None
    instances: tuple[MigInstance, ...] = ()
    """Existing MIG instances; empty on other engines and where the layout may be chosen freely."""


@dataclass(frozen=True, slots=True)
class Node:
    """A machine: host CPUs, host memory and accelerators. `pool` is the pool of its CPUs."""

    id: str
    pool: str
    cpu_milli: int
    memory_mib: int
    devices: tuple[Device, ...] = ()
    simulated: bool = False

    def cpus(self) -> Device:
        """The machine's CPUs, as the device that CPU shares are parts of."""
        return Device(
            id=f"{self.id}/cpu",
            node=self.id,
            pool=self.pool,
            model="CPU",
            engine=Engine.CPU,
            memory_mib=self.memory_mib,
            compute_milli=self.cpu_milli,
            simulated=self.simulated,
        )


@dataclass(frozen=True, slots=True)
class Demand:
    """What one session needs: host CPU and memory, and equal parts of `devices` accelerators of one kind.

    Either `compute_milli` (and, where it matters, `device_memory_mib`) says how large each part is, or `mig` names a MIG profile.
    `models`, `pools` and `engines` narrow where it may go; None means anywhere. Raises `ShareSizeError`.
    """

    cpu_milli: int = 0
    memory_mib: int = 0
    devices: int = 0
    compute_milli: int = 0
    device_memory_mib: int = 0
    mig: str | None = None
    models: frozenset[str] | None = None
    pools: frozenset[str] | None = None
    engines: frozenset[Engine] | None = None

    def __post_init__(self) -> None:
        for field in ("cpu_milli", "memory_mib", "devices", "compute_milli", "device_memory_mib"):
            value = getattr(self, field)
            if (
                type(value) is not int or not 0 <= value <= LIMIT
            ):  # bool and float are refused on purpose: NaN is a float
                raise ShareSizeError("%(field)s must be a whole number, zero or more.", field=field)
        if self.mig is not None and self.mig not in profiles():
            raise ShareSizeError(
                "There is no MIG profile %(name)s; known: %(known)s.", name=self.mig, known=", ".join(profiles())
            )
        sized = self.mig is not None or self.compute_milli > 0 or self.device_memory_mib > 0
        if sized != (self.devices > 0):
            raise ShareSizeError("A share of a device needs both a number of devices and a size.")
        if self.compute_milli > WHOLE_MILLI:
            raise ShareSizeError("A share cannot be more than the whole of a device.")
        if self.mig is not None and (self.devices > 1 or self.compute_milli or self.device_memory_mib):
            raise ShareSizeError("A MIG instance has its own size, and is granted one at a time.")


@dataclass(frozen=True, slots=True)
class Share:
    """A part of one device, as granted."""

    device: str
    compute_milli: int
    memory_mib: int
    sms: int = 0
    """Streaming multiprocessors the compute amounts to; 0 where the device's are not known."""
    mig: str | None = None
    start: int | None = None
    """First memory slice of the MIG instance; with `mig`, says which instance it is."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a demand goes. Holds everything needed to take it and to give it back, so that it can be stored as it is."""

    node: str
    cpu_milli: int
    memory_mib: int
    shares: tuple[Share, ...] = ()

"""This machine's NVIDIA devices, as NVML tells. Reading only: modes, layouts and clocks of a card are its operator's.

The only file that knows NVML (`pynvml` of the distribution `nvidia-ml-py`). No library, no driver and no device are ordinary answers.
"""

import importlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from hub.gpu import mig
from hub.gpu.errors import InventoryError
from hub.gpu.model import Device, Engine, MigInstance
from hub.gpu.simulated import MODELS

MIB = 1024 * 1024
TEMPERATURE_GPU = 0
ABSENT = frozenset({9, 12})
"""NVML_ERROR_DRIVER_NOT_LOADED and NVML_ERROR_LIBRARY_NOT_FOUND: there is no GPU to speak of, and nothing is wrong."""
NOT_SUPPORTED, NOT_FOUND, GPU_IS_LOST = 3, 6, 15
CORES_PER_SM = {(6, 0): 64, (7, 0): 64, (7, 2): 64, (7, 5): 64, (8, 0): 64}
"""By compute capability, where it is not the 128 of consumer Pascal, of Ampere from 8.6, and of everything later."""
MEMORY_TOLERANCE_PERCENT = 5
"""How far a card's total may be from a known model's; another size of the same family is another model."""


Answer = TypeVar("Answer")


class Nvml(Protocol):
    """The part of the module `pynvml` that is used."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> None: ...  # noqa: N802 - NVML's names
    def nvmlShutdown(self) -> None: ...  # noqa: N802
    def nvmlSystemGetDriverVersion(self) -> str: ...  # noqa: N802
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: N802
    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any: ...  # noqa: N802
    def nvmlDeviceGetName(self, handle: Any) -> str: ...  # noqa: N802
    def nvmlDeviceGetUUID(self, handle: Any) -> str: ...  # noqa: N802
    def nvmlDeviceGetMinorNumber(self, handle: Any) -> int: ...  # noqa: N802
    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> Any: ...  # noqa: N802
    def nvmlDeviceGetNumGpuCores(self, handle: Any) -> int: ...  # noqa: N802
    def nvmlDeviceGetCudaComputeCapability(self, handle: Any) -> tuple[int, int]: ...  # noqa: N802
    def nvmlDeviceGetMigMode(self, handle: Any) -> list[int]: ...  # noqa: N802
    def nvmlDeviceGetMaxMigDeviceCount(self, handle: Any) -> int: ...  # noqa: N802
    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: Any, index: int) -> Any: ...  # noqa: N802
    def nvmlDeviceGetAttributes_v2(self, handle: Any) -> Any: ...  # noqa: N802
    def nvmlDeviceGetUtilizationRates(self, handle: Any) -> Any: ...  # noqa: N802
    def nvmlDeviceGetTemperature(self, handle: Any, sensor: int) -> int: ...  # noqa: N802


@dataclass(frozen=True, slots=True)
class NvmlReading:
    """What one look found. `driver` is None where there is no NVIDIA driver; `notes` are sentences for the operator."""

    driver: str | None
    devices: tuple[Device, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeviceUsage:
    """How busy a device is just now; None where NVML does not tell, as under MIG."""

    device: str
    memory_used_mib: int
    busy_percent: int | None
    temperature_c: int | None


def load() -> Nvml | None:
    """The NVML bindings, or None where they are not installed."""
    try:
        return cast("Nvml", importlib.import_module("pynvml"))
    except ImportError:
        return None


def read_devices(nvml: Nvml | None, node: str, sharing: Engine) -> NvmlReading:
    """The devices of this machine, called `node`; `sharing` is the engine of those not divided by MIG.

    A device that has fallen off the bus is left out: who knew it before sees that it is gone. Raises `InventoryError` if the list itself
    could not be had, which says nothing about any device.
    """
    if nvml is None:
        return NvmlReading(None, notes=("The package nvidia-ml-py is not installed.",))
    with _session(nvml) as present:
        if not present:
            return NvmlReading(None, notes=("There is no NVIDIA driver.",))
        devices, notes = [], []
        for handle in _handles(nvml):
            device, note = _device(nvml, handle, node, sharing)
            devices.append(device)
            notes += note
        return NvmlReading(nvml.nvmlSystemGetDriverVersion(), tuple(devices), tuple(notes))


def read_usage(nvml: Nvml | None) -> tuple[DeviceUsage, ...]:
    """How busy each device is. Raises `InventoryError`."""
    if nvml is None:
        return ()
    with _session(nvml) as present:
        return tuple(_usage(nvml, handle) for handle in _handles(nvml)) if present else ()


@contextmanager
def _session(nvml: Nvml) -> Iterator[bool]:
    """An initialised NVML, or False where there is no driver. Short: a session kept open keeps a lost device's handle."""
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as exc:
        if _code(exc) in ABSENT:
            yield False
            return
        raise _unreadable(exc) from exc
    try:
        yield True
    except nvml.NVMLError as exc:
        raise _unreadable(exc) from exc
    finally:
        nvml.nvmlShutdown()


def _handles(nvml: Nvml) -> Iterator[Any]:
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            nvml.nvmlDeviceGetUUID(handle)  # a handle is given out even for some lost devices; the first question tells
        except nvml.NVMLError as exc:
            if _code(exc) == GPU_IS_LOST:
                continue
            raise
        yield handle


def _device(nvml: Nvml, handle: Any, node: str, sharing: Engine) -> tuple[Device, list[str]]:
    name = nvml.nvmlDeviceGetName(handle)
    memory_mib = nvml.nvmlDeviceGetMemoryInfo(handle).total // MIB
    model = model_name(name, memory_mib)
    divided = _supported(nvml, lambda: nvml.nvmlDeviceGetMigMode(handle)[0] == 1, default=False)
    instances, notes = _instances(nvml, handle, memory_mib) if divided else ((), [])
    engine = Engine.MIG if divided else sharing
    device = Device(
        id=nvml.nvmlDeviceGetUUID(handle),
        node=node,
        pool=f"{model.lower()}-{engine.value}",
        model=model,
        engine=engine,
        memory_mib=memory_mib,
        sms=_supported(nvml, lambda: _sms(nvml, handle), default=0),
        minor=nvml.nvmlDeviceGetMinorNumber(handle),
        layout=mig.fixed_layout((one.profile, one.start) for one in instances) if divided else None,
        instances=instances,
    )
    return device, notes


def _instances(nvml: Nvml, handle: Any, memory_mib: int) -> tuple[tuple[MigInstance, ...], list[str]]:
    """The MIG instances of a device, each at a legal start.

    Where an instance really starts only root may ask. It does not matter: a process is given the UUID, and starts are only needed
    to be disjoint. Largest memory first, so that the same instances get the same starts.
    """
    found: list[tuple[str, str, Any]] = []
    notes = []
    for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            part = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
        except nvml.NVMLError as exc:
            if _code(exc) == NOT_FOUND:
                continue
            raise
        attributes, name = nvml.nvmlDeviceGetAttributes_v2(part), nvml.nvmlDeviceGetName(part)
        profile = _profile(name, attributes, memory_mib)
        if profile is None:
            notes.append(f"The MIG instance {name} is of no known profile and is not offered.")
        else:
            found.append((profile, nvml.nvmlDeviceGetUUID(part), attributes))
    found.sort(key=lambda one: (-mig.profiles()[one[0]].memory_slices, one[0], one[1]))
    starts = mig.assign_starts([profile for profile, _, _ in found])
    if starts is None:
        return (), [*notes, "The MIG instances of a device do not fit together as known; none of them is offered."]
    instances = tuple(
        MigInstance(uuid, profile, start, attributes.memorySizeMB, attributes.multiprocessorCount)
        for (profile, uuid, attributes), start in zip(found, starts, strict=True)
    )
    return instances, notes


def _profile(name: str, attributes: Any, memory_mib: int) -> str | None:
    """The profile by its fractions: gigabytes in a name differ from card to card."""
    if attributes.gpuInstanceSliceCount != attributes.computeInstanceSliceCount:
        return None  # a GPU instance divided once more (1c.3g.40gb): its parts share memory and have no slices of their own
    memory_slices = round(attributes.memorySizeMB * mig.SLICES / memory_mib)
    media = name.endswith("+me")
    for profile in mig.profiles().values():
        sizes = profile.compute_slices, profile.memory_slices, profile.name.endswith("+me")
        if sizes == (attributes.gpuInstanceSliceCount, memory_slices, media):
            return profile.name
    return None


def model_name(name: str, memory_mib: int) -> str:
    """Our name of a model (`H100-80GB`) for NVML's (`NVIDIA H100 80GB HBM3`); an unknown one's own, without spaces."""
    words = re.split(r"[\s-]+", name.upper())
    for model, facts in MODELS.items():
        apart = abs(facts.memory_mib - memory_mib)
        if model.partition("-")[0] in words and apart * 100 <= facts.memory_mib * MEMORY_TOLERANCE_PERCENT:
            return model
    return re.sub(r"[^A-Za-z0-9.+]+", "-", name.removeprefix("NVIDIA ")).strip("-")


def _sms(nvml: Nvml, handle: Any) -> int:
    capability = tuple(nvml.nvmlDeviceGetCudaComputeCapability(handle))
    return nvml.nvmlDeviceGetNumGpuCores(handle) // CORES_PER_SM.get((capability[0], capability[1]), 128)


def _usage(nvml: Nvml, handle: Any) -> DeviceUsage:
    return DeviceUsage(
        device=nvml.nvmlDeviceGetUUID(handle),
        memory_used_mib=nvml.nvmlDeviceGetMemoryInfo(handle).used // MIB,
        busy_percent=_supported(nvml, lambda: int(nvml.nvmlDeviceGetUtilizationRates(handle).gpu), default=None),
        temperature_c=_supported(nvml, lambda: nvml.nvmlDeviceGetTemperature(handle, TEMPERATURE_GPU), default=None),
    )


def _supported(nvml: Nvml, ask: Callable[[], Answer], *, default: Answer) -> Answer:
    try:
        return ask()
    except nvml.NVMLError as exc:
        if _code(exc) == NOT_SUPPORTED:
            return default
        raise


def _code(exc: Exception) -> int | None:
    return getattr(exc, "value", None)


def _unreadable(exc: Exception) -> InventoryError:
    return InventoryError("The GPUs of this machine could not be listed: %(cause)s.", cause=exc)

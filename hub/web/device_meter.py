"""How busy the devices of this machine are, as their driver tells: measured for all pages together, a few seconds old at most."""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from anyio import to_thread

from hub.errors import HubError
from hub.gpu.errors import InventoryError
from hub.gpu.nvml import DeviceUsage, load, read_usage

MEASURED_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Reading:
    """By device id; `fault` is why nothing could be measured, `load` the machine's processes that want to run, `cpus` its CPUs."""

    usage: Mapping[str, DeviceUsage] = field(default_factory=dict)
    fault: HubError | None = None
    load: float = 0.0
    cpus: int = 1


def measure() -> Reading:
    """One look, in whatever thread may wait for the driver."""
    load_1_min, cpus = os.getloadavg()[0], os.cpu_count() or 1
    try:
        return Reading({each.device: each for each in read_usage(load())}, None, load_1_min, cpus)
    except InventoryError as exc:
        return Reading({}, exc, load_1_min, cpus)


class DeviceMeter:
    """The last reading, renewed by whoever asks first after it has grown old. For one event loop."""

    def __init__(self, look: Callable[[], Reading] = measure) -> None:
        self._look = look
        self._reading = Reading()
        self._measured_s = -MEASURED_EVERY_S
        self._lock = asyncio.Lock()

    async def read(self) -> Reading:
        """How busy everything is; a driver that hangs delays nobody but the first who asked."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._measured_s >= MEASURED_EVERY_S and not self._lock.locked():
            async with self._lock:
                self._reading = await to_thread.run_sync(self._look, abandon_on_cancel=True)
                self._measured_s = asyncio.get_running_loop().time()
        return self._reading

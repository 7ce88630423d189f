"""What devices there are: this machine's, or declared ones; and what changed since the last look."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from hub.gpu.cpus import CpuReading
from hub.gpu.model import Device, DeviceStatus, Node
from hub.gpu.nvml import NvmlReading

RESERVED_MEMORY_MIB = 1024
"""Left to the centre's own processes on a machine that also serves learners. Of the CPUs nothing: their use is small and in bursts."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Devices, by id, that a look found gone, back, or new. A device whose size or layout changed counts as new."""

    lost: tuple[str, ...] = ()
    back: tuple[str, ...] = ()
    new: tuple[str, ...] = ()


def machine_node(
    name: str, cpus: CpuReading, gpus: NvmlReading, reserved_memory_mib: int = RESERVED_MEMORY_MIB
) -> Node:
    """This machine as a node, less what the centre itself needs."""
    return Node(
        id=name,
        pool="cpu",
        cpu_milli=cpus.cpu_milli,
        memory_mib=max(0, cpus.memory_mib - reserved_memory_mib),
        devices=gpus.devices,
    )


def look_again(known: Node, seen: Node) -> tuple[Node, Changes]:
    """The node after another look: a device no longer seen stays in it as lost, because leases on it must end with a reason.

    `seen` must come from a look that succeeded; one that failed (`InventoryError`) says nothing and changes nothing.
    """
    before = {device.id: device for device in known.devices}
    now = {device.id: device for device in seen.devices}
    lost = [device.id for device in known.devices if device.id not in now and device.status is DeviceStatus.OK]
    back = [name for name, device in now.items() if name in before and _is_back(before[name], device)]
    new = [name for name, device in now.items() if name not in before or not _alike(before[name], device)]
    gone = [replace(device, status=DeviceStatus.LOST) for name, device in before.items() if name not in now]
    devices = sorted([*now.values(), *gone], key=lambda device: device.id)
    return replace(seen, devices=tuple(devices)), Changes(tuple(lost), tuple(back), tuple(new))


def devices(nodes: Iterable[Node]) -> tuple[Device, ...]:
    """Every device to show: accelerators, and each node's CPUs as one."""
    return tuple(device for node in nodes for device in (*node.devices, node.cpus()))


def _is_back(before: Device, now: Device) -> bool:
    return before.status is DeviceStatus.LOST and _alike(before, now)


def _alike(before: Device, now: Device) -> bool:
    return replace(before, status=now.status) == now

"""The shares on offer: derived from the devices there are, plus the administrator's own.

A profile is named after what people recognise (`h100-80gb.half`, `h100-80gb.1g.10gb`, `cpu.quarter`). Beside its part of the device it takes
the same part of the host that the device has: with 8 devices on a node, half a device brings a sixteenth of the CPUs and memory.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hub.gpu import mig
from hub.gpu.errors import ShareSizeError
from hub.gpu.model import WHOLE_MILLI, Demand, Device, Engine, Node
from hub.gpu.naming import natural_key
from hub.gpu.objective import Workload

FRACTIONS = (("whole", 1), ("half", 2), ("quarter", 4), ("eighth", 8))
NAME = re.compile(r"[a-z0-9][a-z0-9.+-]{0,62}")
LEAST_CPU_MILLI = 100
LEAST_MEMORY_MIB = 256
"""A notebook server does not start with less; smaller CPU parts are not offered."""


@dataclass(frozen=True, slots=True)
class ShareProfile:
    """A share people can choose. `pool`, `model` and `engine` say of what; `demand` says how much."""

    name: str
    pool: str
    model: str
    engine: Engine
    demand: Demand
    sms: int = 0
    simulated: bool = False
    custom: bool = False


def derive_profiles(nodes: Iterable[Node]) -> tuple[ShareProfile, ...]:
    """What the devices of `nodes` can be divided into, largest first for each kind of device.

    On nodes that differ, a profile takes the smallest host part among them, so that each node holds all its devices can give.
    """
    smallest: dict[tuple[str, str], ShareProfile] = {}
    for node in sorted(nodes, key=lambda node: natural_key(node.id)):
        for device in (*node.devices, node.cpus()):
            for profile in _of_device(node, device):
                known = smallest.get((profile.pool, profile.name))
                if known is None or _host(profile.demand) < _host(known.demand):
                    smallest[profile.pool, profile.name] = profile
    return tuple(smallest.values())


def custom_profile(
    name: str,
    device: Device,
    *,
    cpu_milli: int,
    memory_mib: int,
    compute_milli: int = 0,
    device_memory_mib: int = 0,
) -> ShareProfile:
    """A share of the administrator's own on devices like `device`. Raises `ShareSizeError` if it could never be granted."""
    if not NAME.fullmatch(name):
        raise ShareSizeError(
            "A share's name has lowercase letters, digits, dots and hyphens, not %(name)s.", name=repr(name)
        )
    if device.engine is Engine.CPU:
        if compute_milli or device_memory_mib:
            raise ShareSizeError("A share of CPUs is sized by its CPUs and memory alone.")
        return _custom_cpu_part(name, device, cpu_milli, memory_mib)
    if device.engine is Engine.MIG:
        raise ShareSizeError("Shares of a MIG device are its instances; they cannot be sized freely.")
    demand = Demand(
        cpu_milli=cpu_milli,
        memory_mib=memory_mib,
        devices=1,
        compute_milli=compute_milli,
        device_memory_mib=device_memory_mib,
        models=frozenset({device.model}),
        pools=frozenset({device.pool}),
        engines=frozenset({device.engine}),
    )
    if device_memory_mib > device.memory_mib:
        raise ShareSizeError("%(name)s is larger than the device: %(most)s MiB.", name=name, most=device.memory_mib)
    if device.engine is Engine.WHOLE and compute_milli != WHOLE_MILLI:
        raise ShareSizeError("%(device)s is only given out whole.", device=device.model)
    return _profile(name, device, demand, device.sms * compute_milli // WHOLE_MILLI, custom=True)


def _custom_cpu_part(name: str, cpus: Device, cpu_milli: int, memory_mib: int) -> ShareProfile:
    demand = Demand(cpu_milli=cpu_milli, memory_mib=memory_mib, pools=frozenset({cpus.pool}))
    if cpu_milli > cpus.compute_milli or memory_mib > cpus.memory_mib:
        raise ShareSizeError(
            "%(name)s is larger than the machine: %(cpus)s CPUs and %(memory)s MiB.",
            name=name,
            cpus=cpus.compute_milli // 1000,
            memory=cpus.memory_mib,
        )
    if not cpu_milli or not memory_mib:
        raise ShareSizeError("A share of CPUs needs some CPU and some memory.")
    return _profile(name, cpus, demand, 0, custom=True)


def expected_workload(profiles: Iterable[ShareProfile]) -> Workload:
    """One of each profile: what to expect before there are usage records to count."""
    return Workload.of({profile.demand: 1 for profile in profiles})


def _of_device(node: Node, device: Device) -> Iterable[ShareProfile]:
    match device.engine:
        case Engine.CPU:
            return _cpu_parts(device)
        case Engine.MIG:
            return _mig_instances(node, device)
        case Engine.WHOLE:
            return _fractions(node, device, FRACTIONS[:1])
        case Engine.MPS | Engine.SLICE:
            return _fractions(node, device, FRACTIONS)


def _cpu_parts(device: Device) -> Iterable[ShareProfile]:
    for label, parts in FRACTIONS:
        cpu_milli, memory_mib = device.compute_milli // parts, device.memory_mib // parts
        if cpu_milli >= LEAST_CPU_MILLI and memory_mib >= LEAST_MEMORY_MIB:
            demand = Demand(cpu_milli=cpu_milli, memory_mib=memory_mib, pools=frozenset({device.pool}))
            yield _profile(f"cpu.{label}", device, demand, 0)


def _fractions(node: Node, device: Device, fractions: Iterable[tuple[str, int]]) -> Iterable[ShareProfile]:
    for label, parts in fractions:
        demand = Demand(
            cpu_milli=node.cpu_milli // len(node.devices) // parts,
            memory_mib=node.memory_mib // len(node.devices) // parts,
            devices=1,
            compute_milli=WHOLE_MILLI // parts,
            device_memory_mib=device.memory_mib // parts,
            models=frozenset({device.model}),
            pools=frozenset({device.pool}),
            engines=frozenset({device.engine}),
        )
        yield _profile(f"{device.model.lower()}.{label}", device, demand, device.sms // parts)


def _mig_instances(node: Node, device: Device) -> Iterable[ShareProfile]:
    if device.layout is None:
        return
    offered = [mig.profiles()[name] for name, _ in device.layout.offers]
    for instance in sorted(offered, key=lambda one: (-one.memory_slices, -one.compute_slices, one.name)):
        demand = Demand(
            cpu_milli=node.cpu_milli * instance.memory_slices // (len(node.devices) * mig.SLICES),
            memory_mib=node.memory_mib * instance.memory_slices // (len(node.devices) * mig.SLICES),
            devices=1,
            mig=instance.name,
            models=frozenset({device.model}),
            pools=frozenset({device.pool}),
            engines=frozenset({device.engine}),
        )
        label = mig.full_name(device.model, instance.name) or instance.name
        yield _profile(f"{device.model.lower()}.{label}", device, demand, mig.sms(instance.name, device.sms))


def _profile(name: str, device: Device, demand: Demand, sms: int, *, custom: bool = False) -> ShareProfile:
    return ShareProfile(name, device.pool, device.model, device.engine, demand, sms, device.simulated, custom)


def _host(demand: Demand) -> tuple[int, int]:
    return demand.cpu_milli, demand.memory_mib

"""The shares on offer here: parts of this machine's CPUs, of simulated devices, and the administrator's own.

Real GPUs are in the inventory, to be seen, but not on offer: nothing enforces a share of one yet.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hub.errors import SettingsError
from hub.gpu.cpus import CpuReading
from hub.gpu.inventory import machine_node
from hub.gpu.model import Device, Engine, Node
from hub.gpu.nvml import NvmlReading
from hub.gpu.profiles import ShareProfile, custom_profile, derive_profiles
from hub.gpu.simulated import parse_simulated
from hub.settings import DevicesSettings, ShareSettings

MACHINE = "machine"
"""Not the host's name: a container gets another one at each start, and leases would be on a node that is gone."""


@dataclass(frozen=True, slots=True)
class Offers:
    """Nodes, and the profiles people can choose: largest first for each pool, the machine's CPUs last."""

    nodes: tuple[Node, ...] = ()
    profiles: tuple[ShareProfile, ...] = ()
    by_name: Mapping[str, ShareProfile] = field(init=False)
    pools: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {profile.name: profile for profile in self.profiles})
        object.__setattr__(self, "pools", frozenset(profile.pool for profile in self.profiles))

    def pools_of(self, node: Node) -> tuple[str, ...]:
        """Pools on offer that something on this node belongs to: who waits for one may gain when the node's load falls."""
        return tuple(sorted({node.pool, *(device.pool for device in node.devices)} & self.pools))


def machine(cpus: CpuReading, gpus: NvmlReading, cpu_percent: int) -> Node:
    """This machine as a node, with so much of its CPUs and memory to offer as shares."""
    whole = machine_node(MACHINE, cpus, gpus)
    return replace(
        whole, cpu_milli=whole.cpu_milli * cpu_percent // 100, memory_mib=whole.memory_mib * cpu_percent // 100
    )


def make_offers(settings: DevicesSettings, here: Node) -> Offers:
    """What the settings offer on this machine and on simulated ones.

    Raises `SimulationError`, `ShareSizeError` or `SettingsError`, each one sentence.
    """
    nodes = (here, *(parse_simulated(settings.simulate) if settings.simulate else ()))
    if len({node.id for node in nodes}) < len(nodes):
        raise SettingsError("Two nodes have the same name.")
    profiles = [profile for profile in derive_profiles(nodes) if _is_on_offer(profile, here)]
    kinds = {profile.pool: device for profile in profiles for device in _devices(nodes) if device.pool == profile.pool}
    for share in settings.shares:
        profiles.append(_own_share(share, kinds, profiles))
    return Offers(nodes, tuple(sorted(profiles, key=lambda profile: _rank(profile, here))))


def _is_on_offer(profile: ShareProfile, here: Node) -> bool:
    return profile.pool == here.pool or (profile.simulated and profile.engine is not Engine.CPU)


def _devices(nodes: Iterable[Node]) -> list[Device]:
    return [device for node in nodes for device in (*node.devices, node.cpus())]


def _own_share(share: ShareSettings, kinds: Mapping[str, Device], known: Sequence[ShareProfile]) -> ShareProfile:
    device = kinds.get(share.pool)
    if device is None:
        raise SettingsError(
            "devices.shares: %(name)s is of the pool %(pool)s, which is not on offer; on offer: %(known)s.",
            name=share.name,
            pool=share.pool,
            known=", ".join(kinds) or "none",
        )
    if any(profile.name == share.name for profile in known):
        raise SettingsError("devices.shares: there are two shares called %(name)s.", name=share.name)
    if device.engine is not Engine.CPU and not share.compute_milli:
        raise SettingsError("devices.shares: %(name)s needs compute_milli; quotas count by it.", name=share.name)
    return custom_profile(
        share.name,
        device,
        cpu_milli=share.cpu_milli,
        memory_mib=share.memory_mib,
        compute_milli=share.compute_milli,
        device_memory_mib=share.device_memory_mib,
    )


def _rank(profile: ShareProfile, here: Node) -> tuple[bool, str, int, int, str]:
    size = profile.demand.compute_milli or profile.sms or profile.demand.cpu_milli
    return profile.pool == here.pool, profile.pool, -size, -profile.demand.memory_mib, profile.name

"""Leases and devices by hand, for tests of what pages make of them."""

from datetime import UTC, datetime

from hub.gpu.inventory import devices
from hub.gpu.model import Node, Placement, Share
from hub.gpu.profiles import ShareProfile, derive_profiles
from hub.gpu.simulated import parse_simulated
from hub.leases.model import Ask, DeviceView, EndReason, Lease, LeaseStatus, Session, SessionKind
from hub.web.i18n import load_translators
from hub.web.share_words import ShareWords

NOW = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)
MACHINE = Node(id="machine", pool="cpu", cpu_milli=1500, memory_mib=16_384)


def profiles_on(*nodes: Node) -> dict[str, ShareProfile]:
    """Every share those nodes give, by name."""
    return {profile.name: profile for profile in derive_profiles(nodes)}


def words(language: str = "en") -> ShareWords:
    return ShareWords(load_translators()[language])


def a_lease(
    profile: ShareProfile,
    owner: str = "lin.na",
    *,
    order: int = 1,
    status: LeaseStatus = LeaseStatus.HELD,
    device: str = "",
    start: int | None = None,
    reason: EndReason | None = None,
) -> Lease:
    """A lease of that share; on `device` where one is given, else on the machine's processors."""
    demand = profile.demand
    share = Share(device, demand.compute_milli or 125, demand.device_memory_mib, mig=demand.mig, start=start)
    placement = Placement(
        node=device.partition("/")[0] or MACHINE.id,
        cpu_milli=demand.cpu_milli,
        memory_mib=demand.memory_mib,
        shares=(share,) if device else (),
    )
    return Lease(
        id=f"lease-{order}",
        ask=Ask(f"key-{order}", Session(SessionKind.SERVER, owner), owner, "spring", "ACME", profile.name),
        pool=profile.pool,
        demand=demand,
        status=status,
        asked_at=NOW,
        order=order,
        placement=None if status is LeaseStatus.WAITING else placement,
        fence=None if status is LeaseStatus.WAITING else order,
        held_at=NOW if status is LeaseStatus.HELD else None,
        offered_at=NOW if status is LeaseStatus.OFFERED else None,
        reason=reason,
    )


def views_of(text: str, *leases: Lease, machine: bool = False) -> list[DeviceView]:
    """The devices of a simulated inventory, and of the machine if asked for, with their leases."""
    nodes = (*((MACHINE,) if machine else ()), *(parse_simulated(text) if text else ()))
    return [
        DeviceView(device, tuple(lease for lease in leases if _is_on(lease, device.id)))
        for device in devices(nodes)
        if not (device.model == "CPU" and device.simulated)
    ]


def _is_on(lease: Lease, device: str) -> bool:
    if lease.placement is None:
        return False
    on = {share.device for share in lease.placement.shares} or {f"{lease.placement.node}/cpu"}
    return device in on

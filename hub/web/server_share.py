"""The share a server is started with, as the server plan tells JupyterHub."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from hub.gpu.model import Device, Engine
from hub.leases.desk import LeaseDesk
from hub.leases.model import Lease, LeaseStatus, Session, SessionKind


class DeviceShare(BaseModel):
    """A part of one accelerator."""

    id: str
    compute_milli: int
    memory_mib: int
    simulated: bool


class ServerShare(BaseModel):
    """What a lease gives a server. Whoever enforces it refuses a smaller fencing token than the last it saw."""

    lease: str
    fence: int
    profile: str
    pool: str
    engine: Literal["whole", "mig", "mps", "slice", "cpu"]
    node: str
    simulated: bool
    cpu_milli: int = Field(
        description="Thousandths of a CPU; 0: as a server without a share, for a simulated host has none."
    )
    memory_mib: int = Field(description="The same of the host's memory.")
    devices: list[DeviceShare]


def share_of(desk: LeaseDesk, name: str) -> dict[str, Any] | None:
    """The `ServerShare` this person's server starts with now; None: it starts without one."""
    lease = desk.of_session(Session(SessionKind.SERVER, name))
    if lease is None or lease.status is not LeaseStatus.HELD:
        return None
    return described(lease, {device.id: device for node in desk.offers.nodes for device in node.devices})


def described(lease: Lease, devices: dict[str, Device]) -> dict[str, Any]:
    """The held lease as a `ServerShare`."""
    assert lease.placement is not None  # as every held lease has
    placed = lease.placement
    parts = [(share, devices[share.device]) for share in placed.shares]
    simulated = any(device.simulated for _, device in parts)
    return {
        "lease": lease.id,
        "fence": lease.fence,
        "profile": lease.ask.profile,
        "pool": lease.pool,
        "engine": parts[0][1].engine.value if parts else Engine.CPU.value,
        "node": placed.node,
        "simulated": simulated,
        "cpu_milli": 0 if simulated else placed.cpu_milli,
        "memory_mib": 0 if simulated else placed.memory_mib,
        "devices": [
            {
                "id": share.device,
                "compute_milli": share.compute_milli,
                "memory_mib": share.memory_mib,
                "simulated": device.simulated,
            }
            for share, device in parts
        ],
    }

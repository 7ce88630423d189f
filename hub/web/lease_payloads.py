"""What the lease API takes and gives, as JSON: models for what comes in and for the documentation, plain dictionaries for what goes out.

Answers are built by hand because there are a thousand a second; a test holds each against its model.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hub.gpu.model import LIMIT, Demand, Placement
from hub.leases.errors import AskInvalidError
from hub.leases.model import Ask, Availability, DeviceView, Lease, Outlook, Quota, Session, SessionKind

MAX_PATIENCE_S = 7 * 24 * 3600

_NAME = r"[A-Za-z0-9]([A-Za-z0-9._:@-]{0,126}[A-Za-z0-9])?"
Name = Annotated[str, StringConstraints(pattern=f"^{_NAME}$")]
"""People, jobs, keys: printable, nothing that a log, a database or a path could mistake for something else."""
_Optional = Annotated[str, StringConstraints(pattern=f"^({_NAME})?$")]
_Words = Annotated[
    str, StringConstraints(max_length=100, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$")
]
_Size = Annotated[int, Field(ge=0, le=LIMIT)]


class _Given(BaseModel):
    # Strict: "1", 1.0 and true are not 1.
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class SessionBody(_Given):
    """A running notebook server (`name` is the person's) or a grading job (`name` is the job's)."""

    kind: Literal["server", "grading"]
    name: Name


class AskBody(_Given):
    """Who wants which share for which session."""

    key: Name = Field(description="Chosen by the client; the same key again is the same ask, and gets the same lease.")
    session: SessionBody
    owner: Name = Field(description="The person it counts for.")
    cohort: _Optional = Field("", description="Whose quota it counts against; empty: none.")
    organisation: _Words = ""
    profile: Name = Field(description="Name of a share on offer, see `/shares`.")
    wait: bool = Field(True, description="Queue when nothing is free; else that is refused (409 `devices-full`).")
    patience_s: int | None = Field(
        None,
        ge=5,
        le=MAX_PATIENCE_S,
        description="The lease ends when no heartbeat has come for so long. Null: the centre sees by itself what runs.",
    )

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "key": "5f0c3d1e8a7b4c0f9d2e6a1b3c4d5e6f",
                    "session": {"kind": "server", "name": "lin.na"},
                    "owner": "lin.na",
                    "cohort": "spring",
                    "profile": "cpu.quarter",
                }
            ]
        }
    )

    def ask(self) -> Ask:
        """The same for the desk."""
        return Ask(
            key=self.key,
            session=Session(SessionKind(self.session.kind), self.session.name),
            owner=self.owner,
            cohort=self.cohort,
            organisation=self.organisation,
            profile=self.profile,
            wait=self.wait,
            patience_s=self.patience_s,
        )


class FenceBody(_Given):
    """The fencing token of whoever acts."""

    fence: int = Field(ge=1, lt=1 << 63, examples=[4711])


class QuotaBody(_Given):
    """How much one cohort may hold of a pool at once, in thousandths of a device (of a CPU in the pool of CPUs). Null: no limit."""

    cohort_milli: _Size | None = None
    learner_milli: _Size | None = None
    guaranteed_milli: _Size = Field(0, description="For reservations; stored, not used yet.")
    borrow_milli: _Size | None = Field(None, description="For fair sharing; stored, not used yet.")
    weight: int = Field(1, ge=1, le=1000, description="For fair sharing; stored, not used yet.")

    model_config = ConfigDict(json_schema_extra={"examples": [{"cohort_milli": 4000, "learner_milli": 500}]})

    def quota(self, cohort: str, pool: str) -> Quota:
        """The same for the desk."""
        return Quota(
            cohort,
            pool,
            self.cohort_milli,
            self.learner_milli,
            self.guaranteed_milli,
            self.borrow_milli,
            self.weight,
        )


class SharePart(BaseModel):
    """A part of one device."""

    id: str
    compute_milli: int
    memory_mib: int
    sms: int = Field(description="Streaming multiprocessors; 0 where they are not known.")
    mig: str | None = Field(description="MIG profile of the instance.")
    start: int | None = Field(description="First memory slice of the MIG instance.")


class PlacementPayload(BaseModel):
    """Where the share is: node, host CPUs and memory, parts of devices."""

    node: str
    cpu_milli: int
    memory_mib: int
    devices: list[SharePart]


class OutlookPayload(BaseModel):
    """What somebody in the queue can expect."""

    position: int = Field(description="1: next of those who wait for the same pool.")
    waiting: int
    why: Literal["devices-full", "cohort-quota", "learner-quota", "behind"]
    estimate_s: int | None = Field(description="Median guess; null while too few leases have ended to say.")
    estimate_most_s: int | None = Field(description="So long in four of five cases.")


class LeasePayload(BaseModel):
    """A lease as it is now. Times are ISO 8601 in UTC."""

    id: str
    status: Literal["waiting", "offered", "held", "ended"]
    reason: str | None = Field(description="Why it ended, such as `released`, `orphaned`, `device-lost`.")
    session: SessionBody
    owner: str
    cohort: str
    organisation: str
    profile: str
    pool: str
    patience_s: int | None
    fence: int | None = Field(description="Fencing token; grows with every grant.")
    placement: PlacementPayload | None
    asked_at: datetime
    offered_at: datetime | None
    claim_by: datetime | None = Field(description="Until when an offer stands.")
    held_at: datetime | None
    seen_at: datetime | None
    ended_at: datetime | None
    outlook: OutlookPayload | None = Field(description="While it waits.")


class LeasesPayload(BaseModel):
    """Leases, the one asked for first first."""

    leases: list[LeasePayload]


class DemandPayload(BaseModel):
    """What one share takes."""

    cpu_milli: int
    memory_mib: int
    devices: int
    compute_milli: int
    device_memory_mib: int
    mig: str | None


class AvailabilityPayload(BaseModel):
    """A share on offer."""

    profile: str
    pool: str
    model: str
    engine: str
    demand: DemandPayload
    sms: int
    simulated: bool
    custom: bool
    free: int
    waiting: int
    estimate_s: int | None
    refusal: str | None = Field(
        description="Why this person can never have it: `never-fits`, `cohort-quota`, `learner-quota`."
    )


class SharesPayload(BaseModel):
    """Every share on offer, the largest of each pool first."""

    shares: list[AvailabilityPayload]


class LeaseOnDevice(BaseModel):
    """A lease that takes a part of a device."""

    id: str
    status: Literal["offered", "held"]
    session: SessionBody
    owner: str
    cohort: str
    profile: str
    fence: int | None
    placement: PlacementPayload


class DevicePayload(BaseModel):
    """A device, or the CPUs of a machine, and who holds what of it."""

    id: str
    node: str
    pool: str
    model: str
    engine: str
    memory_mib: int
    compute_milli: int
    sms: int
    status: Literal["ok", "lost"]
    simulated: bool
    leases: list[LeaseOnDevice]


class DevicesPayload(BaseModel):
    """Every device."""

    devices: list[DevicePayload]


class QuotaPayload(BaseModel):
    """A quota in force."""

    cohort: str
    pool: str
    cohort_milli: int | None
    learner_milli: int | None
    guaranteed_milli: int
    borrow_milli: int | None
    weight: int


class QuotasPayload(BaseModel):
    """Every quota there is."""

    quotas: list[QuotaPayload]


def checked_name(field: str, text: str) -> str:
    """A `Name` that came in a path; raises `AskInvalidError`."""
    if re.fullmatch(_NAME, text) is None:
        raise AskInvalidError(field=field, cause="it is not a name")
    return text


def of_lease(lease: Lease, outlook: Outlook | None = None) -> dict[str, Any]:
    """A `LeasePayload`."""
    ask = lease.ask
    return {
        "id": lease.id,
        "status": lease.status.value,
        "reason": lease.reason.value if lease.reason else None,
        "session": {"kind": ask.session.kind.value, "name": ask.session.name},
        "owner": ask.owner,
        "cohort": ask.cohort,
        "organisation": ask.organisation,
        "profile": ask.profile,
        "pool": lease.pool,
        "patience_s": ask.patience_s,
        "fence": lease.fence,
        "placement": _of_placement(lease.placement),
        "asked_at": _of_time(lease.asked_at),
        "offered_at": _of_time(lease.offered_at),
        "claim_by": _of_time(lease.claim_by),
        "held_at": _of_time(lease.held_at),
        "seen_at": _of_time(lease.seen_at),
        "ended_at": _of_time(lease.ended_at),
        "outlook": _of_outlook(outlook),
    }


def of_availability(one: Availability) -> dict[str, Any]:
    """An `AvailabilityPayload`."""
    profile = one.profile
    return {
        "profile": profile.name,
        "pool": profile.pool,
        "model": profile.model,
        "engine": profile.engine.value,
        "demand": _of_demand(profile.demand),
        "sms": profile.sms,
        "simulated": profile.simulated,
        "custom": profile.custom,
        "free": one.free,
        "waiting": one.waiting,
        "estimate_s": one.estimate_s,
        "refusal": one.refusal,
    }


def of_devices(views: Iterable[DeviceView]) -> dict[str, Any]:
    """A `DevicesPayload`."""
    return {"devices": [_of_device(view) for view in views]}


def of_quota(quota: Quota) -> dict[str, Any]:
    """A `QuotaPayload`."""
    return {
        "cohort": quota.cohort,
        "pool": quota.pool,
        "cohort_milli": quota.cohort_milli,
        "learner_milli": quota.learner_milli,
        "guaranteed_milli": quota.guaranteed_milli,
        "borrow_milli": quota.borrow_milli,
        "weight": quota.weight,
    }


def _of_device(view: DeviceView) -> dict[str, Any]:
    device = view.device
    return {
        "id": device.id,
        "node": device.node,
        "pool": device.pool,
        "model": device.model,
        "engine": device.engine.value,
        "memory_mib": device.memory_mib,
        "compute_milli": device.compute_milli,
        "sms": device.sms,
        "status": device.status.value,
        "simulated": device.simulated,
        "leases": [_of_lease_on_device(lease) for lease in view.leases],
    }


def _of_lease_on_device(lease: Lease) -> dict[str, Any]:
    whole = of_lease(lease)
    return {name: whole[name] for name in LeaseOnDevice.model_fields}


def _of_placement(placement: Placement | None) -> dict[str, Any] | None:
    if placement is None:
        return None
    return {
        "node": placement.node,
        "cpu_milli": placement.cpu_milli,
        "memory_mib": placement.memory_mib,
        "devices": [
            {
                "id": share.device,
                "compute_milli": share.compute_milli,
                "memory_mib": share.memory_mib,
                "sms": share.sms,
                "mig": share.mig,
                "start": share.start,
            }
            for share in placement.shares
        ],
    }


def _of_demand(demand: Demand) -> dict[str, Any]:
    return {name: getattr(demand, name) for name in DemandPayload.model_fields}


def _of_outlook(outlook: Outlook | None) -> dict[str, Any] | None:
    if outlook is None:
        return None
    return {
        "position": outlook.position,
        "waiting": outlook.waiting,
        "why": outlook.why.value,
        "estimate_s": outlook.estimate_s,
        "estimate_most_s": outlook.estimate_most_s,
    }


def _of_time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None

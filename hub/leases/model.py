"""Sessions, leases, quotas: what they are, as values.

A *session* is a running notebook server or a grading job. A *lease* is device time granted to a session, for as long as the session or shorter.
One record carries a lease from the moment somebody asks for it: waiting, offered, held, ended.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub.gpu.model import Demand, Device, Placement
from hub.gpu.profiles import ShareProfile


class SessionKind(StrEnum):
    """What a session is; also who may ask for its leases."""

    SERVER = "server"
    GRADING = "grading"


@dataclass(frozen=True, slots=True)
class Session:
    """A notebook server (`name` is the person's) or a grading job (`name` is the job's)."""

    kind: SessionKind
    name: str

    @property
    def key(self) -> str:
        return f"{self.kind.value}:{self.name}"


@dataclass(frozen=True, slots=True)
class RunningSession:
    """A session that really runs, as a listing found it, and the lease it was started under; None for one without a share."""

    session: Session
    lease: str | None
    fence: int | None


class LeaseStatus(StrEnum):
    """Where a lease is. It only moves forward: waiting, offered, held, ended; steps may be left out."""

    WAITING = "waiting"
    """In the queue; nothing is taken for it."""
    OFFERED = "offered"
    """Its turn has come: a placement is kept for it until `claim_by`."""
    HELD = "held"
    """Device time is granted."""
    ENDED = "ended"


class EndReason(StrEnum):
    """Why a lease ended; a page makes a sentence of it."""

    RELEASED = "released"
    CANCELLED = "cancelled"
    """Its owner left the queue, or turned an offer down."""
    UNCLAIMED = "unclaimed"
    """The offer was not claimed in time."""
    EXPIRED = "expired"
    """Its holder gave no sign of life for longer than it had promised."""
    ORPHANED = "orphaned"
    """Its session is not running."""
    DEVICE_LOST = "device-lost"
    REVOKED = "revoked"
    """An administrator ended it."""
    WITHDRAWN = "withdrawn"
    """The share is no longer on offer: the inventory or the settings changed."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Who wants which share for which session. Two asks with one `key` are one: the second gets the first one's lease."""

    key: str
    session: Session
    owner: str
    cohort: str
    """Whose quota it counts against; empty where there is none."""
    organisation: str
    profile: str
    """Name of a share on offer, such as `cpu.quarter` or `h100-80gb.half`."""
    wait: bool = True
    """Whether to queue when nothing is free; else that is refused."""
    patience_s: int | None = None
    """A held lease ends when its holder gives no sign of life for so long; None where a reconciler sees what runs."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as it is now. Times are UTC."""

    id: str
    ask: Ask
    pool: str
    demand: Demand
    status: LeaseStatus
    asked_at: datetime
    order: int
    """Place in the order of asking; smaller is earlier."""
    overtaken: int = 0
    """How many that asked later were served first, written when the own turn came. Bounded, see `hub.leases.turns`."""
    placement: Placement | None = None
    fence: int | None = None
    """Fencing token: grows with every grant. Who enforces a share refuses one smaller than the last it saw for the same devices."""
    offered_at: datetime | None = None
    claim_by: datetime | None = None
    held_at: datetime | None = None
    seen_at: datetime | None = None
    """The last sign of life: a heartbeat, or the session seen running."""
    ended_at: datetime | None = None
    reason: EndReason | None = None

    @property
    def is_live(self) -> bool:
        return self.status is not LeaseStatus.ENDED

    @property
    def takes(self) -> bool:
        """Whether its placement is taken out of what is free."""
        return self.status in {LeaseStatus.OFFERED, LeaseStatus.HELD}


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of a pool one cohort may hold at once, in thousandths of a device (of a CPU in the pool of CPUs).

    None: no limit. `guaranteed_milli`, `borrow_milli` and `weight` are for reservations and fair sharing; nothing reads them yet but the store.
    """

    cohort: str
    pool: str
    cohort_milli: int | None = None
    learner_milli: int | None = None
    guaranteed_milli: int = 0
    borrow_milli: int | None = None
    weight: int = 1


class Wait(StrEnum):
    """Why somebody waits."""

    DEVICES_FULL = "devices-full"
    COHORT_QUOTA = "cohort-quota"
    LEARNER_QUOTA = "learner-quota"
    BEHIND = "behind"
    """Something is free, but it is kept together for somebody who has waited longer for more."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What somebody in the queue can expect. `position` 1 is next of those who wait for the same pool."""

    position: int
    waiting: int
    why: Wait
    estimate_s: int | None
    """Median guess of the time left; None while too few leases have ended to say."""
    estimate_most_s: int | None
    """So long in four of five cases."""


@dataclass(frozen=True, slots=True)
class Availability:
    """A share on offer, for one person now."""

    profile: ShareProfile
    free: int
    """How many more fit now."""
    waiting: int
    """How many wait for the same pool."""
    estimate_s: int | None
    refusal: str | None = None
    """Code of the reason why this person can never have it (`never-fits`, `cohort-quota`, `learner-quota`); None if they can."""


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device and the leases on it (offered or held), each with the part it takes of *this* device."""

    device: Device
    leases: tuple[Lease, ...]


@dataclass(frozen=True, slots=True)
class UsageLine:
    """Device time somebody held within a period, summed. `share_s` is wall-clock seconds, `device_milli_s` weighs them by the part of the device."""

    owner: str
    cohort: str
    organisation: str
    pool: str
    profile: str
    leases: int
    share_s: int
    device_milli_s: int

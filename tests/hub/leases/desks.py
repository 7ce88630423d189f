"""A small centre to lease from: its devices, asks for it, a database that can fail, and a desk that can be killed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy import Connection

from hub.clock import Clock
from hub.database import Database, DatabaseUnavailableError
from hub.gpu.mig import full_layout
from hub.gpu.model import Device, Engine, Node
from hub.gpu.profiles import derive_profiles
from hub.leases.desk import LeaseDesk
from hub.leases.model import Ask, Session, SessionKind
from hub.leases.offers import Offers

GPU = "h100-80gb-slice"
MIG = "h100-80gb-mig"
EIGHTH, QUARTER, HALF, WHOLE = (f"h100-80gb.{part}" for part in ("eighth", "quarter", "half", "whole"))


def slice_device(at: int, node: str = "n0") -> Device:
    return Device(f"{node}/gpu{at}", node, GPU, "H100-80GB", Engine.SLICE, 80_000, sms=132)


def mig_device(at: int, node: str = "n0") -> Device:
    return Device(f"{node}/mig{at}", node, MIG, "H100-80GB", Engine.MIG, 80_000, sms=132, layout=full_layout())


def centre(slices: int = 2, migs: int = 0, *, cpu_milli: int = 64_000) -> Offers:
    """One node with so many devices and, beside what their shares bring along, CPUs to share."""
    devices = (*map(slice_device, range(slices)), *map(mig_device, range(migs)))
    nodes = (Node("n0", "cpu", cpu_milli, 512_000, devices),)
    return Offers(nodes, derive_profiles(nodes))


def without(offers: Offers, *devices: str) -> Node:
    """What a look at the node finds when these devices are gone."""
    (node,) = offers.nodes
    return replace(node, devices=tuple(one for one in node.devices if one.id not in devices))


def ask(
    name: str,
    profile: str = EIGHTH,
    *,
    key: str = "",
    cohort: str = "spring",
    wait: bool = True,
    patience_s: int | None = None,
    kind: SessionKind = SessionKind.SERVER,
) -> Ask:
    """An ask of the person `name` for their server; its key is the name unless told."""
    return Ask(key or f"key-{name}", Session(kind, name), name, cohort, "ACME", profile, wait, patience_s)


class FailingDatabase(Database):
    """A database whose next commit fails: `before`, so that nothing is written, or `after`, so that all is but nobody knows."""

    fails: str | None = None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        fails, self.fails = self.fails, None
        with super().writing() as connection:
            yield connection
            if fails == "before":
                raise DatabaseUnavailableError
        if fails == "after":
            raise DatabaseUnavailableError


class KillableDesk(LeaseDesk):
    """A desk that can end as a process does that is killed."""

    def kill(self) -> None:
        """Stop at once: nothing is written or answered any more."""
        allocator = self._allocator
        assert allocator._task is not None
        allocator._task.cancel()
        allocator._thread.shutdown(wait=True)
        self._published.close()


def desk_on(database: Database, clock: Clock, offers: Offers | None = None, claim_s: int = 120) -> KillableDesk:
    return KillableDesk(database, offers or centre(), clock, claim_s=claim_s)

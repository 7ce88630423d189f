"""The lease desk of this machine, put together: its database, its devices, and the servers that hold its shares."""

import logging
from collections.abc import Iterable

from hub.clock import SystemClock
from hub.database import Database
from hub.gpu.cpus import read_cpus
from hub.gpu.errors import InventoryError
from hub.gpu.model import Engine, Node
from hub.gpu.nvml import NvmlReading, load, read_devices
from hub.leases.desk import LeaseDesk
from hub.leases.model import RunningSession, Session, SessionKind
from hub.leases.offers import MACHINE, machine, make_offers
from hub.leases.reconciler import Reconciler
from hub.settings import Settings
from hub.spawn.running import RunningServer, running_servers
from hub.spawn.shares import basic_limits
from hub.state import StateDir

log = logging.getLogger(__name__)


class ThisMachine:
    """The devices of this machine, looked at again and again. Of the CPUs one look is enough."""

    def __init__(self, cpu_percent: int) -> None:
        self._cpu_percent = cpu_percent
        self._cpus = read_cpus()
        self._nvml = load()

    def first_look(self) -> Node:
        """The machine as it is now; without its GPUs where they cannot be listed, for a later look may find them."""
        try:
            return self.look()[0]
        except InventoryError as exc:
            log.warning("%s", exc)
            return machine(self._cpus, NvmlReading(None), self._cpu_percent)

    def look(self) -> tuple[Node]:
        """The machine as it is now. Raises `InventoryError`."""
        return (machine(self._cpus, read_devices(self._nvml, MACHINE, Engine.WHOLE), self._cpu_percent),)


class ServersHere:
    """Learners' servers of this machine, as the reconciler needs them."""

    def __init__(self, state: StateDir, settings: Settings) -> None:
        self._state = state
        self._basic = basic_limits(settings.sandbox)
        self._listed: dict[RunningSession, RunningServer] = {}

    def list(self) -> Iterable[RunningSession]:
        """Every server that runs. Raises `ServersUnlistableError`."""
        found = running_servers(self._state)
        self._listed = {
            RunningSession(Session(SessionKind.SERVER, each.name), each.lease, each.fence): each for each in found
        }
        return self._listed.keys()

    def fall_back(self, session: RunningSession) -> str | None:
        """Give the server the limits of one without a share; what could not be changed, in words."""
        unchanged = self._listed[session].running.set_limits(self._basic)
        return " ".join(f"{each.resource.value}: {each.reason.value}" for each in unchanged) or None


def open_leases(database: Database, state: StateDir, settings: Settings) -> tuple[LeaseDesk, Reconciler]:
    """The desk and what keeps it in step with this machine.

    Raises `SimulationError`, `ShareSizeError` or `SettingsError` for devices or shares that cannot be had.
    """
    devices = settings.devices
    here, servers = ThisMachine(devices.cpu_percent), ServersHere(state, settings)
    offers = make_offers(devices, here.first_look())
    desk = LeaseDesk(database, offers, SystemClock(), claim_s=devices.claim_s)
    return desk, Reconciler(desk, servers.list, servers.fall_back, here.look, grace_s=devices.start_grace_s)

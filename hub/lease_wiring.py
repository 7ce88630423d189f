"""The lease desk of this machine, put together: its database, its devices, and the servers that hold its shares."""

import logging
from collections.abc import Callable, Iterable, Mapping

from hub.clock import SystemClock
from hub.database import Database
from hub.gpu.cpus import read_cpus
from hub.gpu.errors import InventoryError
from hub.gpu.model import Engine, Node
from hub.gpu.nvml import NvmlReading, load, read_devices
from hub.gpu.profiles import ShareProfile
from hub.leases.desk import LeaseDesk
from hub.leases.model import Lease, RunningSession, Session, SessionKind
from hub.leases.offers import MACHINE, machine, make_offers
from hub.leases.reconciler import Reconciler
from hub.settings import Settings
from hub.spawn.running import RunningServer, running_servers
from hub.spawn.share_file import write_share
from hub.spawn.shares import basic_limits
from hub.state import StateDir

log = logging.getLogger(__name__)

Notice = Callable[[Lease | None, Mapping[str, ShareProfile]], Mapping[str, str]]
"""What to tell, by language, whose server lives on after this lease; the profiles are those on offer, by name."""


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

    def __init__(
        self, state: StateDir, settings: Settings, notice: Notice, profiles: Mapping[str, ShareProfile]
    ) -> None:
        self._state = state
        self._notice, self._profiles = notice, profiles
        self._basic = basic_limits(settings.sandbox)
        self._listed: dict[RunningSession, RunningServer] = {}

    def list(self) -> Iterable[RunningSession]:
        """Every server that runs. Raises `ServersUnlistableError`."""
        found = running_servers(self._state)
        self._listed = {
            RunningSession(Session(SessionKind.SERVER, each.name), each.lease, each.fence): each for each in found
        }
        return self._listed.keys()

    def fall_back(self, session: RunningSession, lease: Lease | None) -> str | None:
        """Give the server the limits of one without a share, and tell it why; what could not be changed, in words."""
        server = self._listed[session]
        unchanged = server.running.set_limits(self._basic)
        # A server started since the listing has been told its own share under the same name.
        if server in running_servers(self._state):
            # Told last and each time: kernels that start afresh find the new limits, and the same words twice are not news.
            notice = self._notice(lease, self._profiles)
            write_share(self._state, server.name, lease=None, profile=None, notice=notice)
        return " ".join(f"{each.resource.value}: {each.reason.value}" for each in unchanged) or None


def open_leases(
    database: Database, state: StateDir, settings: Settings, notice: Notice
) -> tuple[LeaseDesk, Reconciler]:
    """The desk and what keeps it in step with this machine.

    Raises `SimulationError`, `ShareSizeError` or `SettingsError` for devices or shares that cannot be had.
    """
    devices = settings.devices_on_offer
    here = ThisMachine(devices.cpu_percent)
    offers = make_offers(devices, here.first_look())
    servers = ServersHere(state, settings, notice, offers.by_name)
    desk = LeaseDesk(database, offers, SystemClock(), claim_s=devices.claim_s)
    return desk, Reconciler(desk, servers.list, servers.fall_back, here.look, grace_s=devices.start_grace_s)

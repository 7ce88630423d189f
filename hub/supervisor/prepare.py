"""Everything that must hold before the centre's first process is started, checked in the order in which it can be mended."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from hub.addresses import Addresses, load_or_choose_addresses
from hub.gpu.cpus import read_cpus
from hub.gpu.nvml import NvmlReading
from hub.leases.offers import machine, make_offers
from hub.sandbox.probe import probe
from hub.secrets import Secrets, load_or_create_secrets
from hub.settings import Settings, load_settings, write_effective_settings
from hub.state import StateDir
from hub.supervisor.errors import CannotSandboxError, DiskFullError, RootUncontainedError
from hub.supervisor.process import ProcessSpec
from hub.supervisor.table import process_table, traefik_static_file
from hub.supervisor.traefik import write_configuration

NEEDED_MIB = 256
"""Databases, logs and a few notebooks; below that SQLite starts to fail in the middle of things."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """Options of `up` that take the place of settings; None keeps the setting."""

    port: int | None = None
    bind: str | None = None
    sandbox_enforced: bool | None = None
    simulate: str | None = None

    def apply(self, settings: Settings) -> Settings:
        """The settings with these options in place."""
        chosen = {name: value for name in ("port", "bind") if (value := getattr(self, name)) is not None}
        if self.sandbox_enforced is not None:
            chosen["sandbox"] = settings.sandbox.model_copy(update={"enforced": self.sandbox_enforced})
        if self.simulate is not None:
            chosen["devices"] = settings.devices.model_copy(update={"simulate": self.simulate})
        return settings.model_copy(update=chosen)


@dataclass(frozen=True, slots=True)
class Plan:
    """One start of the centre: from which settings, at which address, with which processes."""

    state: StateDir
    settings: Settings
    addresses: Addresses
    secrets: Secrets
    table: list[ProcessSpec]

    @property
    def url(self) -> str:
        return base_url(self.settings)


def chosen_settings(state: StateDir, overrides: Overrides) -> Settings:
    """What `settings.yaml` and the command line say together. Raises `SettingsError`."""
    return overrides.apply(load_settings(state.settings_file))


def plan_start(state: StateDir, settings: Settings) -> Plan:
    """Write what the processes read at their start, and say which they are.

    Raises a `HubError` with the first thing that stands in the way.
    """
    require_disk(state.root)
    require_offers(settings)
    if settings.sandbox.enforced:
        require_sandbox()
    elif os.geteuid() == 0:
        raise RootUncontainedError
    secrets = load_or_create_secrets(state.secrets_file)
    addresses = load_or_choose_addresses(state.addresses_file)
    write_effective_settings(state, settings)
    static = write_configuration(
        settings, addresses, secrets, traefik_static_file(state), state.proxy_rules_file.parent
    )
    return Plan(state, settings, addresses, secrets, process_table(state, settings, addresses, secrets, static))


def require_disk(path: Path) -> None:
    """Raise `DiskFullError` when too little room is left for the centre to keep its promises."""
    free_mib = shutil.disk_usage(path).free // 2**20
    if free_mib < NEEDED_MIB:
        raise DiskFullError(free_mib=free_mib, path=path, needed_mib=NEEDED_MIB)


def require_offers(settings: Settings) -> None:
    """Raise `SimulationError`, `ShareSizeError` or `SettingsError` for devices or shares that cannot be had.

    The service would find the same, but say it in its log, and start again and again.
    """
    devices = settings.devices_on_offer
    make_offers(devices, machine(read_cpus(), NvmlReading(None), devices.cpu_percent))


def require_sandbox() -> None:
    """Raise `CannotSandboxError` with the reason why this machine cannot contain learner code."""
    # The first finding says whether it works at all; the others are limits that `doctor` shows.
    trial = probe()[0]
    if not trial.ok:
        raise CannotSandboxError(finding=trial.sentence, remedy=trial.remedy)


def base_url(settings: Settings) -> str:
    """The address people type, without a slash at the end."""
    return settings.public_url or local_url(settings)


def local_url(settings: Settings) -> str:
    """The address by which this machine itself reaches the proxy."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.bind, settings.bind)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"

"""How much room a person's server and home have, and which of it the machine really enforces."""

import time
from dataclasses import dataclass

from hub.sandbox.errors import SandboxError
from hub.sandbox.limits import held_limits
from hub.sandbox.usage import enforced_quota_mib, home_usage_mib
from hub.settings import SandboxSettings
from hub.state import StateDir

_REMEMBERED_S = 60.0
"""A home of many files takes seconds to measure; a class that reloads its home pages must not do so again and again."""


@dataclass(frozen=True, slots=True)
class Room:
    """Sizes in MiB. `home_used_mib` is None for a home that is not there yet or cannot be measured."""

    memory_mib: int
    memory_holds_for_server: bool
    home_mib: int
    home_used_mib: int | None
    home_is_enforced: bool

    @property
    def home_is_over(self) -> bool:
        return self.home_used_mib is not None and self.home_used_mib > self.home_mib


class Rooms:
    """Measures homes. Safe to ask from several threads."""

    def __init__(self, state: StateDir, limits: SandboxSettings, *, own_uids: bool) -> None:
        self._state = state
        self._limits = limits
        self._own_uids = own_uids
        self._measured: dict[str, tuple[float, int | None]] = {}

    def of(self, name: str, uid: int | None) -> Room:
        """The room of that person, measured at most a minute ago."""
        home = self._state.homes / name
        quota = None
        if uid is not None and home.is_dir():
            quota = enforced_quota_mib(home, uid)
        return Room(
            memory_mib=self._limits.memory_mib,
            memory_holds_for_server=any(
                each.startswith("memory: whole") for each in held_limits(own_uid=self._own_uids)
            ),
            home_mib=self._limits.home_mib if quota is None else quota,
            home_used_mib=self._used_mib(name),
            home_is_enforced=quota is not None,
        )

    def _used_mib(self, name: str) -> int | None:
        measured_s, used = self._measured.get(name, (-_REMEMBERED_S, None))
        if time.monotonic() - measured_s < _REMEMBERED_S:
            return used
        try:
            used = home_usage_mib(self._state.homes / name)
        except (OSError, SandboxError):
            used = None
        self._measured[name] = (time.monotonic(), used)
        return used

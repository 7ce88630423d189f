"""A sandbox that was started: facts that can be stored, and from which any later process can ask about it and end it."""

import contextlib
import dataclasses
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from hub.sandbox import processes
from hub.sandbox.change import Unchanged, change_limits
from hub.sandbox.errors import SpecError, StopError
from hub.sandbox.spec import Limits

_KILL_TIMEOUT_S = 10.0
"""Killed processes end at once unless they hang in a file system or a driver."""


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """One started sandbox. Processes are named by pid and start time (clock ticks since the boot of `boot_id`).

    `host_port` on 127.0.0.1 leads to the server inside, None without network. `held_limits` says in words which limits
    hold and for whom.
    """

    boot_id: str
    keeper_pid: int
    keeper_started: int
    sandbox_pid: int
    sandbox_started: int
    host_port: int | None
    cgroups: tuple[str, ...]
    held_limits: tuple[str, ...]
    log_file: str
    outcome_file: str | None

    def to_dict(self) -> dict[str, Any]:
        """The facts as JSON values; `from_dict` gives them back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """A stored sandbox; raises `SpecError` if the keys are not exactly those of `to_dict`."""
        names = {each.name for each in dataclasses.fields(cls)}
        if not isinstance(data, Mapping) or set(data) != names:
            raise SpecError(where="running sandbox", reason="the stored keys are not the known ones")
        lists = {name: tuple(data[name]) for name in ("cgroups", "held_limits")}
        return cls(**{**data, **lists})

    def is_alive(self) -> bool:
        """Whether any process of it is left, be it only the program that is ending because its keeper died."""
        return self._keeper_runs() or self._sandbox_runs()

    def is_served(self) -> bool:
        """Whether its keeper runs too, so that it can be reached."""
        return self._keeper_runs() and self._sandbox_runs()

    def end_descriptor(self) -> int | None:
        """A descriptor that becomes readable when it cannot be reached any more; None when that is so already.

        It is the caller's to close.
        """
        return processes.open_end(self.keeper_pid, self.keeper_started) if self.is_served() else None

    def set_limits(self, limits: Limits) -> tuple[Unchanged, ...]:
        """Give it the memory and processor of `limits` while it runs; what stayed as it was and why, empty if nothing did.

        Its other limits are those of its start. Doing it again does nothing, and nothing is done to one that has ended.
        Raises `PermissionError` for another user than the one who started it.
        """
        if not self.is_alive():
            return ()
        try:
            return change_limits(self.cgroups, limits)
        except FileNotFoundError:
            if self.is_alive():
                raise
            return ()  # it ended meanwhile

    def cut_connections(self) -> None:
        """Break every connection people have to the server inside, which runs on; they may connect anew at once."""
        if self._same_boot():
            processes.send(self.keeper_pid, self.keeper_started, signal.SIGUSR2)

    def stop(self, grace_s: float) -> None:
        """End it and wait: SIGTERM to the program, SIGKILL to everything after `grace_s` (the spec's own grace is the most).

        Nothing of it is left afterwards; ending one that has ended does nothing. Raises `StopError` if processes
        survive being killed, and `PermissionError` if this process may not end it.
        """
        if not self._same_boot():
            return
        if processes.send(self.keeper_pid, self.keeper_started, signal.SIGTERM):
            if not self._wait_for_keeper(grace_s):
                processes.send(self.keeper_pid, self.keeper_started, signal.SIGUSR1)
                self._wait_for_keeper(_KILL_TIMEOUT_S)
        elif processes.send(self.sandbox_pid, self.sandbox_started, signal.SIGTERM):
            processes.wait_gone(self.sandbox_pid, self.sandbox_started, grace_s)
        self._kill_rest()
        for directory in self.cgroups:
            with contextlib.suppress(OSError):  # the keeper has removed it, or the next sweep will
                Path(directory).rmdir()

    def _kill_rest(self) -> None:
        for pid, started in ((self.sandbox_pid, self.sandbox_started), (self.keeper_pid, self.keeper_started)):
            if processes.send(pid, started, signal.SIGKILL) and not processes.wait_gone(pid, started, _KILL_TIMEOUT_S):
                raise StopError(pid=pid)

    def _wait_for_keeper(self, timeout_s: float) -> bool:
        return processes.wait_gone(self.keeper_pid, self.keeper_started, timeout_s)

    def _keeper_runs(self) -> bool:
        return self._same_boot() and processes.is_running(self.keeper_pid, self.keeper_started)

    def _sandbox_runs(self) -> bool:
        return self._same_boot() and processes.is_running(self.sandbox_pid, self.sandbox_started)

    def _same_boot(self) -> bool:
        return self.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()

"""Which servers really run on this machine and under which lease, seen from outside: neither hub nor service is asked.

A note for each server lies in STATE/servers, written by its starter before it lets the sandbox live on, so that no moment
leaves a server without one: 1. killed before the note, the starter leaves a sandbox that its keeper ends; 2. killed
between the note and `keep()` likewise, and the note speaks of processes that are gone; 3. afterwards the note is found.
A note is believed only as far as its processes (pid and start time) still run. Its name holds the machine's boot, so that
what a power cut left half written is nobody's.
"""

import contextlib
import json
import os
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from hub.errors import HubError
from hub.sandbox.errors import SandboxError
from hub.sandbox.running import RunningSandbox
from hub.state import StateDir

_SUFFIX = ".running.json"


class ServersUnlistableError(HubError):
    """It cannot be said which servers run; whoever asks must not take that for none."""

    code = "servers-unlistable"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    sentence = "The centre cannot tell at the moment which servers are running: %(cause)s"


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A learner's server of which some process is alive.

    `lease` and `fence` are those it was started under, None for a server without a share; a lease that ended since is
    still named. `cpus` are the CPUs it was then kept to, `cpu_milli` its part of the processor.
    """

    name: str
    lease: str | None
    fence: int | None
    cpu_milli: int | None
    cpus: tuple[int, ...]
    running: RunningSandbox


def note(state: StateDir, server: RunningServer) -> None:
    """Write down that it runs, in place of what was noted before under its name. Raises `OSError`."""
    path = _path(state, server.name, server.running.boot_id)
    data = {
        "lease": server.lease,
        "fence": server.fence,
        "cpu_milli": server.cpu_milli,
        "cpus": list(server.cpus),
        "running": server.running.to_dict(),
    }
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(data, file)
    part.replace(path)


def forget(state: StateDir, name: str, running: RunningSandbox) -> None:
    """Remove the note of one that has ended; that of a later server of the same name stays."""
    path = _path(state, name, running.boot_id)
    with contextlib.suppress(FileNotFoundError, ServersUnlistableError):
        if _read(path, name).running == running:
            path.unlink()


def running_servers(state: StateDir) -> tuple[RunningServer, ...]:
    """Every server with a living process, by name. Raises `ServersUnlistableError`: then nothing is known about any."""
    boot_id = _boot_id()
    ending = f".{boot_id}{_SUFFIX}"
    try:
        names = sorted(os.listdir(state.servers))  # noqa: PTH208 -- glob() takes a directory it cannot read for an empty one
    except OSError as exc:
        raise ServersUnlistableError(cause=exc) from exc
    found = []
    for file in names:
        if file.endswith(ending):
            with contextlib.suppress(FileNotFoundError):  # it ended while this was looking
                found.append(_read(state.servers / file, file.removesuffix(ending)))
    return tuple(each for each in found if each.running.is_alive())


def _read(path: Path, name: str) -> RunningServer:
    try:
        data: dict[str, Any] = json.loads(path.read_text("utf-8"))
        running = RunningSandbox.from_dict(data["running"])
        return RunningServer(name, data["lease"], data["fence"], data["cpu_milli"], tuple(data["cpus"]), running)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, SandboxError) as exc:
        raise ServersUnlistableError(cause=f"{path}: {exc}") from exc


def _path(state: StateDir, name: str, boot_id: str) -> Path:
    return state.servers / f"{name}.{boot_id}{_SUFFIX}"


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()

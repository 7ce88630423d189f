"""Learners' servers from outside: which of them run for a state directory, and ending them with the centre.

They are found in the process table and not in a list: a list is written after the start it notes, and whoever is killed in
between leaves a server that no list knows. A keeper shows whose it is by its log file, which is its standard error; a server without
a sandbox by where its lessons lie, which its environment says.
"""

import signal
from pathlib import Path

import hub.sandbox
import hub.spawn
from hub.sandbox.cgroups import sweep
from hub.state import StateDir
from hub.supervisor.identity import ProcessIdentity, all_pids, command_line, environment_value, wait_all

_KEEPER_FILE = str(Path(hub.sandbox.__file__).with_name("keeper.py"))
_ENTRY_FILE = str(Path(hub.spawn.__file__).with_name("entry.py"))
_LAST_RESORT_S = 3.0


def running_keepers(state: StateDir) -> list[ProcessIdentity]:
    """The keeper of every server that runs on this state directory."""
    found = []
    for pid in all_pids():
        if _KEEPER_FILE not in (command_line(pid) or ()) or not _logs_into(pid, state.servers):
            continue
        identity = ProcessIdentity.of(pid)
        if identity is not None:
            found.append(identity)
    return found


def running_uncontained(state: StateDir) -> list[ProcessIdentity]:
    """Every server that runs on this state directory without a sandbox (`up --insecure-no-sandbox`), as far as this user may see."""
    found = []
    for pid in all_pids():
        if _ENTRY_FILE not in (command_line(pid) or ()) or not _learns_from(pid, state.servers):
            continue
        identity = ProcessIdentity.of(pid)
        if identity is not None:
            found.append(identity)
    return found


def end_servers(state: StateDir, grace_s: float) -> list[ProcessIdentity]:
    """End every server, all at once, each given `grace_s` to save its work; processes that are still there."""
    keepers, uncontained = running_keepers(state), running_uncontained(state)
    for each in (*keepers, *uncontained):
        each.send(signal.SIGTERM)
    left = wait_all([*keepers, *uncontained], grace_s)
    for each in left:
        # To a keeper this means: at once. Killed itself, it would leave the ending to the sandbox's init.
        each.send(signal.SIGUSR1 if each in keepers else signal.SIGKILL)
    left = wait_all(left, _LAST_RESORT_S)
    for each in left:
        each.send(signal.SIGKILL)
    left = wait_all(left, _LAST_RESORT_S)
    # A keeper gave up the right to remove its cgroups when it gave up root.
    sweep()
    return left


def _learns_from(pid: int, servers: Path) -> bool:
    lessons = environment_value(pid, "PRACTICUM_LESSONS")
    return lessons is not None and Path(lessons).resolve().is_relative_to(servers.resolve())


def _logs_into(pid: int, servers: Path) -> bool:
    try:
        log = Path(f"/proc/{pid}/fd/2").readlink()
    except OSError:
        return False
    return log.is_relative_to(servers.resolve())

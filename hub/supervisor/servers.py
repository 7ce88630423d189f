"""Learners' servers from outside: which keepers run for a state directory, and ending them with the centre.

They are found in the process table and not in a list: a list is written after the start it notes, and whoever is killed in
between leaves a server that no list knows. A keeper shows whose it is by its log file, which is its standard error.
"""

import signal
from pathlib import Path

import hub.sandbox
from hub.sandbox.cgroups import sweep
from hub.state import StateDir
from hub.supervisor.identity import ProcessIdentity, all_pids, command_line, wait_all

_KEEPER_FILE = str(Path(hub.sandbox.__file__).with_name("keeper.py"))
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


def end_servers(state: StateDir, grace_s: float) -> list[ProcessIdentity]:
    """End every server, all at once, each given `grace_s` to save its work; keepers that are still there."""
    keepers = running_keepers(state)
    for each in keepers:
        each.send(signal.SIGTERM)
    left = wait_all(keepers, grace_s)
    for each in left:
        # To a keeper this means: at once. Killed itself, it would leave the ending to the sandbox's init.
        each.send(signal.SIGUSR1)
    left = wait_all(left, _LAST_RESORT_S)
    for each in left:
        each.send(signal.SIGKILL)
    left = wait_all(left, _LAST_RESORT_S)
    # A keeper gave up the right to remove its cgroups when it gave up root.
    sweep()
    return left


def _logs_into(pid: int, servers: Path) -> bool:
    try:
        log = Path(f"/proc/{pid}/fd/2").readlink()
    except OSError:
        return False
    return log.is_relative_to(servers.resolve())

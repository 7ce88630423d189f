"""What still runs of a centre whose supervisor was killed, for those who do not want to take it over."""

from hub.state import StateDir
from hub.supervisor.errors import ProcessesLeftError
from hub.supervisor.process import ProcessRecords
from hub.supervisor.servers import end_servers

_GRACE_S = 5.0


def end_remains(state: StateDir) -> None:
    """End every process of this centre, learners' servers too. The caller holds the lock. Raises `ProcessesLeftError`."""
    records = ProcessRecords(state.processes)
    # As long as a marked one lives it may start another server, so they go first.
    for identity, _ in records.marked():
        identity.end(_GRACE_S)
    left = [identity for identity, _ in records.marked()] + end_servers(state, _GRACE_S)
    if left:
        raise ProcessesLeftError(names=", ".join(f"process {each.pid}" for each in left))

"""A centre's start until its sign-in page answers, and its memory while nobody works; JupyterHub alone as the peer."""

import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

from bench.hubs import OUR_ROLES, Learner, RunningHub, our_centre, plain_jupyterhub
from bench.memory import Memory, descendants, memory_of, together
from bench.result import Result, Series
from hub.supervisor.servers import running_keepers

ROUNDS = 5
SETTLE_S = 5.0
"""After this long the lessons are released and nothing happens any more."""
MOST_START_S = 10.0
MOST_MEMORY_MIB = 450.0

OUR_NAME, PEER_NAME = "practicum", "JupyterHub + Traefik"
_HubAt = Callable[[Path], AbstractContextManager[RunningHub]]


class _Life:
    """What was measured of one kind of hub, round after round."""

    def __init__(self, hub_at: _HubAt) -> None:
        self._hub_at = hub_at
        self.first_s: list[float] = []
        self.later_s: list[float] = []
        self.idle: list[dict[str, Memory]] = []
        self.one_server: dict[str, Memory] = {}

    def live(self, directory: Path, settle_s: float) -> None:
        """Start from nothing, then again from what is there; idle; start one server."""
        with self._hub_at(directory) as hub:
            self.first_s.append(hub.answered_after_s)
        with self._hub_at(directory) as hub, closing(Learner(hub)) as learner:
            self.later_s.append(hub.answered_after_s)
            time.sleep(settle_s)
            self.idle.append({role: memory_of(pid) for role, pid in hub.process_ids.items()})
            learner.start_server()
            self.one_server = _server_memory(hub)
            learner.stop_server()

    def idle_series(self, name: str, attribute: str) -> Series:
        """Sums over what the promise is about, in MiB."""
        sums = [together(memory for role, memory in each.items() if role in OUR_ROLES) for each in self.idle]
        return Series(name, [getattr(each, attribute) for each in sums])


def run(rounds: int = ROUNDS, settle_s: float = SETTLE_S) -> list[Result]:
    """Time of the first and of a later start, and idle memory; in each round ours, then the peer."""
    ours, peer = _Life(our_centre), _Life(plain_jupyterhub)
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="practicum-bench-") as scratch:
            ours.live(Path(scratch) / "ours", settle_s)
            peer.live(Path(scratch) / "plain", settle_s)
    return [
        _start_result("first start of an installed centre until its sign-in page answers", ours.first_s, peer.first_s),
        _start_result("a later start until the sign-in page answers", ours.later_s, peer.later_s),
        Result(
            what="memory of hub, proxy, service and culler while nobody works (the peer: hub and proxy), PSS",
            unit="MiB",
            ours=ours.idle_series(OUR_NAME, "pss_mib"),
            peer=peer.idle_series(PEER_NAME, "pss_mib"),
            most=MOST_MEMORY_MIB,
            notes=(
                f"RSS: {ours.idle_series(OUR_NAME, 'rss_mib').median:.0f} MiB ours, {peer.idle_series(PEER_NAME, 'rss_mib').median:.0f} MiB the peer",
                *_by_process("practicum", ours.idle[-1]),
                *_by_process("the peer", peer.idle[-1]),
                *_by_process("one server of practicum", ours.one_server),
                *_by_process("one server of the peer", peer.one_server),
            ),
        ),
    ]


def _server_memory(hub: RunningHub) -> dict[str, Memory]:
    """Of the one server that runs, by process."""
    for keeper in running_keepers(hub.state):
        return {"keeper": memory_of(keeper.pid), **descendants(keeper.pid)}
    # The peer has no keepers: JupyterHub itself is the parent of its servers.
    return descendants(hub.process_ids["jupyterhub"])


def _start_result(what: str, ours_s: list[float], peer_s: list[float]) -> Result:
    return Result(what, "s", Series(OUR_NAME, ours_s), Series(PEER_NAME, peer_s), most=MOST_START_S)


def _by_process(whose: str, parts: dict[str, Memory]) -> list[str]:
    return [f"{whose}, {name}: {memory}" for name, memory in parts.items()]

"""People who start, use and lose servers with shares while a centre is killed around them; and what must hold once it is quiet."""

import json
import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import httpx

from hub.spawn.running import RunningServer, running_servers
from hub.state import StateDir
from tests import processes
from tests.centre import Centre
from tests.visitor import Visitor

OURS = "/services/practicum"
SHARES = ("cpu.half", "cpu.quarter", "cpu.quarter")
"""Two halves or four quarters: five people cannot all have one."""
PATIENCE_S = 25.0
"""How long somebody waits for a turn, or for a server to come up, before going on to something else."""


@dataclass(frozen=True)
class Held:
    """A lease that takes something, as the database has it."""

    lease: str
    name: str
    status: str
    fence: int | None
    cpu_milli: int


class Book:
    """The leases of a centre, read from its database by a process that has nothing to do with it."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "db" / "practicum.sqlite"

    def _rows(self, query: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=20)) as connection:
            return connection.execute(query).fetchall()

    def taking(self) -> list[Held]:
        """Offered and held ones, all of one moment."""
        rows = self._rows(
            "SELECT id, session_name, status, fence, placement FROM lease WHERE status IN ('offered', 'held')"
        )
        return [Held(str(row[0]), str(row[1]), str(row[2]), row[3], _cpu_milli(row[4])) for row in rows]  # type: ignore[arg-type]

    def fences(self) -> list[int]:
        """Every fencing token ever given, in the order of the grants."""
        rows = self._rows("SELECT fence FROM lease WHERE fence IS NOT NULL ORDER BY held_at, fence")
        return [int(str(row[0])) for row in rows]

    def ends(self) -> Counter[str]:
        """How many leases ended, by reason."""
        return Counter(str(row[0]) for row in self._rows("SELECT reason FROM lease WHERE reason IS NOT NULL"))

    def live(self) -> int:
        return len(self._rows("SELECT id FROM lease WHERE status <> 'ended'"))


def _cpu_milli(placement: object) -> int:
    return int(json.loads(str(placement))[1])


@dataclass
class Storm:
    """People at work in one centre. While `resting` is set they begin nothing new."""

    centre: Centre
    visitors: dict[str, Visitor]
    pool_milli: int
    seed: int
    resting: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    did: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.state = StateDir(self.centre.state_dir)
        self.book = Book(self.state.root)

    @contextmanager
    def raging(self) -> Iterator[None]:
        """Everybody is at it in a thread of their own until the end of the block."""
        threads = [threading.Thread(target=self._live, args=(name,)) for name in self.visitors]
        for each in threads:
            each.start()
        try:
            yield
        finally:
            self.over.set()
            for each in threads:
                each.join()

    def check_pool(self) -> None:
        """Never, not for a moment, is more given out than there is, or a token given twice."""
        taking = self.book.taking()
        assert sum(each.cpu_milli for each in taking) <= self.pool_milli, taking
        names = [each.name for each in taking]
        assert len(names) == len(set(names)), taking
        fences = self.book.fences()
        assert all(before < after for before, after in pairwise(fences)), fences

    def wrong(self) -> list[str]:
        """What does not agree between leases and servers; empty once all is settled."""
        held = {each.name: each for each in self.book.taking() if each.status == "held"}
        running = {each.name: each for each in running_servers(self.state)}
        keepers = Counter(name for _, name in processes.keepers(self.state.root))
        found = [f"{name} has {count} keepers" for name, count in keepers.items() if count > 1]
        if set(keepers) != set(running):
            found.append(f"keepers {sorted(keepers)}, noted {sorted(running)}")
        for name, lease in held.items():
            if name not in running:
                found.append(f"leaked: {lease} has no server")
            elif not _is_its_server(running[name], lease):
                found.append(f"{lease} is not what {running[name]} runs under")
        found += [
            f"doubled: {name} runs under {server.lease}, which is not held"
            for name, server in running.items()
            if server.lease is not None and name not in held
        ]
        return found

    def _live(self, name: str) -> None:
        chance = random.Random(f"{self.seed} {name}")
        while not self.over.is_set():
            if self.resting.is_set():
                time.sleep(0.1)
                continue
            try:
                self._one_stay(name, chance)
            except (httpx.HTTPError, StopIteration, OSError):
                # The centre is being killed: an answer broke off, or another page came than the one with the form.
                self.did["was cut off"] += 1
                time.sleep(0.3)

    def _one_stay(self, name: str, chance: random.Random) -> None:
        """Ask for a share, come to a server with it or give up, use it, and lose it one way or another."""
        visitor = self.visitors[name]
        page = visitor.http.get(f"{OURS}/server/share")
        if page.url.path.endswith("/server/share"):
            self.did["asked"] += 1
            page = visitor.submit(page, "/server/start", share=chance.choice(SHARES))
        if not self._come_to_a_server(name, chance):
            return
        time.sleep(chance.uniform(0.2, 3))
        if chance.random() < 0.4:
            self._kill_server(name, chance)
        else:
            visitor.submit(visitor.http.get(f"{OURS}/"), "/server/stop")
            self.did["stopped"] += 1
        time.sleep(chance.uniform(0.1, 1))

    def _come_to_a_server(self, name: str, chance: random.Random) -> bool:
        visitor, deadline = self.visitors[name], time.monotonic() + chance.uniform(5, PATIENCE_S)
        while time.monotonic() < deadline and not self.over.is_set() and not self.resting.is_set():
            page = visitor.http.get(f"{OURS}/server/queue")
            if page.url.path == f"{OURS}/server/queue":
                visitor.submit(page, "/queue/claim")  # too early is answered with a sentence
            elif name in processes.servers(self.state.root):
                self.did["came to a server"] += 1
                return True
            time.sleep(0.5)
        if chance.random() < 0.5:
            page = visitor.http.get(f"{OURS}/server/queue")
            if page.url.path == f"{OURS}/server/queue":
                visitor.submit(page, "/queue/leave")
                self.did["left the queue"] += 1
        return False

    def _kill_server(self, name: str, chance: random.Random) -> None:
        found = processes.servers(self.state.root).get(name)
        if found is not None:
            os.kill(chance.choice([found.keeper, found.bubblewrap, found.init]), signal.SIGKILL)
            self.did["killed a server"] += 1


def _is_its_server(server: RunningServer, lease: Held) -> bool:
    return (server.lease, server.fence, server.cpu_milli) == (lease.lease, lease.fence, lease.cpu_milli)

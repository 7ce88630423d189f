"""Nothing dies that should live, nothing lives that should die: the centre's processes killed at random, under load."""

import os
import random
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from hub.sandbox.cgroups import find_controllers
from tests import processes
from tests.centre import Centre, free_port
from tests.load import Answers, load, watched
from tests.visitor import Notebook, Visitor

PARTS = ("traefik", "jupyterhub", "practicum", "grader", "grader-worker", "culler")
VICTIMS = (*PARTS, "supervisor")
LEARNERS = ("lin.na", "wang.wei", "maria.silva")
CHANGING = "zhao.yun"
"""Whoever starts and stops a server between the kills."""

WHOLE_WITHIN_S = 15.0
STARTED_AGAIN_AFTER_S = 1.0
"""`RestartSec` of docs/how-to/practicum.service."""


@dataclass(frozen=True)
class Round:
    """Processes to kill, one after the other, `gap_s` apart: 0 is at once, more falls into somebody's start."""

    victims: tuple[str, ...]
    gap_s: float = 0.0


@dataclass
class Learner:
    """A learner with a running server whose kernel counts."""

    visitor: Visitor
    notebook: Notebook
    server: processes.ServerProcesses
    count: int = 0

    def answers_through_the_proxy(self) -> bool:
        try:
            return self.notebook.http.get("/api", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def counts_on(self) -> None:
        self.count += 1
        assert self.notebook.run("count += 1; print(count)") == str(self.count)


@dataclass
class Recoveries:
    """How long the centre was not whole, by what had been killed."""

    by_victims: dict[tuple[str, ...], list[float]] = field(default_factory=dict)

    def note(self, victims: tuple[str, ...], took_s: float) -> None:
        self.by_victims.setdefault(victims, []).append(took_s)

    @property
    def worst_s(self) -> float:
        return max(took_s for each in self.by_victims.values() for took_s in each)

    def lines(self) -> Iterator[str]:
        for victims, took in sorted(self.by_victims.items()):
            yield (
                f"{' + '.join(victims):<28} {len(took):>3} x  median {statistics.median(took):5.2f} s"
                f"  worst {max(took):5.2f} s"
            )


@dataclass
class Scene:
    """A centre, three learners at work in it, and what is being killed."""

    centre: Centre
    learners: dict[str, Learner]
    changing: Visitor
    recoveries: Recoveries = field(default_factory=Recoveries)

    def kill(self, name: str) -> None:
        """SIGKILL to that part if it runs; a killed supervisor is started again, as systemd would."""
        if name == "supervisor":
            self.centre.kill()
            time.sleep(STARTED_AGAIN_AFTER_S)
            self.centre.launch()
            return
        for pid in processes.parts(self.centre.state_dir).get(name, []):
            os.kill(pid, signal.SIGKILL)

    def play(self, each: Round) -> None:
        before = processes.parts(self.centre.state_dir)
        for place, name in enumerate(each.victims):
            if place:
                time.sleep(each.gap_s)
            began = time.monotonic()
            self.kill(name)
        while not self.is_whole(before, each.victims):
            waited_s = time.monotonic() - began
            assert waited_s < 2 * WHOLE_WITHIN_S, f"not whole {waited_s:.0f} s after {each}: {self.told()}"
            time.sleep(0.05)
        self.recoveries.note(each.victims, time.monotonic() - began)

    def is_whole(self, before: dict[str, list[int]], victims: tuple[str, ...]) -> bool:
        """Every part once, the killed ones anew, pages and learners' servers answering through the proxy."""
        now = processes.parts(self.centre.state_dir)
        if sorted(now) != sorted(PARTS) or any(len(pids) != 1 for pids in now.values()):
            return False
        if any(now[name] == before.get(name) for name in victims if name != "supervisor"):
            return False
        return (
            self.centre.is_ready()
            and self.centre.answers()
            and all(each.answers_through_the_proxy() for each in self.learners.values())
        )

    def check(self, number: int) -> None:
        """Whoever worked works on; whoever is signed in still is; whoever is not can sign in."""
        found = processes.servers(self.centre.state_dir)
        assert {name: found.get(name) for name in LEARNERS} == {
            name: learner.server for name, learner in self.learners.items()
        }
        name = LEARNERS[number % len(LEARNERS)]
        learner = self.learners[name]
        learner.counts_on()
        home = learner.visitor.http.get("/services/practicum/")
        assert home.status_code == 200
        assert "Your server is running" in home.text, home.text
        with visiting(self.centre) as anew:
            assert anew.sign_in(name).url.path == "/services/practicum/"

    def start_and_stop_a_server(self) -> None:
        self.changing.start_server(CHANGING)
        assert CHANGING in processes.servers(self.centre.state_dir)
        self.changing.stop_server(CHANGING)
        assert CHANGING not in processes.servers(self.centre.state_dir)

    def told(self) -> str:
        parts, servers = processes.parts(self.centre.state_dir), processes.servers(self.centre.state_dir)
        return f"parts {parts}, servers {servers}, the terminal says:\n{self.centre.log.read_text()}"


@contextmanager
def visiting(centre: Centre) -> Iterator[Visitor]:
    visitor = Visitor(centre.url)
    try:
        yield visitor
    finally:
        visitor.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    centre = Centre(tmp_path / "state", free_port())
    with ExitStack() as stack:
        stack.callback(centre.end)
        centre.start()
        invitations = centre.invitations
        visitors = {}
        for name in (*LEARNERS, CHANGING):
            visitors[name] = stack.enter_context(visiting(centre))
            visitors[name].redeem(invitations[name])
            visitors[name].sign_in(name)
        for name in LEARNERS:
            visitors[name].start_server(name)
        servers = processes.servers(centre.state_dir)
        learners = {}
        for name in LEARNERS:
            notebook = Notebook(centre.url, name, visitors[name].server_token(name))
            stack.callback(notebook.close)
            notebook.run("count = 0")
            learners[name] = Learner(visitors[name], notebook, servers[name])
        yield Scene(centre, learners, visitors[CHANGING])


def few_rounds() -> list[Round]:
    """Each part alone, two at once, and one while another is starting."""
    return [
        *(Round((name,)) for name in VICTIMS),
        Round(("jupyterhub", "practicum")),
        Round(("supervisor", "traefik"), gap_s=0.5),
        Round(("jupyterhub", "supervisor"), gap_s=1.0),
    ]


def many_rounds(seed: int) -> list[Round]:
    """Hub, Traefik, practicum service and supervisor 50 times each, the culler now and then, in random company."""
    chance = random.Random(seed)
    first = [name for name in ("jupyterhub", "traefik", "practicum", "supervisor") for _ in range(50)]
    chance.shuffle(first)
    rounds = []
    for name in first:
        other = chance.choice(VICTIMS)
        match chance.choice(["alone", "alone", "at once", "while starting"]):
            case "at once" if other != name:
                rounds.append(Round((name, other)))
            case "while starting":
                rounds.append(Round((name, other), gap_s=round(chance.uniform(0.05, 4.0), 2)))
            case _:
                rounds.append(Round((name,)))
    return rounds


@pytest.mark.timeout(240)
def test_whatever_is_killed_the_centre_is_whole_again_and_servers_live_on(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    live_through(scene, few_rounds(), change_every=4, capsys=capsys)


@pytest.mark.all
@pytest.mark.timeout(2 * 3600)
def test_killed_fifty_times_each_under_load(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    live_through(scene, many_rounds(seed=2), change_every=5, capsys=capsys)


def live_through(scene: Scene, rounds: list[Round], *, change_every: int, capsys: pytest.CaptureFixture[str]) -> None:
    centre = scene.centre
    servers = [f"http://127.0.0.1:{each.server.port}/user/{name}/api" for name, each in scene.learners.items()]
    people = [each.visitor for each in scene.learners.values()]
    began = time.monotonic()
    with watched(servers) as direct, load(centre.url, people) as through_proxy:
        for number, each in enumerate(rounds, 1):
            scene.play(each)
            scene.check(number)
            if number % change_every == 0:
                scene.start_and_stop_a_server()
    with capsys.disabled():
        sys.stdout.write("\n".join(told(scene, rounds, direct, through_proxy, time.monotonic() - began)))
    assert set(direct.kinds) == {"200"}, f"servers did not answer at their own ports: {direct.kinds}"
    assert scene.recoveries.worst_s <= WHOLE_WITHIN_S

    assert centre.stop() == 0
    assert nothing_left(centre.state_dir, [each.server for each in scene.learners.values()]) == []


def told(scene: Scene, rounds: list[Round], direct: Answers, through_proxy: Answers, took_s: float) -> Iterator[str]:
    """What happened, for people."""
    kills = Counter(name for each in rounds for name in each.victims)
    yield f"\n{sum(kills.values())} kills in {took_s:.0f} s: {dict(kills)}"
    yield from scene.recoveries.lines()
    yield f"servers at their own ports: {dict(direct.kinds)}, slowest {direct.slowest_s:.2f} s"
    yield f"people through the proxy: {dict(through_proxy.kinds)}, slowest {through_proxy.slowest_s:.2f} s\n"


def nothing_left(state_dir: Path, servers: list[processes.ServerProcesses]) -> list[str]:
    """Processes and cgroups that should have ended with the centre."""
    keepers = tuple(f"{each.keeper}-" for each in servers)
    parents = {Path(parent) for parent in find_controllers().parents.values()}
    groups = [str(each) for parent in parents for each in parent.glob("*") if each.name.startswith(keepers)]
    return processes.left(state_dir) + groups

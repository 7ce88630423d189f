"""Real sandboxes for the tests: as root each under an uid of its own, as an ordinary user in user namespaces."""

import dataclasses
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.sandbox.launch import start
from hub.sandbox.running import RunningSandbox
from hub.sandbox.software import interpreter, python_software
from hub.sandbox.spec import Limits, Mount, SandboxSpec, User

AS_ROOT = os.geteuid() == 0
HOME = "/home/ada"
LIMITS = Limits(memory_mib=256, processes=64, open_files=256, file_mib=8, tmp_mib=16)

TRAPS_TERM = """
import signal, sys, time
def end(*_):
    open('ended', 'w').write('gracefully')
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
print('ready', flush=True)
time.sleep(600)
"""

_uids = itertools.count(61_000)


@dataclasses.dataclass
class Box:
    """One started sandbox and the places on this machine that belong to it."""

    running: RunningSandbox
    home: Path
    log: Path
    outcome: Path

    def output(self) -> str:
        """What the program printed so far, without the keeper's lines."""
        lines = self.log.read_text("utf-8").splitlines()
        return "\n".join(line for line in lines if " keeper: " not in line)

    def wait_end(self, timeout_s: float = 20.0) -> None:
        eventually(lambda: not self.running.is_alive(), timeout_s)


def eventually(holds: Callable[[], Any], timeout_s: float = 10.0) -> Any:
    """The first true answer of `holds`; fails the test when there is none in time."""
    deadline = time.monotonic() + timeout_s
    while not (found := holds()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)
    return found


def ready(box: Box) -> Box:
    eventually(lambda: "ready" in box.output())
    return box


def outcome(box: Box) -> dict[str, object]:
    found: dict[str, object] = json.loads(box.outcome.read_text())
    return found


class Boxes:
    """Makes sandboxes under one directory and ends them all."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count()
        self._started: list[RunningSandbox] = []

    def spec(self, *argv: str, **changes: Any) -> SandboxSpec:
        """A sandbox with a home of its own that runs `argv`."""
        place = self._directory / f"box{next(self._numbers)}"
        home = place / "home"
        home.mkdir(parents=True)
        user = None
        if AS_ROOT:
            uid = next(_uids)
            user = User(uid, uid, "ada")
            os.chown(home, uid, uid)
        home.chmod(0o700)
        software = python_software(user, home=HOME)
        spec = SandboxSpec(
            argv=argv,
            environment={"PATH": "/usr/bin:/bin", "HOME": HOME},
            working_dir=HOME,
            home=Mount(str(home), HOME, writable=True),
            mounts=software.mounts,
            links=software.links,
            files=software.files,
            limits=LIMITS,
            user=user,
            log_file=str(place / "log"),
            outcome_file=str(place / "outcome.json"),
        )
        return dataclasses.replace(spec, **changes)

    def start(self, spec: SandboxSpec) -> Box:
        running = start(spec)
        self._started.append(running)
        assert spec.home is not None
        assert spec.outcome_file is not None
        return Box(running, Path(spec.home.source), Path(spec.log_file), Path(spec.outcome_file))

    def python(self, code: str, *arguments: str, **changes: Any) -> Box:
        """A started sandbox in which a bare Python runs `code`."""
        return self.start(self.spec(interpreter(), "-I", "-S", "-c", code, *arguments, **changes))

    def end(self) -> None:
        for running in self._started:
            running.stop(0)


@pytest.fixture
def boxes(tmp_path: Path) -> Iterator[Boxes]:
    made = Boxes(tmp_path)
    yield made
    made.end()


@pytest.fixture(scope="module")
def module_boxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boxes]:
    made = Boxes(tmp_path_factory.mktemp("boxes"))
    yield made
    made.end()

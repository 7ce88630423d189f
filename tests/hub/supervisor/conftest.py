"""Ports, and a supervisor that leaves nothing behind whatever a test does."""

import asyncio
import ctypes
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hub.supervisor.process import ProcessRecords, ProcessSpec
from hub.supervisor.supervisor import Supervisor


def free_ports(count: int) -> list[int]:
    """TCP ports that were free a moment ago."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


@dataclass
class Workshop:
    """Makes supervisors over one state directory, and remembers what they reported."""

    root: Path
    said: list[str] = field(default_factory=list)
    slept_s: list[float] = field(default_factory=list)
    made: list[Supervisor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.run_dir.mkdir()
        self.log_dir.mkdir()

    @property
    def run_dir(self) -> Path:
        return self.root / "run"

    @property
    def log_dir(self) -> Path:
        return self.root / "logs"

    @property
    def records(self) -> ProcessRecords:
        return ProcessRecords(self.run_dir)

    async def _sleep(self, seconds: float) -> None:
        """Back-off in no time, noted."""
        self.slept_s.append(seconds)
        await asyncio.sleep(0)

    def supervise(self, table: Sequence[ProcessSpec], real_time: bool = False) -> Supervisor:
        supervisor = Supervisor(
            table, self.run_dir, self.log_dir, self.said.append, asyncio.sleep if real_time else self._sleep
        )
        self.made.append(supervisor)
        supervisor.start()
        return supervisor

    async def abandon(self, supervisor: Supervisor) -> None:
        """As `kill -9` leaves it: nobody watches, everything runs on."""
        for task in supervisor._tasks:
            task.cancel()
        await asyncio.gather(*supervisor._tasks, return_exceptions=True)


@pytest.fixture
async def workshop(tmp_path: Path) -> AsyncIterator[Workshop]:
    made = Workshop(tmp_path)
    yield made
    for supervisor in made.made:
        await supervisor.stop(asyncio.Event())
    for identity, _ in made.records.marked():
        identity.end(1.0)


async def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait for a condition that comes about by itself."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - nobody would set an event
            await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def _subreaper_again_off() -> Iterator[None]:
    """A test process that stayed subreaper would collect nobody, and orphans of later tests would stay as zombies."""
    yield
    ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)

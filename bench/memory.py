"""Memory of processes: PSS shares a page among those that map it, so that sums mean something; RSS counts it for each."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import psutil


@dataclass(frozen=True, slots=True)
class Memory:
    """MiB of one process, or of several together."""

    pss_mib: float
    rss_mib: float

    def __add__(self, other: "Memory") -> "Memory":
        return Memory(self.pss_mib + other.pss_mib, self.rss_mib + other.rss_mib)

    def __str__(self) -> str:
        return f"{self.pss_mib:.0f} MiB PSS, {self.rss_mib:.0f} MiB RSS"


def memory_of(pid: int) -> Memory:
    """Memory of that process now. Only its owner or root may ask."""
    # psutil reads /proc/PID/smaps_rollup where there is one.
    info = psutil.Process(pid).memory_full_info()
    return Memory(info.pss / 2**20, info.rss / 2**20)


def together(parts: Iterable[Memory]) -> Memory:
    """The sum of the parts."""
    return sum(parts, Memory(0.0, 0.0))


def descendants(pid: int) -> dict[str, Memory]:
    """Memory of every process below `pid`, by what it runs."""
    return {_runs(each.cmdline()): memory_of(each.pid) for each in psutil.Process(pid).children(recursive=True)}


def _runs(command_line: list[str]) -> str:
    """The script or module of a Python process, else the program."""
    for before, word in pairwise(command_line):
        if before == "-m" or word.endswith(".py"):
            return word.rsplit("/", 1)[-1]
    return command_line[0].rsplit("/", 1)[-1]

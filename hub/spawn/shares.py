"""What a share means for a server: its limits, its CPUs and what it is told about them."""

import os
from collections.abc import Iterable, Iterator, Sequence

from hub.roster_client import ServerShare
from hub.sandbox.limits import cpu_enforcement
from hub.sandbox.processor import choose_cpus, whole_cpus
from hub.sandbox.spec import Limits
from hub.settings import SandboxSettings
from hub.spawn.running import RunningServer

_THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
    "PYTHON_CPU_COUNT",
)
"""PyTorch and scikit-learn follow the first two; joblib and, from 3.13 on, Python itself count CPUs by the last two. Below
that, os.cpu_count() goes on telling the machine's."""


def basic_limits(settings: SandboxSettings) -> Limits:
    """The limits of a server without a share, and of one whose share has ended."""
    return Limits(
        memory_mib=settings.memory_mib,
        processes=settings.processes,
        open_files=settings.open_files,
        file_mib=settings.home_mib,
        tmp_mib=settings.tmp_mib,
    )


def server_limits(settings: SandboxSettings, share: ServerShare | None, cpus: tuple[int, ...] = ()) -> Limits:
    """The limits of a server with that share, kept to `cpus`. A share that names no memory or CPU leaves the basic one."""
    basic = basic_limits(settings)
    if share is None:
        return basic
    cpu_milli = share.cpu_milli or None
    return Limits(
        memory_mib=share.memory_mib or basic.memory_mib,
        processes=basic.processes,
        open_files=basic.open_files,
        file_mib=basic.file_mib,
        tmp_mib=basic.tmp_mib,
        cpu_milli=cpu_milli,
        cpus=cpus if cpu_milli else (),
    )


def share_environment(share: ServerShare | None) -> dict[str, str]:
    """What a server is told of its share, and how many threads its libraries are to use.

    One without a share: small models train fastest on one thread, and thirty learners share the machine's cores.
    """
    threads = str(1 if share is None else whole_cpus(share.cpu_milli))
    told = dict.fromkeys(_THREADS, threads)
    if share is not None:
        told |= {"PRACTICUM_SHARE": share.profile, "PRACTICUM_SHARE_FENCE": str(share.fence)}
    return told


class CpuPins:
    """Which CPUs new shares are kept to: each CPU is given to one share at a time, as far as CPUs go round.

    Belongs to the one process that starts servers, and must be asked from one thread: between reading what runs and
    reserving nothing else may choose.
    """

    def __init__(self, cpus: Sequence[int] | None = None, *, holds_parts: bool | None = None) -> None:
        """`cpus` and `holds_parts` are this machine's unless a test says otherwise."""
        self._cpus = tuple(sorted(os.sched_getaffinity(0))) if cpus is None else tuple(cpus)
        self._holds_parts = holds_parts
        self._starting: dict[str, tuple[tuple[int, ...], int]] = {}

    def reserve(self, name: str, cpu_milli: int, running: Iterable[RunningServer]) -> tuple[int, ...]:
        """CPUs for the server `name`, reserved until `release`; by then it runs and is noted, or never will."""
        if self._holds_parts is None:
            self._holds_parts = cpu_enforcement().holds_parts
        taken = [*self._starting.values(), *_kept(running)]
        cpus = choose_cpus(self._cpus, taken, cpu_milli, holds_parts=self._holds_parts)
        self._starting[name] = (cpus, cpu_milli)
        return cpus

    def release(self, name: str) -> None:
        """The start of that server is over."""
        self._starting.pop(name, None)


def _kept(running: Iterable[RunningServer]) -> Iterator[tuple[tuple[int, ...], int]]:
    for each in running:
        if each.cpu_milli is None or not each.cpus:
            continue
        try:
            bound = os.sched_getaffinity(each.running.sandbox_pid)
        except ProcessLookupError:
            continue
        # Where its share has ended meanwhile its cpuset was opened again, whatever the note of its start says.
        if bound <= set(each.cpus):
            yield each.cpus, each.cpu_milli

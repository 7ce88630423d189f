"""What would keep a centre from working on this machine: found out by trying where that is possible, with what to do."""

import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from hub.addresses import load_or_choose_addresses
from hub.errors import HubError
from hub.sandbox.probe import probe
from hub.settings import Settings
from hub.state import StateDir
from hub.supervisor.lock import holder
from hub.supervisor.ports import require_free
from hub.supervisor.prepare import NEEDED_MIB
from hub.supervisor.process import ProcessRecords

_CENTRE_MIB = 450
"""Hub, proxy, services, grading worker and culler together, while nobody works."""
_COMFORTABLE_MIB = 4096
_NVIDIA = "0x10de"
_CGROUPS = Path("/sys/fs/cgroup")


class Severity(StrEnum):
    """What a finding means for `up`."""

    FINE = "fine"
    WARNING = "warning"
    FAILURE = "failure"
    """`up` would refuse, or the centre would not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: a sentence, and what to do where it is not fine."""

    about: str
    severity: Severity
    sentence: str
    remedy: str = ""


def examine(state: StateDir, settings: Settings) -> Iterator[Finding]:
    """Every finding, in the order in which somebody would mend them. Nothing is changed, no process of ours started."""
    yield _python()
    yield from _sandbox(state)
    yield from _memory(settings)
    yield _processes()
    yield _open_files()
    yield from _disk(state)
    yield from _ports(state, settings)
    yield _clock(state)
    yield _gpu()


def _python() -> Finding:
    version = platform.python_version()
    return Finding("python", Severity.FINE, f"Python {version} on {platform.machine()}, from {sys.base_prefix}.")


def _sandbox(state: StateDir) -> Iterator[Finding]:
    homes = state.homes if state.homes.exists() else _nearest_existing(state.root)
    for number, found in enumerate(probe(homes)):
        # The first says whether it works at all, the others which limits hold.
        bad = Severity.WARNING if number else Severity.FAILURE
        yield Finding("sandbox", Severity.FINE if found.ok else bad, found.sentence, found.remedy)


def _memory(settings: Settings) -> Iterator[Finding]:
    limits = [psutil.virtual_memory().total, *_cgroup_numbers("memory.max", "memory/memory.limit_in_bytes")]
    total_mib = min(limits) // 2**20
    servers = max(0, total_mib - _CENTRE_MIB) // settings.sandbox.memory_mib
    sentence = (
        f"{total_mib} MiB of memory: room for {servers} servers that use all of their {settings.sandbox.memory_mib} MiB "
        "at once."
    )
    if servers:
        yield Finding("memory", Severity.FINE, sentence)
    else:
        yield Finding("memory", Severity.WARNING, sentence, "Add memory, or lower sandbox.memory_mib in settings.yaml.")


def _processes() -> Finding:
    limits = [int(Path("/proc/sys/kernel/pid_max").read_text("ascii")), *_cgroup_numbers("pids.max", "pids/pids.max")]
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if soft != resource.RLIM_INFINITY and os.geteuid() != 0:
        limits.append(soft)
    most = min(limits)
    if most >= 4096:
        return Finding("processes", Severity.FINE, f"At most {most} processes at a time.")
    remedy = "Raise the limit of the container or service (docker: --pids-limit, systemd: TasksMax)."
    return Finding("processes", Severity.WARNING, f"Only {most} processes at a time; a server needs about 40.", remedy)


def _open_files() -> Finding:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= 4096:
        return Finding("open files", Severity.FINE, f"At most {soft} open files per process.")
    remedy = "Raise it: `ulimit -n 65536` in the shell, LimitNOFILE=65536 in the systemd unit."
    return Finding(
        "open files", Severity.WARNING, f"Only {soft} open files per process; each browser tab takes several.", remedy
    )


def _disk(state: StateDir) -> Iterator[Finding]:
    place = _nearest_existing(state.root)
    if not os.access(place, os.W_OK):
        yield Finding(
            "disk", Severity.FAILURE, f"{place} cannot be written to.", "Choose another place with --state-dir."
        )
    free_mib = shutil.disk_usage(place).free // 2**20
    sentence = f"{free_mib} MiB free at {place}."
    if free_mib < NEEDED_MIB:
        yield Finding(
            "disk", Severity.FAILURE, sentence, f"Make room: below {NEEDED_MIB} MiB the centre does not start."
        )
    elif free_mib < _COMFORTABLE_MIB:
        yield Finding("disk", Severity.WARNING, sentence, "Make room, or put the state directory on a larger disk.")
    else:
        yield Finding("disk", Severity.FINE, sentence)
    inodes = os.statvfs(place)
    if inodes.f_files and inodes.f_favail < 50_000:
        yield Finding(
            "disk", Severity.WARNING, f"Room for {inodes.f_favail} more files only.", "Delete small files, or move."
        )


def _ports(state: StateDir, settings: Settings) -> Iterator[Finding]:
    running = holder(state)
    if running is not None:
        yield Finding("ports", Severity.FINE, f"The centre is up at {running.url} (process {running.pid}).")
        return
    remains = ProcessRecords(state.processes).marked() if state.processes.exists() else []
    if remains:
        pids = ", ".join(str(identity.pid) for identity, _ in remains)
        yield Finding(
            "ports",
            Severity.WARNING,
            f"Processes {pids} of this centre run, but nobody watches them: the supervisor was killed.",
            "`practicum up` takes them over.",
        )
        return
    wanted = [(settings.bind, settings.port, "Choose another with --port, or end that program.")]
    if state.addresses_file.exists():
        inside = load_or_choose_addresses(state.addresses_file)
        remedy = f"End that program, or delete {state.addresses_file}."
        wanted += [
            ("127.0.0.1", port, remedy) for port in (inside.hub, inside.practicum, inside.grader, inside.proxy_api)
        ]
    for host, port, remedy in wanted:
        try:
            require_free(host, port, remedy)
        except HubError as exc:
            yield Finding("ports", Severity.FAILURE, str(exc))
            return
    yield Finding("ports", Severity.FINE, f"Port {settings.port} on {settings.bind} is free.")


def _clock(state: StateDir) -> Finding:
    # Everything written is older than now, unless the clock went back; our own files are the oldest witnesses.
    witnesses = [Path(__file__), *(path for path in (state.version_file, *state.databases.glob("*")) if path.exists())]
    newest_s = max(path.stat().st_mtime for path in witnesses)
    now_s = time.time()
    if now_s >= newest_s - 60:
        return Finding("clock", Severity.FINE, f"It is {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(now_s))} UTC.")
    behind_s = newest_s - now_s
    return Finding(
        "clock",
        Severity.WARNING,
        f"The clock is {behind_s:.0f} s behind files of this centre: it has gone back, or is wrong.",
        "Let it be set over the network (systemd-timesyncd, chrony): deadlines and links depend on it.",
    )


def _gpu() -> Finding:
    devices = [
        path.parent.name
        for path in Path("/sys/bus/pci/devices").glob("*/vendor")
        if path.read_text().strip() == _NVIDIA
    ]
    program = shutil.which("nvidia-smi")
    if program is None:
        if not devices:
            return Finding("gpu", Severity.FINE, "No NVIDIA device here; servers compute on the CPU.")
        remedy = (
            "Install NVIDIA's driver for it (Debian: apt-get install nvidia-driver; Ubuntu: ubuntu-drivers install)."
        )
        return Finding(
            "gpu", Severity.WARNING, f"There is an NVIDIA device ({devices[0]}), but no driver for it.", remedy
        )
    try:
        asked = subprocess.run(
            [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return Finding(
            "gpu", Severity.WARNING, "The NVIDIA driver does not answer.", "Look into `dmesg`; reboot helps."
        )
    words = "; ".join((asked.stdout if asked.returncode == 0 else asked.stdout + asked.stderr).split("\n")).strip("; ")
    if asked.returncode == 0:
        return Finding("gpu", Severity.FINE, f"{words}.")
    remedy = "After a driver upgrade the machine must be started again; else install the driver anew."
    return Finding("gpu", Severity.WARNING, f"The NVIDIA driver does not work: {words}.", remedy)


def _cgroup_numbers(version_2: str, version_1: str) -> Iterator[int]:
    """Limits of the control group this process is in, as a container's runtime shows them."""
    for name in (version_2, version_1):
        try:
            text = (_CGROUPS / name).read_text("ascii").strip()
        except OSError:
            continue
        if text.isdecimal():
            yield int(text)


def _nearest_existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path

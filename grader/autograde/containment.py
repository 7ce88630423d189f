"""Cells run in a sandbox of this machine: no network, no tokens, no gradebook, nobody else's work."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import courses.kit
import grader
import hub
from grader.autograde import runner
from grader.autograde.errors import GradingUnavailableError
from grader.autograde.run import RunLimits, Running
from hub.sandbox.errors import SandboxError
from hub.sandbox.launch import start
from hub.sandbox.software import interpreter, python_software
from hub.sandbox.spec import Limits, Mount, SandboxSpec, User

FIRST_UID = 190_000
"""As root, worker number n grades as the uid FIRST_UID + n: below the learners' range, and one uid each, because the
kernel counts processes per uid."""

_RUNNER = "/opt/practicum/runner.py"
_DOOR = "/opt/practicum/door"
_FILES = "/opt/practicum/lesson"
_KIT = "/opt/practicum/kit"
_HOME = "/tmp"  # noqa: S108 - the sandbox's own, sized, and gone with it
_WORK = "/tmp/work"  # noqa: S108


@dataclass(frozen=True, slots=True)
class Sandboxed:
    """A `Place` on this machine. `worker` tells apart the workers that grade here at the same time."""

    limits: RunLimits
    worker: int = 0

    def start(self, door: Path, files: Path) -> Running:
        """A sandbox with a runner that connects to `door`; raises `GradingUnavailableError`."""
        user = User(FIRST_UID + self.worker, FIRST_UID + self.worker, "grading") if os.geteuid() == 0 else None
        try:
            return start(self._spec(door, files, user))
        except SandboxError as exc:
            raise GradingUnavailableError(cause=exc) from exc

    def beginning(self, names: Sequence[str]) -> dict[str, Any]:
        """What the runner is told first."""
        return {
            "files": list(names),
            "source": _FILES,
            "work": _WORK,
            "path": [_KIT],
            "rlimits": {"RLIMIT_CPU": self.limits.cpu_s, "RLIMIT_CORE": 0},
        }

    def _spec(self, door: Path, files: Path, user: User | None) -> SandboxSpec:
        software = python_software(user, home=_HOME, hidden=not_for_learners())
        return SandboxSpec(
            # The virtual environment's own name for Python: it is how Python finds what is installed there.
            argv=(sys.executable or interpreter(), "-I", "-X", "utf8", _RUNNER, _DOOR),
            environment=_environment(),
            working_dir=_HOME,
            home=None,
            mounts=(
                *software.mounts,
                Mount(str(Path(runner.__file__).resolve()), _RUNNER),
                Mount(str(door), _DOOR),
                Mount(str(files.resolve()), _FILES),
                Mount(str(Path(courses.kit.__file__).resolve().parent), f"{_KIT}/courses/kit"),
            ),
            links=software.links,
            files=software.files,
            masks=software.masks,
            user=user,
            limits=Limits(
                memory_mib=self.limits.memory_mib,
                processes=self.limits.processes,
                open_files=self.limits.open_files,
                file_mib=self.limits.file_mib,
                tmp_mib=self.limits.tmp_mib,
            ),
            network=None,
            log_file=str(Path(door.parent, "log")),
            outcome_file=str(Path(door.parent, "outcome.json")),
            log_mib=1,
            stop_grace_s=0,
        )


def not_for_learners() -> list[Path]:
    """Our own packages and the courses' sources, wherever an installation puts them: they appear empty inside."""
    kit = Path(courses.kit.__file__).resolve().parent
    others = [path for path in kit.parent.iterdir() if path.is_dir() and path != kit]
    return [Path(hub.__file__).resolve().parent, Path(grader.__file__).resolve().parent, *others]


def _environment() -> dict[str, str]:
    return {
        "HOME": _HOME,
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TMPDIR": _HOME,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MPLCONFIGDIR": f"{_HOME}/.matplotlib",
        "IPYTHONDIR": f"{_HOME}/.ipython",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "NBGRADER_EXECUTION": "autograde",
    }

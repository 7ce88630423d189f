"""The checks, in the order of their cost, each a command of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MOST_PROCESSES = 4
"""More centres at a time than this take more memory than a small machine has."""


@dataclass(frozen=True, slots=True)
class Step:
    """One check: passes when its command exits with 0. What it says is shown when it fails, or when `loud`."""

    name: str
    command: tuple[str, ...]
    loud: bool = False


def steps(root: Path, pytest_arguments: Sequence[str], *, everything: bool) -> Iterator[Step]:
    """What is to be run. With arguments for pytest, only pytest: somebody works on those tests."""
    python = sys.executable
    tools = Path(python).parent
    chosen = () if everything else ("-m", "not all")
    # A file at a time, because what the tests of a file share, such as a running centre, is dear. Half of the time is
    # waiting, so that two processes finish in little more than half. In our own order (tests/conftest.py). Single tests are
    # watched in one process.
    processes = str(min(os.cpu_count() or 1, MOST_PROCESSES))
    spread = () if pytest_arguments else ("-n", processes, "--dist", "loadfile", "--no-loadscope-reorder")
    tests = Step("tests", (python, "-m", "pytest", *spread, *chosen, *pytest_arguments), loud=True)
    if not pytest_arguments:
        ruff = str(tools / "ruff")
        yield Step("lint", (ruff, "check", "--quiet", "."))
        yield Step("format", (ruff, "format", "--quiet", "--check", "."))
        yield Step("types", (python, "-m", "mypy"))
        yield Step("imports", (str(tools / "lint-imports"), "--no-cache"))
        yield Step("wheel", (python, "-m", "hub.checks.wheel", str(root)))
    yield tests


def run_all(root: Path, wanted: Iterator[Step], say: Callable[[str], None]) -> bool:
    """Run every check, also after one has failed; whether all passed."""
    passed = True
    for step in wanted:
        began_s = time.monotonic()
        run = subprocess.run(
            step.command,
            cwd=root,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=None if step.loud else subprocess.PIPE,
            stderr=None if step.loud else subprocess.STDOUT,
            text=True,
            check=False,
        )
        passed = passed and run.returncode == 0
        if run.returncode != 0 and run.stdout:
            say(run.stdout.rstrip())
        mark = "ok    " if run.returncode == 0 else "FAILED"
        say(f"{mark} {step.name} ({time.monotonic() - began_s:.0f} s)")
    return passed

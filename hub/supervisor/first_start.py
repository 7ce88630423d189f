"""What an empty centre is given so that there is something to see: released lessons, and a demo cohort.

Runs in processes of their own: the supervisor lives for months and should not carry a database library, and `hub` may not
import `grader`.
"""

import asyncio
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import hub
from hub.errors import HubError
from hub.state import StateDir
from hub.supervisor.process import inherited_environment

_SOURCES = Path(hub.__file__).parent.parent
_TIMEOUT_S = 120.0
_DEMO_COURSE, _DEMO_ASSIGNMENT = "data-processing", "quality-audit"
"""What the demo cohort finds released, due in two weeks."""


class ReleaseFailedError(HubError):
    """The lessons could not be put where learners' servers find them."""

    code = "release-failed"
    sentence = "The lessons could not be released: %(words)s"


class DemoFailedError(HubError):
    """The demo cohort could not be made."""

    code = "demo-failed"
    sentence = "The demo cohort could not be made: %(words)s"


@dataclass(frozen=True, slots=True)
class DemoSignIn:
    """How one person of the demo cohort signs in first."""

    name: str
    display_name: str
    role: str
    token: str


async def release_lessons(state: StateDir) -> bool:
    """Release every lesson of this distribution unless exactly these are released already; whether anything was done."""
    wanted = await asyncio.to_thread(_source_digest)
    stamp = state.courses / ".released"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return False
    status, _, words = await _run("-m", "grader.cli", "release", "--into", str(state.courses))
    if status != 0:
        raise ReleaseFailedError(words=words)
    stamp.write_text(wanted, encoding="utf-8")
    return True


def demo_is_settled(state: StateDir) -> bool:
    """Whether an earlier start showed the demo cohort's links, or was told to make none."""
    return demo_was_begun(state) and bool(json.loads(state.demo_file.read_text(encoding="utf-8")).get("shown"))


def demo_was_begun(state: StateDir) -> bool:
    """Whether an earlier start at least began to make it."""
    return state.demo_file.exists()


def note_demo(state: StateDir, *, shown: bool) -> None:
    """Remember how far the demo cohort is; once `shown`, no later start makes one."""
    part = state.demo_file.with_suffix(".part")
    part.write_text(json.dumps({"shown": shown}) + "\n", encoding="utf-8")
    part.replace(state.demo_file)


async def make_demo_cohort(state: StateDir) -> list[DemoSignIn]:
    """The demo cohort's people, each with an unused invitation; empty where anybody is on the roster already."""
    status, out, words = await _run("-m", "hub.supervisor.demo", str(state.root))
    if status != 0:
        raise DemoFailedError(words=words)
    people = [DemoSignIn(**each) for each in json.loads(out)]
    if people and (state.courses / _DEMO_COURSE / "release").is_dir():
        await _offer_first_assignment(state)
    return people


async def _offer_first_assignment(state: StateDir) -> None:
    arguments = ("--state-dir", str(state.root), "--due-in-days", "14", _DEMO_COURSE, _DEMO_ASSIGNMENT)
    status, _, words = await _run("-m", "grader.cli", "offer", *arguments)
    if status != 0:
        raise DemoFailedError(words=words)


async def _run(*arguments: str) -> tuple[int, bytes, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        *arguments,
        env=inherited_environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # Ctrl-C ends us; we end it.
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            out, err = await process.communicate()
    except TimeoutError:
        return 1, b"", f"it took longer than {_TIMEOUT_S:.0f} s."
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    last = err.decode("utf-8", "replace").strip().rpartition("\n")[2]
    return process.returncode or 0, out, last or "it said nothing."


def _source_digest() -> str:
    digest = hashlib.sha256(hub.__version__.encode())
    for folder in (_SOURCES / "courses", _SOURCES / "grader"):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(_SOURCES)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()

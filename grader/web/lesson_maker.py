"""Making the lesson that learners get from an imported course's source: nbgrader's work, in a process of its own.

The service answers people and stays without nbgrader (2 s to load, 50 MiB). Lessons of the distribution's own courses are
made when the centre starts.
"""

import asyncio
import sys
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from grader.errors import GraderError

_DEADLINE_S = 120.0


class LessonNotMadeError(GraderError):
    """The source cannot be turned into a lesson; the reason is in the words of whoever tried."""

    code = "lesson-not-made"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "The lesson could not be made: %(words)s"


@dataclass(frozen=True, slots=True)
class LessonMaker:
    """Makes lessons below one state directory."""

    state: Path

    async def make(self, course: str, assignment: str) -> None:
        """The lesson lies where learners' servers mount it from. Raises `LessonNotMadeError`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-m",
            "grader.cli",
            "lesson",
            "--state-dir",
            str(self.state),
            course,
            assignment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_DEADLINE_S):
                _, said = await process.communicate()
        except TimeoutError as exc:
            raise LessonNotMadeError(words=f"it took longer than {_DEADLINE_S:.0f} s.") from exc
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise LessonNotMadeError(words=said.decode("utf-8", "replace").strip().rpartition("\n")[2])

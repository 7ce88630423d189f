"""nbgrader's Validate in a process of its own, and what it found as sentences, the first thing to do first.

As a program (`python -m courses.kit.handin.validation NOTEBOOK`) it runs nbgrader and prints JSON; as a module it starts
that program, so that the server answers everybody else meanwhile and stays small: nbgrader and a kernel come and go.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from courses.kit.handin.errors import ValidationStoppedError, ValidationTimeoutError
from courses.kit.handin.texts import Texts

LIMIT_S = 600.0
_GRACE_S = 5.0
_SENTENCE_CHARACTERS = 600
_ANSWER_BYTES = 4 * 1024 * 1024

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
NO_ANSWER = "You did not provide a response."
PARTIAL = "Partial credit; passed some but not all of the tests"
"""nbgrader's own words, which stand for a state and not for an error of the learner's."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One cell that is not right yet: which (its first line), and the sentence that says what to do."""

    cell: str
    sentence: str

    def to_json(self) -> dict[str, str]:
        return {"cell": self.cell, "sentence": self.sentence}


async def validate(notebook: Path, texts: Texts, limit_s: float = LIMIT_S) -> list[Finding]:
    """What nbgrader finds wrong, in the order of the notebook; empty where every visible test passes.

    Raises `ValidationStoppedError` and `ValidationTimeoutError` with the reason.
    """
    # Isolated (-I): a `random.py` in the home must not stand in for Python's own.
    command = (sys.executable, "-I", "-m", "courses.kit.handin.validation", str(notebook))
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_ANSWER_BYTES,
        start_new_session=True,  # so that a stop reaches everything it started
    )
    try:
        async with asyncio.timeout(limit_s):
            output, _ = await process.communicate()
    except TimeoutError as exc:
        raise ValidationTimeoutError(limit_s=round(limit_s)) from exc
    finally:
        # Also when the person has closed the page: whoever waited is gone, the kernel must go, too.
        if process.returncode is None:
            await _stop(process)
    try:
        answer = json.loads(output)
    except ValueError as exc:
        raise ValidationStoppedError(cause=texts.text("the program that runs them ended early")) from exc
    if "stopped" in answer:
        raise ValidationStoppedError(cause=_cause(answer["stopped"], answer.get("detail", ""), texts))
    return findings(answer["found"], texts)


def _cause(stopped: str, detail: str, texts: Texts) -> str:
    causes = {
        "slow-cell": texts.text("a cell ran longer than it may"),
        "dead-kernel": texts.text("the notebook's kernel died, perhaps because memory ran out"),
        "other-version": texts.text("the notebook was made by another version of nbgrader"),
    }
    return causes.get(stopped, detail)


def findings(found: dict[str, list[dict[str, str]]], texts: Texts) -> list[Finding]:
    """nbgrader's result as sentences. Test cells that were changed come first: they hide everything else."""
    listed = []
    for each in found.get("type_changed", []):
        told = texts.text("The type of this cell was changed. Fetch the assignment again to get the original.")
        listed.append(Finding(_title(each["source"]), told))
    for each in found.get("changed", []):
        told = texts.text(
            "This test cell was changed, so your result here may differ from the graded one. Fetch the assignment again "
            "to get the original."
        )
        listed.append(Finding(_title(each["source"]), told))
    return listed + [
        _failed(each["source"], _ANSI.sub("", each["raw_error"]).strip(), texts) for each in found.get("failed", [])
    ]


def _failed(source: str, plain: str, texts: Texts) -> Finding:
    if plain == NO_ANSWER:
        # Its first line is the stub's, which says nothing.
        return Finding(texts.text("Written answer"), texts.text("Not answered yet."))
    return Finding(_title(source), _told(plain, texts))


def _told(plain: str, texts: Texts) -> str:
    if plain == PARTIAL:
        return texts.text("Partly right: some of the tests of this cell do not pass yet.")
    # Of a traceback the last line says what happened; the kit's own tests are one sentence without a traceback.
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    last = lines[-1] if lines else texts.text("The tests of this cell do not pass yet.")
    return last if len(last) <= _SENTENCE_CHARACTERS else f"{last[:_SENTENCE_CHARACTERS]}…"


def _title(source: str) -> str:
    first = next((line.strip() for line in source.splitlines() if line.strip()), "")
    # A comment's first sentence names the cell, the rest of it explains.
    return re.split(r"(?<=[.!?])\s|(?<=[。！？])", first.lstrip("#").strip())[0].rstrip(".。")[:120]


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Ask first, so that nbclient ends its kernel; the kernel leads a session of its own, but ends with its parent."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(_GRACE_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _run(notebook: str) -> dict[str, Any]:
    from nbclient.exceptions import CellTimeoutError, DeadKernelError  # noqa: PLC0415 - only in the program
    from nbgrader.apps import NbGrader  # noqa: PLC0415
    from nbgrader.nbgraderformat import SchemaTooNewError, SchemaTooOldError  # noqa: PLC0415
    from nbgrader.validator import Validator  # noqa: PLC0415

    app = NbGrader()
    app.load_config_file()
    try:
        return {"found": Validator(config=app.config).validate(notebook)}
    except CellTimeoutError:
        return {"stopped": "slow-cell"}
    except DeadKernelError:
        return {"stopped": "dead-kernel"}
    except (SchemaTooOldError, SchemaTooNewError):
        return {"stopped": "other-version"}
    except (OSError, ValueError, KeyError) as exc:  # an unreadable notebook, or one that is none
        return {"stopped": "unreadable", "detail": f"{type(exc).__name__}: {exc}"[:_SENTENCE_CHARACTERS]}


def main() -> None:
    """Print one line of JSON on the real standard output, and nothing else there: nbgrader logs as it likes."""
    answer_to = os.dup(1)
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    answer = _run(sys.argv[1])
    with os.fdopen(answer_to, "w", encoding="utf-8") as file:
        json.dump(answer, file)


if __name__ == "__main__":
    main()

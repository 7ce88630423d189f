"""Running a notebook's cells somewhere else and being told, cell by cell, what happened.

The seam between what is trusted and what is not: everything behind `Place` may be replaced (another process, a pod, a
second interpreter that alone runs the tests) as long as outcomes come back. Points are never among them.
"""

import json
import os
import secrets
import shutil
import socket
import struct
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from hub.sandbox import processes

_PREFIX = "practicum-run-"
_HEADER = struct.Struct("!I")
_MAX_REPLY_BYTES = 1024 * 1024
"""A reply holds a number, a sentence and the beginning of what was printed; more is a flood."""
_START_S = 60.0
"""A machine that grades many at once imports slowly."""
_MARGIN_S = 5.0
"""How long after its time a cell may still answer that its time is over."""


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What one submission may use. Times are wall-clock seconds: a learner's cell that sleeps costs a worker too."""

    cell_s: float = 60.0
    total_s: float = 600.0
    cpu_s: int = 900
    memory_mib: int = 1024
    processes: int = 128
    open_files: int = 512
    file_mib: int = 256
    tmp_mib: int = 256


@dataclass(frozen=True, slots=True)
class CellToRun:
    """One code cell, in the order of the notebook. `is_test` cells are the instructor's and give points."""

    source: str
    is_test: bool


class End(StrEnum):
    """How a cell ended."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    DEAD = "dead"
    NOT_RUN = "not-run"


@dataclass(frozen=True, slots=True)
class CellOutcome:
    """What happened in one cell. All of it but `end` was said inside, and is believed as far as the docs say."""

    end: End
    value: float | None = None
    error_type: str = ""
    error_is_builtin: bool = False
    message: str = ""
    line: int | None = None
    printed: str = ""
    dropped: int = 0
    seconds: float = 0.0


class Running(Protocol):
    """One started place."""

    def to_dict(self) -> dict[str, Any]:
        """Facts by which another process can find and end it."""

    def stop(self, grace_s: float) -> None:
        """End it; nothing of it is left afterwards."""


class Place(Protocol):
    """Where untrusted cells run."""

    def start(self, door: Path, files: Path) -> Running:
        """Start a runner that connects to the unix socket `door` and sees the lesson's `files`, read-only.

        Raises `GradingUnavailableError`.
        """

    def beginning(self, names: Sequence[str]) -> dict[str, Any]:
        """The runner's first message; `names` are the lesson's files."""


class Session:
    """One runner, from its start to its certain end; a context manager.

    `run` never raises for what happens inside: a dead, silent or talkative runner is an outcome of the cell it was given,
    and the cells after it are not run.
    """

    def __init__(self, place: Place, files: Path, names: Sequence[str], limits: RunLimits) -> None:
        self._place = place
        self._files = files
        self._names = names
        self._limits = limits
        self._number = 0
        self._connection: socket.socket | None = None
        self._running: Running | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._until = 0.0
        self.has_answered = False
        """Whether the runner ever came up: otherwise nothing that happened is the learner's doing."""
        self.memory_ran_out = False
        """Known after the end: whether the kernel killed something in there for its memory."""

    def __enter__(self) -> Self:
        # Short, because a socket's whole path must fit into 107 bytes; private, because whoever connects is believed.
        self._folder = tempfile.TemporaryDirectory(prefix=_own_prefix(), ignore_cleanup_errors=True)
        try:
            self._open(Path(self._folder.name) / "door")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    @property
    def running(self) -> Running | None:
        return self._running

    def _open(self, door: Path) -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(door))
            door.chmod(0o666)
            listener.listen(1)
            listener.settimeout(_START_S)
            self._running = self._place.start(door, self._files)
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                return  # every cell is told that the place is dead
        # The listener is closed before any cell runs: a learner's code finds nothing to connect to.
        self._connection = connection
        try:
            self._send(self._place.beginning(self._names))
            self._receive(_START_S)
            self.has_answered = True
        except (OSError, ValueError):
            self._give_up()
        self._until = time.monotonic() + self._limits.total_s

    def run(self, cell: CellToRun) -> CellOutcome:
        """What happened in this cell."""
        self._number += 1
        left = min(self._limits.cell_s, self._until - time.monotonic())
        if self._connection is None:
            return CellOutcome(End.NOT_RUN if self._number > 1 else End.DEAD)
        if left <= 0:
            self._give_up()
            return CellOutcome(End.TIMEOUT, message="the submission's time was over")
        word = secrets.token_hex(16)
        request = {
            "number": self._number,
            "word": word,
            "source": cell.source,
            "test": cell.is_test,
            "seconds": left,
        }
        try:
            self._send(request)
            return _outcome(self._receive(left + _MARGIN_S), word)
        except TimeoutError:
            self._give_up()
            return CellOutcome(End.TIMEOUT, message="the cell did not end when its time was over", seconds=left)
        except (OSError, ValueError, EOFError):
            self._give_up()
            return CellOutcome(End.DEAD)

    def run_all(self, cells: Iterable[CellToRun]) -> Iterator[CellOutcome]:
        """One outcome per cell, in order."""
        for cell in cells:
            yield self.run(cell)

    def close(self) -> None:
        """End the runner and everything it started."""
        self._give_up()
        if self._running is not None:
            self._running.stop(0)
            self._running = None
        if self._folder is not None:
            self.memory_ran_out = _memory_kills(Path(self._folder.name) / "outcome.json") > 0
            self._folder.cleanup()
            self._folder = None

    def _give_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, message: dict[str, Any]) -> None:
        assert self._connection is not None
        body = json.dumps(message).encode("ascii")
        self._connection.settimeout(_MARGIN_S)
        self._connection.sendall(_HEADER.pack(len(body)) + body)

    def _receive(self, seconds: float) -> dict[str, Any]:
        """The next message. Raises `TimeoutError`, `EOFError`, `OSError`, or `ValueError` for what is no message."""
        until = time.monotonic() + seconds
        (size,) = _HEADER.unpack(self._exactly(_HEADER.size, until))
        if size > _MAX_REPLY_BYTES:
            raise ValueError("a reply that is too long")
        try:
            message = json.loads(self._exactly(size, until))
        except RecursionError as exc:
            raise ValueError("a reply that is nested too deeply") from exc
        if not isinstance(message, dict):
            raise ValueError("a reply that is no object")  # noqa: TRY004 - see above: one way out for every lie
        return message

    def _exactly(self, size: int, until: float) -> bytes:
        assert self._connection is not None
        parts = []
        while size:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
            part = self._connection.recv(min(size, 65536))
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def sweep() -> int:
    """Remove what killed processes of this user left of their sessions; how many there were."""
    count = 0
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            pid, started, _ = path.name.removeprefix(_PREFIX).split("-", 2)
            if path.lstat().st_uid != os.geteuid() or processes.is_running(int(pid), int(started)):
                continue
        except (ValueError, FileNotFoundError):
            continue
        shutil.rmtree(path, ignore_errors=True)
        count += 1
    return count


def _own_prefix() -> str:
    return f"{_PREFIX}{os.getpid()}-{processes.start_time(os.getpid())}-"


def _memory_kills(outcome: Path) -> int:
    try:
        return int(json.loads(outcome.read_text(encoding="ascii"))["memory_kills"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _outcome(reply: dict[str, Any], word: str) -> CellOutcome:
    """A reply as an outcome. Raises `ValueError` for one that no honest runner would send."""
    if reply.get("word") != word:
        raise ValueError("a reply to another question")
    error = reply.get("error")
    try:
        seconds = float(reply["seconds"])
        printed, dropped = _text(reply["printed"]), int(reply["dropped"])
        if error is None:
            if reply["ok"] is not True:
                raise ValueError("neither well nor ill")
            value = None if reply["value"] is None else float(_text(reply["value"]))
            return CellOutcome(End.OK, value=value, printed=printed, dropped=dropped, seconds=seconds)
        line = error["line"]
        return CellOutcome(
            End.TIMEOUT if error["timeout"] is True else End.ERROR,
            error_type=_text(error["type"]),
            error_is_builtin=error["builtin"] is True,
            message=_text(error["message"]),
            line=line if type(line) is int else None,
            printed=printed,
            dropped=dropped,
            seconds=seconds,
        )
    except (KeyError, TypeError, OverflowError) as exc:
        raise ValueError("a reply that lacks something") from exc


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value.encode("utf-8", "replace").decode("utf-8")

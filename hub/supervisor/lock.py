"""One supervisor per state directory: the lock, and what it says about who holds it."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

from hub.errors import StateError
from hub.state import StateDir
from hub.supervisor.errors import AlreadyRunningError


@dataclass(frozen=True, slots=True)
class Holder:
    """Who runs the centre of a state directory."""

    pid: int
    url: str


@contextlib.contextmanager
def locked(state: StateDir, url: str) -> Iterator[None]:
    """Hold the state directory for one supervisor. Raises `AlreadyRunningError` naming the one that has it.

    The kernel drops the lock when its holder dies, however it dies; the centre's processes do not inherit it.
    """
    try:
        descriptor = os.open(state.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise StateError(
            "The state directory %(path)s cannot be used: %(cause)s. Choose another with --state-dir.",
            path=state.root,
            cause=exc.strerror,
        ) from exc
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            other = _read(file.read())
            raise AlreadyRunningError(path=state.root, pid=other.pid, url=other.url) from exc
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "url": url}) + "\n")
        file.flush()
        yield
        file.truncate(0)


def holder(state: StateDir) -> Holder | None:
    """Who holds the state directory now; None when nobody does."""
    try:
        with state.lock_file.open("r+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _read(file.read())
    except FileNotFoundError:
        pass
    return None


def _read(text: str) -> Holder:
    try:
        found = json.loads(text)
        return Holder(int(found["pid"]), str(found["url"]))
    except (ValueError, KeyError, TypeError):
        # Locked a moment ago, and not written yet.
        return Holder(0, "starting")

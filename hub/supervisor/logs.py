"""Log files of the centre's processes, kept to a bounded size while the processes write.

A process writes straight into its file, opened for appending, and not into a pipe that the supervisor reads: a pipe would
break when the supervisor dies, and its successor could not take the reading end over. So nobody can ask the writer to
reopen its file, and rotation copies the file aside and cuts it to nothing; with O_APPEND the writer goes on at the new end.
A line written between the last byte copied and the cut (microseconds) is lost; that is the price.
"""

import os
import shutil
from pathlib import Path

LARGEST_BYTES = 10 * 2**20
KEPT = 3
"""Older copies kept beside each log, NAME.log.1 being the youngest."""


def open_log(path: Path) -> int:
    """A descriptor to hand to a process as its standard output and error. Mode 0600.

    Where no file can be made, on a full disk for instance, what the process says is lost: better than no process.
    """
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


def rotate(path: Path, largest_bytes: int = LARGEST_BYTES, kept: int = KEPT) -> bool:
    """Copy `path` aside and empty it if it has outgrown `largest_bytes`; whether it had.

    On a full disk the copy is given up and the log emptied all the same: a log must not keep the disk full.
    """
    try:
        if path.stat().st_size <= largest_bytes:
            return False
    except FileNotFoundError:
        return False
    for number in range(kept, 1, -1):
        older, younger = _copy_name(path, number), _copy_name(path, number - 1)
        if younger.exists():
            younger.replace(older)
    newest = _copy_name(path, 1)
    with path.open("rb+") as log:
        try:
            with os.fdopen(os.open(newest, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as copy:
                shutil.copyfileobj(log, copy)
                copy.flush()
                # What was written meanwhile.
                shutil.copyfileobj(log, copy)
        except OSError:
            newest.unlink(missing_ok=True)
        log.truncate(0)
    return True


def last_lines(path: Path, count: int = 5) -> list[str]:
    """The end of a log, for a message about the process that wrote it."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 16_384))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return [line for line in lines if line.strip()][-count:]


def _copy_name(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")

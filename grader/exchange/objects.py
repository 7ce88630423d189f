"""Bundles on disk, each under the SHA-256 of its bytes, never changed and never overwritten.

An object is in place when its own bytes and its directory entry are on disk (fsync of both): only then may a database
row speak of it. Sweeping takes the lock that adopting shares, because an object between its rename and its row looks
exactly like one that nobody will ever name.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

from grader.exchange.errors import StorageFullError

_PIECE = 1024 * 1024
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextlib.contextmanager
def full_disk_as_sentence() -> Iterator[None]:
    """Raises `StorageFullError` for a full disk or an exhausted quota inside the block."""
    try:
        yield
    except OSError as exc:
        if exc.errno in _FULL:
            raise StorageFullError from exc
        raise


class ObjectStore:
    """One directory: `objects/ab/abcd…`, `uploads/…`, `quarantine/…`. Safe between processes of one machine."""

    def __init__(self, root: Path) -> None:
        self.uploads = root / "uploads"
        self.quarantine = root / "quarantine"
        self._objects = root / "objects"
        for folder in (root, self.uploads, self.quarantine, self._objects):
            folder.mkdir(mode=0o700, exist_ok=True)
        self._lock_file = root / "lock"

    def path(self, sha256: str) -> Path:
        """Where that object lies if it is there."""
        return self._objects / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        return self.path(sha256).is_file()

    def open(self, sha256: str) -> BinaryIO:
        """The object's bytes; raises `FileNotFoundError`."""
        return self.path(sha256).open("rb")

    @contextlib.contextmanager
    def adopting(self) -> Iterator[None]:
        """Hold while an object is put in place and its row is committed; many may at once, no sweep meanwhile."""
        with self._locked(fcntl.LOCK_SH):
            yield

    @contextlib.contextmanager
    def sweeping(self) -> Iterator[None]:
        """Hold while deciding which objects nobody names."""
        with self._locked(fcntl.LOCK_EX):
            yield

    def adopt(self, part: Path, sha256: str) -> None:
        """Make the bytes of `part` the object; durable on return, whether or not the object was there before.

        Steps: 1. fsync the file; 2. link it into place, unless equal bytes are there; 3. fsync the directory. `part`
        stays until its owner has recorded what it needs, so that a crash before then can be taken up again. Raises
        `StorageFullError`.
        """
        target = self.path(sha256)
        with full_disk_as_sentence():
            if not target.parent.exists():
                target.parent.mkdir(mode=0o700, exist_ok=True)
                sync_directory(self._objects)
            sync_file(part)
            with contextlib.suppress(FileExistsError):
                target.hardlink_to(part)
            sync_directory(target.parent)

    def put(self, data: bytes) -> str:
        """Store bytes made here, such as feedback; the address. Durable on return. Raises `StorageFullError`."""
        sha256 = hashlib.sha256(data).hexdigest()
        if not self.has(sha256):
            # A name of its own: two threads that put equal bytes would write to one file, after one had linked it.
            part = self.uploads / f"{sha256}.{secrets.token_hex(8)}.put"
            with full_disk_as_sentence():
                try:
                    part.write_bytes(data)
                    self.adopt(part, sha256)
                finally:
                    part.unlink(missing_ok=True)
        return sha256

    def addresses(self) -> Iterator[str]:
        """Every object there is, in no particular order."""
        for folder in self._objects.iterdir():
            yield from (path.name for path in folder.iterdir())

    def age_s(self, sha256: str, now: float) -> float:
        """Seconds since its bytes were written; `now` is a POSIX time."""
        return now - self.path(sha256).stat().st_mtime

    def set_aside(self, sha256: str, now: float) -> None:
        """Move an object out of the way at that POSIX time, kept for a person to look at. Call it while sweeping."""
        aside = self.quarantine / sha256
        self.path(sha256).replace(aside)
        os.utime(aside, (now, now))
        sync_directory(self.quarantine)

    def removed_from_quarantine(self, before: float, beginning: bytes) -> Iterator[str]:
        """Removes what was set aside before a POSIX time and begins so; the addresses."""
        for path in sorted(self.quarantine.iterdir()):
            if path.stat().st_mtime < before and _begins(path, beginning):
                path.unlink(missing_ok=True)
                yield path.name

    def bring_back(self, sha256: str) -> bool:
        """Whether the object lay in quarantine and is in its place again."""
        try:
            (self.quarantine / sha256).replace(self.path(sha256))
        except FileNotFoundError:
            return False
        sync_directory(self.path(sha256).parent)
        return True

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        with self._lock_file.open("w") as file:
            fcntl.flock(file, how)
            yield


def _begins(path: Path, beginning: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(beginning)) == beginning


def sha256_of(file: IO[bytes]) -> str:
    """The digest of a file's bytes, from its beginning."""
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


def sync_file(path: Path) -> None:
    """The file's bytes are on disk on return."""
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def sync_directory(path: Path) -> None:
    """The directory's entries are on disk on return."""
    number = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)

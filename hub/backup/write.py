"""Writing a backup, also while the centre runs."""

import contextlib
import errno
import hashlib
import io
import os
import sqlite3
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import hub
from hub.backup import postgresql
from hub.backup.errors import BackupWriteError
from hub.backup.manifest import MANIFEST, Manifest
from hub.backup.tree import Found, LeftOut, walk
from hub.clock import Clock
from hub.settings import load_settings
from hub.state import FORMAT, StateDir

_SQLITE = b"SQLite format 3\0"
_SIDE_FILES = ("-wal", "-shm", "-journal")
_COMPRESSION = 3
"""zlib's level: homes are mostly notebooks, and a higher one doubles the time for a few percent."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a backup holds."""

    files: int
    size_bytes: int
    left_out: dict[str, str]


def write_backup(state: StateDir, target: Path, clock: Clock) -> Written:
    """Write all state to `target`, whole or not at all.

    Each SQLite database is a consistent snapshot; two databases may be some seconds apart, and homes are read file by file
    while their owners work. Databases are copied first, so that every hand-in they speak of is among the files copied
    afterwards: its bytes are on disk before its row is, and stay. Raises `BackupWriteError`, `DatabaseToolError`, `SettingsError`.
    """
    target = target.absolute()
    if target.resolve().is_relative_to(state.root.resolve()):
        raise BackupWriteError(path=target, cause="that is inside the state directory itself")
    if target.exists():
        raise BackupWriteError(path=target, cause="a file of that name exists already")
    databases = list(postgresql.external_databases(load_settings(state.settings_file).database))
    manifest = Manifest(hub.__version__, clock.now().isoformat(timespec="seconds"), FORMAT)
    try:
        with (
            _whole_or_nothing(target) as out,
            tempfile.TemporaryDirectory(prefix=".practicum-", dir=target.parent) as room,
            tarfile.open(fileobj=out, mode="w:gz", compresslevel=_COMPRESSION, format=tarfile.PAX_FORMAT) as tar,
        ):
            writer = _Writer(tar, manifest, Path(room))
            if databases:
                writer.add_folder(postgresql.FOLDER)
            for setting, url in databases:
                writer.add_database(setting, url)
            writer.add_state(state)
            _add_bytes(tar, MANIFEST, manifest.to_bytes())
    except OSError as exc:
        cause = "the disk is full" if exc.errno == errno.ENOSPC else exc.strerror or str(exc)
        raise BackupWriteError(path=target, cause=cause) from exc
    return Written(len(manifest.files), target.stat().st_size, manifest.left_out)


@dataclass(frozen=True, slots=True)
class _Writer:
    tar: tarfile.TarFile
    manifest: Manifest
    room: Path
    """For copies of databases on their way into the file."""

    def add_state(self, state: StateDir) -> None:
        lost = {each.name for each in (state.processes, state.logs, state.servers, state.lock_file)}
        others = {path.name for path in state.root.iterdir()} - {state.databases.name}
        first = walk(str(state.root), without=lost | others)
        for entry in chain(first, walk(str(state.root), without=lost | {state.databases.name})):
            if isinstance(entry, LeftOut):
                self.manifest.left_out[entry.path] = entry.reason
            elif entry.path.startswith(f"{state.homes.name}/") or not self._is_sqlite(entry):
                self._add(entry)
            elif not entry.path.endswith(_SIDE_FILES):
                self._add_sqlite(state.root / entry.path, entry)

    def add_folder(self, path: str) -> None:
        member = tarfile.TarInfo(path)
        member.type, member.mode = tarfile.DIRTYPE, 0o700
        self.tar.addfile(member)

    def add_database(self, setting: str, url: str) -> None:
        copy = self.room / f"{setting}.dump"
        postgresql.dump(setting, url, copy)
        self._add_file(copy, f"{postgresql.FOLDER}/{setting}.dump", copy.stat())
        copy.unlink()

    def _is_sqlite(self, entry: Found) -> bool:
        if entry.descriptor is None:
            return False
        return entry.path.endswith(_SIDE_FILES) or os.pread(entry.descriptor, len(_SQLITE), 0) == _SQLITE

    def _add_sqlite(self, path: Path, entry: Found) -> None:
        copy = self.room / "snapshot.sqlite"
        with (
            contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as source,
            contextlib.closing(sqlite3.connect(copy)) as snapshot,
        ):
            source.backup(snapshot)
        self._add_file(copy, entry.path, entry.status)
        copy.unlink()

    def _add_file(self, source: Path, path: str, status: os.stat_result) -> None:
        descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._add(Found(path, status, descriptor=descriptor), size=os.fstat(descriptor).st_size)
        finally:
            os.close(descriptor)

    def _add(self, entry: Found, size: int | None = None) -> None:
        member = tarfile.TarInfo(entry.path)
        member.mode = stat.S_IMODE(entry.status.st_mode)
        member.uid, member.gid = entry.status.st_uid, entry.status.st_gid
        member.mtime = entry.status.st_mtime
        if entry.target is not None:
            member.type, member.linkname = tarfile.SYMTYPE, entry.target
            self.tar.addfile(member)
        elif entry.descriptor is None:
            member.type = tarfile.DIRTYPE
            self.tar.addfile(member)
        else:
            member.size = entry.status.st_size if size is None else size
            content = _Content(entry.descriptor)
            self.tar.addfile(member, content)  # type: ignore[arg-type]  # it only calls `read`
            self.manifest.files[entry.path] = content.digest.hexdigest()


class _Content:
    """A file as long as it was when it was opened: what grew is cut, what shrank is filled with zeros."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._offset = 0
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = os.pread(self._descriptor, size, self._offset)
        data += bytes(size - len(data))
        self._offset += len(data)
        self.digest.update(data)
        return data


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o600
    tar.addfile(member, io.BytesIO(data))


@contextlib.contextmanager
def _whole_or_nothing(target: Path) -> Iterator[io.BufferedWriter]:
    part = target.with_name(target.name + ".part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise

"""Putting a backup back: checked whole before anything is written, written aside before anything is in its place."""

import contextlib
import gzip
import hashlib
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from hub.backup import postgresql
from hub.backup.errors import BackupDamagedError, StateNotEmptyError
from hub.backup.manifest import MANIFEST, Manifest
from hub.errors import StateError
from hub.settings import load_settings
from hub.state import FORMAT, StateDir

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def restore_backup(source: Path, state: StateDir) -> Manifest:
    """Make `state` what it was when `source` was written; its manifest.

    The caller holds the state directory's lock. Owners of homes come back where the caller is root. A `settings.yaml` that
    is there already stays, with the backup's beside it as `settings.yaml.restored`. Raises `BackupDamagedError`,
    `StateNotEmptyError`, `DatabaseToolError`, `StateError`, and leaves an empty state directory empty then.
    """
    require_empty(state)
    aside = state.root / ".restoring"
    try:
        with source.open("rb") as file:
            manifest = _verify(source, file)
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(mode=0o700)
            file.seek(0)
            with _reading(source, file) as tar:
                _extract(tar, aside, keep_owners=os.geteuid() == 0)
        _restore_databases(source, aside, state)
        _move_into_place(aside, state)
    except OSError as exc:
        raise StateError("The backup could not be restored: %(cause)s.", cause=exc.strerror or exc) from exc
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    state.prepare()
    return manifest


def require_empty(state: StateDir) -> None:
    """Raise `StateNotEmptyError` where there is anything a restored centre would overwrite."""
    for path in (state.databases, state.homes, state.courses):
        if path.is_dir() and any(path.iterdir()):
            raise StateNotEmptyError(path=state.root, found=f"{path.name}/ is not empty")
    if state.secrets_file.exists():
        raise StateNotEmptyError(path=state.root, found="it has secrets")


def _verify(source: Path, file: BinaryIO) -> Manifest:
    """Every member is of a kind we write, and every file is what the manifest says."""
    seen: dict[str, str] = {}
    manifest = None
    with _reading(source, file) as tar:
        for member in tar:
            if manifest is not None:
                raise BackupDamagedError(path=source, cause="something follows its manifest")
            _require_tame(source, member)
            if not member.isreg():
                continue
            content = tar.extractfile(member)
            assert content is not None
            if member.name == MANIFEST:
                manifest = Manifest.from_bytes(content.read())
            else:
                seen[member.name] = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
        # The last bytes are gzip's own checksum, which tarfile has no reason to look at.
        while tar.fileobj is not None and tar.fileobj.read(2**20):
            pass
    if manifest is None:
        raise BackupDamagedError(path=source, cause="its end is missing")
    if manifest.state_format > FORMAT:
        raise BackupDamagedError(path=source, cause=f"it is of a newer Practicum ({manifest.practicum})")
    if seen != manifest.files:
        wrong = min(set(seen.items()) ^ set(manifest.files.items()))[0]
        raise BackupDamagedError(path=source, cause=f"{wrong} is not what its manifest says")
    return manifest


def _require_tame(source: Path, member: tarfile.TarInfo) -> None:
    parts = PurePosixPath(member.name).parts
    if not parts or member.name.startswith("/") or ".." in parts:
        raise BackupDamagedError(path=source, cause=f"{member.name} would lie outside the state directory")
    if not (member.isreg() or member.isdir() or member.issym()):
        raise BackupDamagedError(path=source, cause=f"{member.name} is neither file, directory nor link")


@contextlib.contextmanager
def _reading(source: Path, file: BinaryIO) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(fileobj=file, mode="r:gz") as tar:
            yield tar
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, ValueError) as exc:
        raise BackupDamagedError(path=source, cause=str(exc)) from exc


@dataclass(frozen=True, slots=True)
class _Directory:
    path: str
    member: tarfile.TarInfo


def _extract(tar: tarfile.TarFile, root: Path, *, keep_owners: bool) -> None:
    directories = []
    for member in tar:
        if member.name == MANIFEST:
            continue
        parent, name = os.path.split(member.name.rstrip("/"))
        with _opened(root, parent) as folder:
            if member.isdir():
                os.mkdir(name, 0o700, dir_fd=folder)
                directories.append(_Directory(member.name, member))
                continue
            if member.issym():
                os.symlink(member.linkname, name, dir_fd=folder)
            else:
                _write_file(tar, member, name, folder)
            _dress(member, name, folder, keep_owners=keep_owners)
    # Last and from the inside out: a directory may be read-only, and its times change with what is put into it.
    for each in reversed(directories):
        parent, name = os.path.split(each.path.rstrip("/"))
        with _opened(root, parent) as folder:
            _dress(each.member, name, folder, keep_owners=keep_owners)


def _write_file(tar: tarfile.TarFile, member: tarfile.TarInfo, name: str, folder: int) -> None:
    content = tar.extractfile(member)
    assert content is not None
    with os.fdopen(os.open(name, _NEW_FILE, 0o600, dir_fd=folder), "wb") as out:
        shutil.copyfileobj(content, out, 2**20)


def _dress(member: tarfile.TarInfo, name: str, folder: int, *, keep_owners: bool) -> None:
    if keep_owners:
        os.chown(name, member.uid, member.gid, dir_fd=folder, follow_symlinks=False)
    if not member.issym():
        # Never setuid, setgid or sticky: an owner may have changed on the way.
        os.chmod(name, member.mode & 0o777, dir_fd=folder)
    os.utime(name, (member.mtime, member.mtime), dir_fd=folder, follow_symlinks=False)


@contextlib.contextmanager
def _opened(root: Path, relative: str) -> Iterator[int]:
    """The directory `relative` below `root`, reached without following any link the backup itself made."""
    folder = os.open(root, _DIRECTORY)
    try:
        for part in PurePosixPath(relative).parts:
            below = os.open(part, _DIRECTORY, dir_fd=folder)
            os.close(folder)
            folder = below
        yield folder
    finally:
        os.close(folder)


def _restore_databases(source: Path, aside: Path, state: StateDir) -> None:
    folder = aside / postgresql.FOLDER
    dumps = {path.stem: path for path in folder.glob("*.dump")}
    settings = load_settings(state.settings_file if state.settings_file.exists() else aside / state.settings_file.name)
    urls = dict(postgresql.external_databases(settings.database))
    if elsewhere := sorted(set(dumps) ^ set(urls)):
        raise BackupDamagedError(
            path=source, cause=f"settings.yaml names another place for {elsewhere[0]} than it does"
        )
    for setting, url in urls.items():
        postgresql.require_empty(setting, url)
    for setting, url in urls.items():
        postgresql.load(setting, url, dumps[setting])
    shutil.rmtree(folder, ignore_errors=True)


def _move_into_place(aside: Path, state: StateDir) -> None:
    if state.settings_file.exists() and (aside / state.settings_file.name).exists():
        (aside / state.settings_file.name).rename(state.settings_file.with_suffix(".yaml.restored"))
    # The version last: until it is there, nobody takes this for a centre.
    for path in sorted(aside.iterdir(), key=lambda path: path.name == state.version_file.name):
        target = state.root / path.name
        if target.is_dir() and path.is_dir():
            target.rmdir()  # empty: `require_empty` has looked
        path.rename(target)

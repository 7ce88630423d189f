"""A hand-in as one file: a manifest and the learner's files, in the only byte sequence that content can have.

A bundle is an uncompressed tar of regular files (see `header`): first `manifest.json`, then `files/PATH` in the order
of the paths. The same files give the same bytes on every machine, so the SHA-256 names the content, and nothing can
unfold into more than it weighs. Needs the standard library only, because the learner's side packs with it too.
"""

import errno
import hashlib
import json
import os
import stat
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

from grader.exchange import header
from grader.exchange.errors import (
    BundleDamagedError,
    BundleEmptyError,
    BundleError,
    BundleFileChangedError,
    BundleForeignError,
    BundleLinkError,
    BundleNotebookEmptyError,
    BundleNotebookMissingError,
    BundleSpecialFileError,
    BundleTooLargeError,
    BundleTooManyFilesError,
    BundleTruncatedError,
)
from grader.exchange.names import check_distinct, check_name, shown

FORMAT = 1
MANIFEST = "manifest.json"
_FILES = "files/"
_MANIFEST_BYTES = 1024 * 1024
_PIECE = 1024 * 1024
_MIB = 1024 * 1024
_LEFT_BEHIND = {"__pycache__", "node_modules"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one hand-in may weigh."""

    bundle_bytes: int = 64 * _MIB
    file_bytes: int = 32 * _MIB
    files: int = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a hand-in."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle says about itself. Who handed it in is not in it: the centre knows that from the sign-in."""

    course: str
    assignment: str
    language: str
    """Of the lesson the learner fetched: graded cells speak it. Empty where the panel does not know."""
    files: tuple[Entry, ...] = field(default_factory=tuple)

    def encoded(self) -> bytes:
        values = {"format": FORMAT, **asdict(self)}
        return (json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n").encode("utf-8")


@dataclass(frozen=True, slots=True)
class Written:
    """A bundle that was written: its address, its size in bytes and what it says."""

    sha256: str
    size: int
    manifest: Manifest


def pack(
    folder: Path, into: BinaryIO, *, course: str, assignment: str, language: str = "", limits: Limits | None = None
) -> Written:
    """Every file of `folder` as a bundle. Hidden files, checkpoints and caches stay behind.

    Names are put into Unicode's composed form, as macOS writes the other one. Raises a `BundleError` child whose
    sentence tells the learner what to do; what was written to `into` is then worthless.
    """
    limits = limits or Limits()
    found = _files_of(folder, limits)
    check_distinct(found)
    entries = []
    for name, path in sorted(found.items()):
        check_name(name)
        digest = hashlib.sha256()
        size = _copy(path, name, limits, digest.update)
        entries.append(Entry(name, size, digest.hexdigest()))
    manifest = Manifest(course, assignment, language, tuple(entries))
    return _write(manifest, into, limits, lambda entry, sink: _copy(found[entry.path], entry.path, limits, sink))


def pack_contents(
    contents: dict[str, bytes],
    into: BinaryIO,
    *,
    course: str,
    assignment: str,
    language: str = "",
    limits: Limits | None = None,
) -> Written:
    """The same for files that are in memory, such as one notebook uploaded through a page."""
    limits = limits or Limits()
    check_distinct(contents)
    entries = []
    for name, data in sorted(contents.items()):
        check_name(name)
        _check_file_size(name, len(data), limits)
        entries.append(Entry(name, len(data), hashlib.sha256(data).hexdigest()))

    def copy(entry: Entry, sink: Callable[[bytes], object]) -> int:
        sink(contents[entry.path])
        return len(contents[entry.path])

    return _write(Manifest(course, assignment, language, tuple(entries)), into, limits, copy)


def inspect(bundle: BinaryIO, limits: Limits | None = None) -> Manifest:
    """What is in a bundle, after every byte of it was checked. Raises a `BundleError` child; keeps little in memory."""
    return _walk(bundle, limits or Limits(), lambda _entry, _piece: None)


def contents(bundle: BinaryIO, limits: Limits | None = None) -> dict[str, bytes]:
    """Every file of a bundle by its path, after every byte of it was checked. Raises a `BundleError` child."""
    found: dict[str, bytearray] = {}

    def keep(entry: Entry, piece: bytes) -> None:
        found.setdefault(entry.path, bytearray()).extend(piece)

    manifest = _walk(bundle, limits or Limits(), keep)
    return {entry.path: bytes(found.get(entry.path, b"")) for entry in manifest.files}


def check_fits(manifest: Manifest, *, course: str, assignment: str, notebooks: frozenset[str]) -> None:
    """Raises a `BundleError` child unless the bundle is for this assignment and holds one of its notebooks, not empty.

    `notebooks` are file names. One missing notebook out of several is the learner's choice and scores zero.
    """
    if (manifest.course, manifest.assignment) != (course, assignment):
        raise BundleForeignError(found=f"{manifest.course}/{manifest.assignment}", wanted=f"{course}/{assignment}")
    here = [entry for entry in manifest.files if entry.path in notebooks]
    if not here:
        raise BundleNotebookMissingError(wanted=", ".join(sorted(notebooks)))
    for entry in here:
        if entry.size == 0:
            raise BundleNotebookEmptyError(name=shown(entry.path))


def _write(
    manifest: Manifest,
    into: BinaryIO,
    limits: Limits,
    copy: Callable[[Entry, Callable[[bytes], object]], int],
) -> Written:
    if not manifest.files:
        raise BundleEmptyError
    encoded = manifest.encoded()
    size = _bundle_size(manifest, len(encoded))
    if size > limits.bundle_bytes:
        raise BundleTooLargeError(what="The folder", limit_mib=limits.bundle_bytes // _MIB)
    digest = hashlib.sha256()

    def put(data: bytes) -> None:
        digest.update(data)
        into.write(data)

    put(header.build(MANIFEST, len(encoded)) + encoded + bytes(header.padding(len(encoded))))
    for entry in manifest.files:
        put(header.build(_FILES + entry.path, entry.size))
        check = hashlib.sha256()

        def sink(piece: bytes, check: "hashlib._Hash" = check) -> None:
            check.update(piece)
            put(piece)

        if copy(entry, sink) != entry.size or check.hexdigest() != entry.sha256:
            raise BundleFileChangedError(name=shown(entry.path))
        put(bytes(header.padding(entry.size)))
    put(header.END)
    return Written(digest.hexdigest(), size, manifest)


def _bundle_size(manifest: Manifest, manifest_bytes: int) -> int:
    sizes = [manifest_bytes, *(entry.size for entry in manifest.files)]
    return sum(header.BLOCK_BYTES + size + header.padding(size) for size in sizes) + len(header.END)


def _walk(bundle: BinaryIO, limits: Limits, keep: Callable[[Entry, bytes], None]) -> Manifest:
    first = bundle.read(header.BLOCK_BYTES)
    if not first:
        raise BundleEmptyError
    name, size = header.parse(_whole(first))
    if name != MANIFEST:
        raise BundleDamagedError(where="no manifest")
    if size > _MANIFEST_BYTES:
        raise BundleTooManyFilesError(limit=limits.files)
    manifest = _read_manifest(_exactly(bundle, size), limits)
    _skip_padding(bundle, size)
    if _bundle_size(manifest, size) > limits.bundle_bytes:
        raise BundleTooLargeError(what="The hand-in", limit_mib=limits.bundle_bytes // _MIB)
    for entry in manifest.files:
        if header.parse(_exactly(bundle, header.BLOCK_BYTES)) != (_FILES + entry.path, entry.size):
            raise BundleDamagedError(where="another file than the manifest says")
        digest = hashlib.sha256()
        for piece in _pieces(bundle, entry.size):
            digest.update(piece)
            keep(entry, piece)
        if digest.hexdigest() != entry.sha256:
            raise BundleDamagedError(where=shown(entry.path))
        _skip_padding(bundle, entry.size)
    if _exactly(bundle, len(header.END)) != header.END or bundle.read(1):
        raise BundleDamagedError(where="the end")
    return manifest


def _read_manifest(data: bytes, limits: Limits) -> Manifest:
    try:
        values = json.loads(data)
        entries = tuple(Entry(**each) for each in values["files"])
        manifest = Manifest(values["course"], values["assignment"], values["language"], entries)
        same = manifest.encoded() == data
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise BundleDamagedError(where="the manifest") from exc
    # Equal bytes alone do not say that a size is a whole number: Entry holds whatever the JSON held.
    texts = [manifest.course, manifest.assignment, manifest.language]
    texts += [text for entry in entries for text in (entry.path, entry.sha256)]
    if not same or not all(type(text) is str for text in texts) or not all(type(each.size) is int for each in entries):
        raise BundleDamagedError(where="the manifest")
    if not entries:
        raise BundleEmptyError
    if len(entries) > limits.files:
        raise BundleTooManyFilesError(limit=limits.files)
    paths = [entry.path for entry in entries]
    for entry in entries:
        check_name(entry.path)
        _check_file_size(entry.path, entry.size, limits)
    check_distinct(paths)
    if paths != sorted(paths):
        raise BundleDamagedError(where="the order of the files")
    return manifest


def _check_file_size(name: str, size: int, limits: Limits) -> None:
    if size < 0:
        raise BundleDamagedError(where="a size")
    if size > limits.file_bytes:
        raise BundleTooLargeError(what=shown(name), limit_mib=limits.file_bytes // _MIB)


def _whole(block: bytes) -> bytes:
    if len(block) < header.BLOCK_BYTES:
        header.refuse_compressed(block)
        raise BundleTruncatedError
    return block


def _pieces(bundle: BinaryIO, size: int) -> Iterator[bytes]:
    while size:
        piece = bundle.read(min(size, _PIECE))
        if not piece:
            raise BundleTruncatedError
        size -= len(piece)
        yield piece


def _exactly(bundle: BinaryIO, size: int) -> bytes:
    return b"".join(_pieces(bundle, size))


def _skip_padding(bundle: BinaryIO, size: int) -> None:
    if any(_exactly(bundle, header.padding(size))):
        raise BundleDamagedError(where="padding")


def _files_of(folder: Path, limits: Limits) -> dict[str, Path]:
    """Paths by the name they get, composed and relative. Links and special files are refused, not followed."""
    found: dict[str, Path] = {}
    waiting = [(folder, "")]
    while waiting:
        where, prefix = waiting.pop()
        with os.scandir(where) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name in _LEFT_BEHIND:
                    continue
                name = prefix + unicodedata.normalize("NFC", entry.name)
                if entry.is_symlink():
                    raise BundleLinkError(name=shown(name))
                if entry.is_dir(follow_symlinks=False):
                    check_name(name)  # also bounds the depth of this walk
                    waiting.append((Path(entry.path), name + "/"))
                    continue
                if not entry.is_file(follow_symlinks=False):
                    raise BundleSpecialFileError(name=shown(name))
                if len(found) == limits.files:
                    raise BundleTooManyFilesError(limit=limits.files)
                check_name(name)
                if name in found:
                    check_distinct([name, name])
                found[name] = Path(entry.path)
    return found


def _copy(path: Path, name: str, limits: Limits, sink: Callable[[bytes], object]) -> int:
    """Bytes handed to `sink`. A file that became a link or a pipe since it was listed is refused, not opened."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise BundleLinkError(name=shown(name)) from exc
        raise BundleFileChangedError(name=shown(name)) from exc
    with os.fdopen(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise BundleSpecialFileError(name=shown(name))
        copied = 0
        while piece := file.read(_PIECE):
            copied += len(piece)
            _check_file_size(name, copied, limits)
            sink(piece)
        return copied


__all__ = [
    "BundleError",
    "Entry",
    "Limits",
    "Manifest",
    "Written",
    "check_fits",
    "contents",
    "inspect",
    "pack",
    "pack_contents",
]

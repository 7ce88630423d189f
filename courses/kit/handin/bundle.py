"""A release or a hand-in as one file, in the only byte sequence that content can have.

The format is the centre's (`grader.exchange.bundle`), which this package must not import: an uncompressed tar of regular
files, `manifest.json` first, then `files/PATH` in the order of the paths. Every header is rebuilt from the manifest and
compared, so a reader understands nothing of tar that could lead outside a folder. A contract test packs with one side
and reads with the other.
"""

import errno
import hashlib
import json
import os
import stat
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from courses.kit.handin.errors import (
    FileChangedError,
    FileNameClashError,
    FileNameError,
    FileTooLargeError,
    HandInTooLargeError,
    NotAFileError,
    ReleaseDamagedError,
    TooManyFilesError,
)
from courses.kit.handin.names import clash, is_file_name

_BLOCK = 512
_END = bytes(2 * _BLOCK)
_MANIFEST = "manifest.json"
_FILES = "files/"
_MANIFEST_BYTES = 1024 * 1024
_PIECE = 1024 * 1024
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one bundle may weigh. The default is what the centre takes as a hand-in."""

    bundle_bytes: int = 64 * _MIB
    file_bytes: int = 32 * _MIB
    files: int = 500


RELEASE_LIMITS = Limits(bundle_bytes=1024 * _MIB, file_bytes=1024 * _MIB, files=5000)
"""What may arrive as an assignment: more than a hand-in, because lessons bring data, but not a home's whole quota."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a bundle."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle says about itself."""

    course: str
    assignment: str
    language: str
    files: tuple[Entry, ...]

    def encoded(self) -> bytes:
        values = {"format": 1, **asdict(self)}
        return (json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n").encode()


@dataclass(frozen=True, slots=True)
class Packed:
    """A bundle that was written: its digest, its size in bytes and what it says."""

    sha256: str
    size: int
    manifest: Manifest


def pack(
    files: dict[str, Path], into: BinaryIO, *, course: str, assignment: str, language: str, limits: Limits | None = None
) -> Packed:
    """The files, by the name each gets in the bundle. Raises a `HandInError` child that says what to change."""
    limits = limits or Limits()
    _check_names(files, limits)
    entries = []
    for name in sorted(files):
        digest = hashlib.sha256()
        entries.append(Entry(name, copy(files[name], name, digest.update, limits), digest.hexdigest()))
    manifest = Manifest(course, assignment, language, tuple(entries))
    encoded = manifest.encoded()
    if _size(manifest, len(encoded)) > limits.bundle_bytes:
        raise HandInTooLargeError(limit_mib=limits.bundle_bytes // _MIB)
    digest = hashlib.sha256()

    def put(data: bytes) -> None:
        digest.update(data)
        into.write(data)

    put(_header(_MANIFEST, len(encoded)) + encoded + _padding(len(encoded)))
    for entry in entries:
        put(_header(_FILES + entry.path, entry.size))
        again = hashlib.sha256()

        def sink(piece: bytes, again: "hashlib._Hash" = again) -> None:
            again.update(piece)
            put(piece)

        if copy(files[entry.path], entry.path, sink, limits) != entry.size or again.hexdigest() != entry.sha256:
            raise FileChangedError(name=shown(entry.path))
        put(_padding(entry.size))
    put(_END)
    return Packed(digest.hexdigest(), _size(manifest, len(encoded)), manifest)


def _check_names(names: Collection[str], limits: Limits) -> None:
    if len(names) > limits.files:
        raise TooManyFilesError(limit=limits.files)
    for name in names:
        if not _fits(name):
            raise FileNameError(name=shown(name))
    if (found := clash(names)) is not None:
        raise FileNameClashError(name=shown(found[0]), other=shown(found[1]))


def read_manifest(bundle: BinaryIO, limits: Limits = RELEASE_LIMITS) -> Manifest:
    """What a bundle says it holds; reads no further. Raises `ReleaseDamagedError`."""
    header = _exactly(bundle, _BLOCK)
    try:
        size = int(header[124:135], 8)
    except ValueError as exc:
        raise ReleaseDamagedError from exc
    if not 0 < size <= _MANIFEST_BYTES or header != _header(_MANIFEST, size):
        raise ReleaseDamagedError
    encoded = _exactly(bundle, size)
    manifest = _parsed(encoded, limits)
    if any(_exactly(bundle, -size % _BLOCK)) or _size(manifest, size) > limits.bundle_bytes:
        raise ReleaseDamagedError
    return manifest


def unpack(bundle: BinaryIO, folder: Path, limits: Limits = RELEASE_LIMITS) -> Manifest:
    """Write every file of the bundle into the empty `folder`, each byte checked on the way.

    Raises `ReleaseDamagedError` for anything but a whole, well-formed bundle; what was written until then is worthless.
    """
    manifest = read_manifest(bundle, limits)
    for entry in manifest.files:
        if _exactly(bundle, _BLOCK) != _header(_FILES + entry.path, entry.size):
            raise ReleaseDamagedError
        target = folder / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with target.open("xb") as file:
            for piece in _pieces(bundle, entry.size):
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != entry.sha256 or any(_exactly(bundle, -entry.size % _BLOCK)):
            raise ReleaseDamagedError
    if _exactly(bundle, len(_END)) != _END or bundle.read(1):
        raise ReleaseDamagedError
    return manifest


def copy(path: Path, name: str, sink: Callable[[bytes], object], limits: Limits | None = None) -> int:
    """Hand the bytes of an ordinary file to `sink`; how many they were. A link is refused, not followed."""
    limits = limits or Limits()
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        raise (NotAFileError if exc.errno == errno.ELOOP else FileChangedError)(name=shown(name)) from exc
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise NotAFileError(name=shown(name))
    with os.fdopen(number, "rb") as file:
        copied = 0
        while piece := file.read(_PIECE):
            copied += len(piece)
            if copied > limits.file_bytes:
                raise FileTooLargeError(name=shown(name), limit_mib=limits.file_bytes // _MIB)
            sink(piece)
        return copied


def shown(name: str) -> str:
    """The name as a sentence can hold it: shortened, and escaped where it would not print as itself."""
    short = name if len(name) <= 80 else f"{name[:77]}…"
    return short if short and short.isprintable() and short.strip() == short else ascii(short)


def _parsed(encoded: bytes, limits: Limits) -> Manifest:
    try:
        values = json.loads(encoded)
        entries = tuple(Entry(**each) for each in values["files"])
        manifest = Manifest(values["course"], values["assignment"], values["language"], entries)
        same = manifest.encoded() == encoded
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise ReleaseDamagedError from exc
    # Equal bytes alone do not say that a size is a whole number: Entry holds whatever the JSON held.
    texts = [manifest.course, manifest.assignment, manifest.language]
    texts += [text for entry in entries for text in (entry.path, entry.sha256)]
    if not same or not all(type(text) is str for text in texts) or not all(type(each.size) is int for each in entries):
        raise ReleaseDamagedError
    paths = [entry.path for entry in entries]
    if not 0 < len(paths) <= limits.files or paths != sorted(paths) or not all(map(_fits, paths)):
        raise ReleaseDamagedError
    if clash(paths) is not None or not all(0 <= each.size <= limits.file_bytes for each in entries):
        raise ReleaseDamagedError
    return manifest


def _header(name: str, size: int) -> bytes:
    """POSIX.1-1988 ustar: a regular file, mode 0644, owned by nobody in particular, at the epoch."""
    prefix, last = _split(name)
    block = bytearray(_BLOCK)
    block[: len(last)] = last
    block[100:124] = b"0000644\0" + b"0000000\0" * 2
    block[124:148] = b"%011o\0" % size + b"0" * 11 + b"\0"
    block[148:157] = b" " * 8 + b"0"
    block[257:265] = b"ustar\x0000"
    block[345 : 345 + len(prefix)] = prefix
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _split(name: str) -> tuple[bytes, bytes]:
    """Prefix and name fields: everything in the name where it fits, else the longest tail that does."""
    encoded = name.encode()
    if len(encoded) <= 100:
        return b"", encoded
    at = encoded.find(b"/", len(encoded) - 101)
    return encoded[:at], encoded[at + 1 :]


def _fits(name: str) -> bool:
    """Whether a bundle can hold a file of that name: ustar splits a long one at a slash near enough to its middle."""
    if not is_file_name(name):
        return False
    prefix, last = _split(_FILES + name)
    return len(prefix) <= 155 and 0 < len(last) <= 100


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _size(manifest: Manifest, manifest_bytes: int) -> int:
    sizes = [manifest_bytes, *(entry.size for entry in manifest.files)]
    return sum(_BLOCK + size + -size % _BLOCK for size in sizes) + len(_END)


def _pieces(bundle: BinaryIO, size: int) -> Iterator[bytes]:
    while size:
        piece = bundle.read(min(size, _PIECE))
        if not piece:
            raise ReleaseDamagedError
        size -= len(piece)
        yield piece


def _exactly(bundle: BinaryIO, size: int) -> bytes:
    return b"".join(_pieces(bundle, size))

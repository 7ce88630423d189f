"""The one tar header that a bundle's file of a given name and size has.

A reader of tar files has to understand links, devices, sparse files, and three ways to write a long name, and each has
been somebody's hole. A bundle's reader understands none: it rebuilds the header from the name and the size it read, and
what differs in a single byte is refused. Any `tar` can still unpack a bundle.
"""

from grader.exchange.errors import (
    BundleCompressedError,
    BundleDamagedError,
    BundleLinkError,
    BundleNameError,
    BundleSpecialFileError,
)
from grader.exchange.names import shown

BLOCK_BYTES = 512
END = bytes(2 * BLOCK_BYTES)
"""Two blocks of zeros end a tar file."""

_NAME, _PREFIX, _SIZE, _CHECKSUM, _TYPE, _MAGIC = (
    slice(0, 100),
    slice(345, 500),
    slice(124, 136),
    slice(148, 156),
    slice(156, 157),
    slice(257, 265),
)  # POSIX.1-1988 ustar
_LINKS = {b"1", b"2"}
_SPECIAL = {b"3", b"4", b"6", b"7"}
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"PK": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"7z\xbc\xaf": "7z",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"Rar!": "rar",
}


def build(name: str, size: int) -> bytes:
    """The header of a regular file, mode 0644, owned by nobody in particular, at the epoch.

    Raises `BundleNameError` for a name that a ustar header cannot hold.
    """
    prefix, last = _split(name)
    header = bytearray(BLOCK_BYTES)
    header[_NAME.start : _NAME.start + len(last)] = last
    header[100:108] = b"0000644\0"
    header[108:116] = header[116:124] = b"0000000\0"
    header[_SIZE] = b"%011o\0" % size
    header[136:148] = b"00000000000\0"
    header[_CHECKSUM] = b" " * 8
    header[_TYPE] = b"0"
    header[_MAGIC] = b"ustar\x0000"
    header[_PREFIX.start : _PREFIX.start + len(prefix)] = prefix
    header[_CHECKSUM] = b"%06o\0 " % sum(header)
    return bytes(header)


def parse(header: bytes) -> tuple[str, int]:
    """Name and size from a header that is byte for byte what `build` gives for them. Raises a `BundleError` child."""
    if header[_MAGIC][:5] != b"ustar":
        refuse_compressed(header)
        raise BundleDamagedError(where="no tar header")
    name = _text(header[_NAME])
    if header[_TYPE] in _LINKS:
        raise BundleLinkError(name=shown(name))
    if header[_TYPE] in _SPECIAL:
        raise BundleSpecialFileError(name=shown(name))
    if header[_PREFIX].rstrip(b"\0"):
        name = f"{_text(header[_PREFIX])}/{name}"
    try:
        size = int(header[_SIZE].rstrip(b"\0"), 8)
    except ValueError as exc:
        raise BundleDamagedError(where="a size") from exc
    if size < 0 or not name or header != build(name, size):
        raise BundleDamagedError(where="a header")
    return name, size


def refuse_compressed(start: bytes) -> None:
    """Raises `BundleCompressedError` if these first bytes are those of a compressed archive."""
    for magic, kind in _COMPRESSED.items():
        if start.startswith(magic):
            raise BundleCompressedError(kind=kind)


def padding(size: int) -> int:
    """How many zero bytes follow a file of `size` bytes."""
    return -size % BLOCK_BYTES


def _text(field: bytes) -> str:
    try:
        return field.split(b"\0", maxsplit=1)[0].decode("utf-8")
    except UnicodeDecodeError as exc:
        raise BundleNameError(name=ascii(field.rstrip(b"\0")), reason="it is not UTF-8") from exc


def _split(name: str) -> tuple[bytes, bytes]:
    """Prefix and name fields: everything in the name where it fits, else the longest tail that does."""
    encoded = name.encode("utf-8")
    if len(encoded) <= 100:
        return b"", encoded
    at = encoded.find(b"/", len(encoded) - 101)
    if at < 0 or at > 155 or at + 1 == len(encoded):
        raise BundleNameError(name=shown(name), reason="it is too long")
    return encoded[:at], encoded[at + 1 :]

"""Which file names a bundle may hold: relative, plain, and the same on every file system.

Used on both sides: the learner's side so that the sentence comes early, the centre's because it believes nobody.
"""

import unicodedata
from collections.abc import Iterable

from grader.exchange.errors import BundleNameClashError, BundleNameError

MAX_DEPTH = 8
"""Folders in folders; course work is flat."""
MAX_PART_BYTES = 100
"""One part of a path in UTF-8: fits a tar header's name field, and so does not need any of tar's extensions."""
MAX_PATH_BYTES = 240

_INVISIBLE = {"Cc", "Cf", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories no name needs; Cf holds the direction marks that make one name read as another."""


def check_name(name: str) -> None:
    """Raises `BundleNameError` that says what is wrong, unless `name` is a plain relative path with `/` between parts."""
    if reason := _objection(name):
        raise BundleNameError(name=shown(name), reason=reason)


def check_distinct(names: Iterable[str]) -> None:
    """Raises `BundleNameClashError` for names that differ only in case or Unicode form, or a file that is a folder too."""
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name in names:
        key = _folded(name)
        if (other := seen.get(key) or folders.get(key)) is not None:
            raise BundleNameClashError(name=shown(name), other=shown(other))
        seen[key] = name
        parts = key.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder in seen:
                raise BundleNameClashError(name=shown(name), other=shown(seen[folder]))
            folders.setdefault(folder, name)


def shown(name: str) -> str:
    """The name as a sentence can hold it: shortened, and escaped where it would not print as itself."""
    short = name if len(name) <= 80 else f"{name[:77]}…"
    return short if short.isprintable() and short.strip() == short and short else ascii(short)


def _folded(name: str) -> str:
    # NFKC last: casefold can undo a normal form (U+0345), and ligatures fold only in the compatibility form.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _objection(name: str) -> str | None:
    try:
        encoded = name.encode("utf-8")
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    parts = name.split("/")
    rules = (
        (not name, "it is empty"),
        (name.startswith("/"), "it is an absolute path"),
        ("\\" in name, "it holds a backslash"),
        (any(unicodedata.category(each) in _INVISIBLE for each in name), "it holds an invisible or control character"),
        (unicodedata.normalize("NFC", name) != name, "it is not in Unicode's composed form (NFC)"),
        (len(encoded) > MAX_PATH_BYTES, f"it is longer than {MAX_PATH_BYTES} bytes"),
        (len(parts) > MAX_DEPTH, f"it lies more than {MAX_DEPTH} folders deep"),
        (any(part in {"", ".", ".."} for part in parts), "it holds an empty part, `.` or `..`"),
        (
            any(len(part.encode("utf-8")) > MAX_PART_BYTES for part in parts),
            f"a part of it is longer than {MAX_PART_BYTES} bytes",
        ),
    )
    return next((reason for broken, reason in rules if broken), None)

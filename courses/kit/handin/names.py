"""Which names may become paths: of courses and assignments, and of the files in a bundle.

The rules for files are those of the centre's intake, which checks them again; a contract test holds the two together.
"""

import re
import unicodedata
from collections.abc import Iterable

MAX_DEPTH = 8
MAX_PART_BYTES = 100
MAX_PATH_BYTES = 240

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_INVISIBLE = {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}


def is_plain(name: str) -> bool:
    """Whether a course's or an assignment's name may be a folder's name."""
    return _PLAIN.fullmatch(name) is not None


def is_file_name(name: str) -> bool:
    """Whether `name` is a relative path, `/` between its parts, that every machine can hold and that stays inside."""
    if any(unicodedata.category(each) in _INVISIBLE for each in name):
        return False
    parts = name.split("/")
    return (
        not {"", ".", ".."} & set(parts)
        and "\\" not in name
        and unicodedata.normalize("NFC", name) == name
        and len(parts) <= MAX_DEPTH
        and len(name.encode()) <= MAX_PATH_BYTES
        and all(len(part.encode()) <= MAX_PART_BYTES for part in parts)
    )


def clash(names: Iterable[str]) -> tuple[str, str] | None:
    """Two names that differ only in case or Unicode form, or a file that is a folder too; None if there are none."""
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name in names:
        # NFKC last: casefold can undo a normal form (U+0345), and ligatures fold only in the compatibility form.
        key = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
        if (other := seen.get(key) or folders.get(key)) is not None:
            return other, name
        seen[key] = name
        parts = key.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder in seen:
                return seen[folder], name
            folders.setdefault(folder, name)
    return None

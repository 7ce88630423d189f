"""Which names people and cohorts may have."""

import re
import unicodedata

from hub.cohorts.errors import DisplayNameInvalidError, NameInvalidError

MAX_NAME_LENGTH = 30
MAX_DISPLAY_NAME_LENGTH = 100

_NAME = re.compile(r"[a-z](?:[a-z0-9]|[._-](?=[a-z0-9]))*")
"""What all of these take unescaped: JupyterHub (lowercases, no slash), a Linux user and home directory, a URL path.

As a host name it is either a DNS label by itself or goes through JupyterHub's `idna` subdomain hook, whose escaped
labels all hold `--`, which no name here does: two names never share a label.
"""

_RESERVED = frozenset(
    # Users every Linux system has, and host names that browsers and mail programs treat specially once learners'
    # servers get their own host names.
    ["root", "nobody", "daemon", "localhost", "www", "mail", "wpad", "isatap", "autoconfig", "autodiscover"]
)

_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that cannot be seen, or that reorder what is seen (bidirectional controls are Cf)."""


def is_name(text: str) -> bool:
    """Whether `text` has the form of a user name."""
    return len(text) <= MAX_NAME_LENGTH and _NAME.fullmatch(text) is not None


def checked_name(text: str) -> str:
    """The name itself; raises `NameInvalidError`."""
    if not is_name(text) or text in _RESERVED:
        raise NameInvalidError
    return text


def checked_display_name(text: str) -> str:
    """The name as it will be shown: composed (NFC), single spaces; raises `DisplayNameInvalidError`."""
    shown = " ".join(unicodedata.normalize("NFC", text).split())
    if not 0 < len(shown) <= MAX_DISPLAY_NAME_LENGTH:
        raise DisplayNameInvalidError
    if any(unicodedata.category(character) in _INVISIBLE for character in shown):
        raise DisplayNameInvalidError
    return shown

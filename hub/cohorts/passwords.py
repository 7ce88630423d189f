"""Passwords: which are accepted, and how they are kept and compared."""

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hub.cohorts.errors import PasswordIsNameError, PasswordTooLongError, PasswordTooShortError, PasswordTooSimpleError

MIN_LENGTH = 10
MAX_LENGTH = 256

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""OWASP's argon2id setting for servers: 19 MiB and about 20 ms of one core, so that a whole class can sign in at once."""


def check_password_rules(name: str, password: str) -> None:
    """Return if the new password is acceptable for that person; raises one of the `Password…Error` refusals."""
    if len(password) < MIN_LENGTH:
        raise PasswordTooShortError(minimum=MIN_LENGTH)
    if len(password) > MAX_LENGTH:
        raise PasswordTooLongError(maximum=MAX_LENGTH)
    if password.strip().casefold() == name.casefold():
        raise PasswordIsNameError
    if len(set(password)) < 4:
        raise PasswordTooSimpleError


def hash_password(password: str) -> str:
    """An argon2id hash with its salt and parameters. Takes a core for about 20 ms: call it in a thread."""
    return _HASHER.hash(_octets(password))


def verify_password(stored: str | None, password: str) -> bool:
    """Whether the password is the stored one. Takes the same time when nothing is stored: call it in a thread."""
    try:
        return _HASHER.verify(stored or _NOBODY, _octets(password)) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def needs_rehash(stored: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


def _octets(password: str) -> bytes:
    # One password typed on two keyboards can be composed differently (RFC 8265 says NFC); a lone surrogate, which
    # JSON can carry, must not be an exception. Longer input than any password can only be wrong.
    text = unicodedata.normalize("NFC", password[: MAX_LENGTH + 1])
    return text.encode("utf-8", "surrogatepass")


_NOBODY = _HASHER.hash(b"nobody's password")

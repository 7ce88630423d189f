"""How long an account must wait after failed sign-ins. Pure: attempts in, seconds out.

Per account only, never per address: a whole campus can share one address.
"""

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.cohorts.model import Attempts

FREE_FAILURES = 5
"""Typing errors that cost nothing."""
FIRST_WAIT_S = 5
MAX_WAIT_S = 300
FORGET_AFTER = timedelta(days=1)
"""An account that was left alone this long starts afresh."""

UNKNOWN_BUCKETS = 16_384
"""Names that are not on the roster share this many rows, so that inventing names fills no disk."""


def wait_after(failures: int) -> int:
    """Seconds to wait after that many failures in a row: 0 up to the fifth, then 5 s doubling to five minutes."""
    if failures < FREE_FAILURES:
        return 0
    doublings = min(failures - FREE_FAILURES, 16)
    return min(FIRST_WAIT_S << doublings, MAX_WAIT_S)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an attempt is looked at. `attempts` is what is to be stored either way, None to leave it as it is."""

    wait_s: int
    attempts: Attempts | None


def judge(known: Attempts | None, now: datetime) -> Verdict:
    """The verdict on an attempt made `now`, which counts as a failure until it proves otherwise.

    Counting first and comparing afterwards is what holds when a thousand attempts arrive at the same instant.
    A clock that went back neither unlocks nor locks for ever: the wait starts again from the new time.
    """
    if known is None or now - known.last_at > FORGET_AFTER:
        return Verdict(0, Attempts(1, now))
    wait_s = wait_after(known.failures)
    if now < known.last_at:
        if wait_s:
            return Verdict(wait_s, Attempts(known.failures, now))
        return Verdict(0, Attempts(known.failures + 1, now))
    left_s = wait_s - (now - known.last_at).total_seconds()
    if left_s > 0:
        return Verdict(math.ceil(left_s), None)
    return Verdict(0, Attempts(known.failures + 1, now))


def account_of(person_id: int | None, name: str) -> str:
    """The key attempts are counted under: the person, or a bucket shared by unknown names."""
    if person_id is not None:
        return f"person:{person_id}"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return f"unknown:{int.from_bytes(digest[:4]) % UNKNOWN_BUCKETS}"

"""Waiting for what comes true in its own time, in another process."""

import time
from collections.abc import Callable

LOOK_S = 0.1


def until(holds: Callable[[], object], timeout_s: float = 60, what: str = "it") -> None:
    """Return once `holds` says something true; fails the test when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout_s} s"
        time.sleep(LOOK_S)

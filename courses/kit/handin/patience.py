"""How long to go on over a bad network, and how to wait between two tries."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from courses.kit.handin.errors import HandInError

_FIRST_S = 0.3
_LONGEST_S = 10.0


@dataclass(slots=True)
class Patience:
    """Lets `limit_s` pass without any progress before it gives up; waits twice as long after each failure in a row."""

    limit_s: float
    sleep: Callable[[float], None] = time.sleep
    steady_s: Callable[[], float] = time.monotonic
    _since_s: float | None = None
    _next_s: float = _FIRST_S

    def succeeded(self) -> None:
        """Something arrived: start counting afresh."""
        self._since_s, self._next_s = None, _FIRST_S

    def wait(self, failure: HandInError) -> None:
        """Sleep until the next try is due; raises `failure` where that would be past the limit."""
        now_s = self.steady_s()
        if self._since_s is None:
            self._since_s = now_s
        if now_s - self._since_s + self._next_s > self.limit_s:
            raise failure
        # A class whose uploads all broke at once must not come back all at once.
        self.sleep(self._next_s * random.uniform(0.5, 1.0))  # noqa: S311 - spread, not secrecy
        self._next_s = min(2 * self._next_s, _LONGEST_S)

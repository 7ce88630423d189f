"""How long to wait before a process that ended is started again."""

FIRST_S = 0.2
LONGEST_S = 10.0
LONGEST_AFTER_HEALTH_S = 1.0
FORGIVEN_AFTER_S = 30.0


class Backoff:
    """0.2 s after the first end, doubling to 10 s; 30 s of health make the next end count as the first again.

    Long waits are for what cannot start, a wrong setting or a full disk. Whatever was well for a moment was ended by
    something else, and the centre has to be whole again soon: 1 s is the most then.
    """

    def __init__(self) -> None:
        self._next_s = FIRST_S

    def delay_s(self, healthy_s: float) -> float:
        """Seconds to wait now, after a run that was healthy for `healthy_s`; 0 for one that never was."""
        if healthy_s >= FORGIVEN_AFTER_S:
            self._next_s = FIRST_S
        delay_s = self._next_s
        self._next_s = min(self._next_s * 2, LONGEST_S)
        return min(delay_s, LONGEST_AFTER_HEALTH_S) if healthy_s > 0 else delay_s

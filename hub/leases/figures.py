"""What happened since this allocator began, counted for whoever watches the centre: grants, ends, waits, commits."""

from bisect import bisect_left
from collections import Counter

from hub.leases.model import Lease

WAIT_BOUNDS_S = (0.1, 1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14_400, 28_800)
COMMIT_BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Histogram:
    """How many values fell under each bound, and their sum."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """Of each bound those above the one before; the last: above all."""
        self.total = 0.0

    def note(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Figures:
    """Counts since the allocator began; they start at nothing with each."""

    def __init__(self) -> None:
        self.grants: Counter[tuple[str, str]] = Counter()
        """By pool and profile."""
        self.ends: Counter[tuple[str, str, str]] = Counter()
        """By pool, profile and reason."""
        self.waits_s: dict[str, Histogram] = {}
        """By pool: from asking to holding."""
        self.commits_s = Histogram(COMMIT_BOUNDS_S)
        self.batches = Histogram(BATCH_BOUNDS)
        """Requests decided together in one commit."""

    def note_commit(self, requests: int, took_s: float) -> None:
        """Count a commit that answered so many requests."""
        self.batches.note(requests)
        self.commits_s.note(took_s)

    def note(self, before: Lease | None, now: Lease) -> None:
        """Count what became of a lease; one that is granted and ends in a single commit counts for both."""
        if now.held_at is not None and (before is None or before.held_at is None):
            self.grants[now.pool, now.ask.profile] += 1
            waits = self.waits_s.setdefault(now.pool, Histogram(WAIT_BOUNDS_S))
            waits.note((now.held_at - now.asked_at).total_seconds())
        if now.reason is not None and (before is None or before.reason is None):
            self.ends[now.pool, now.ask.profile, now.reason.value] += 1

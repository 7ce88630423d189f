"""What happened since this allocator began, counted for whoever watches the centre: grants, ends, waits, commits.

Written by the allocator's thread after each commit, read by any other: every number is replaced whole, so a reader sees at
worst one that is a moment old.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable

from hub.leases.model import Lease, LeaseStatus

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

    def __init__(self, fence: int = 0) -> None:
        """`fence`: the last fencing token given out before."""
        self._fence = fence
        self.grants: Counter[tuple[str, str]] = Counter()
        """By pool and profile."""
        self.ends: Counter[tuple[str, str, str]] = Counter()
        """By pool, profile and reason."""
        self.waits_s: dict[str, Histogram] = {}
        """By pool: from asking to holding."""
        self.commits_s = Histogram(COMMIT_BOUNDS_S)
        self.batches = Histogram(BATCH_BOUNDS)
        """Requests decided together in one commit."""

    def note(self, touched: Iterable[Lease], commit_s: float, requests: int) -> None:
        """Count a commit: the leases that are new or changed by it, how long it took, how many requests were in it."""
        self.commits_s.note(commit_s)
        self.batches.note(requests)
        newest = self._fence
        for lease in touched:
            # A grant is seen by its fencing token, which only grows; a later change of the same lease is none.
            if lease.fence is not None and lease.fence > self._fence:
                newest = max(newest, lease.fence)
                self.grants[lease.pool, lease.ask.profile] += 1
                self._note_wait(lease)
            if lease.status is LeaseStatus.ENDED and lease.reason is not None:
                self.ends[lease.pool, lease.ask.profile, lease.reason.value] += 1
        self._fence = newest

    def _note_wait(self, lease: Lease) -> None:
        assert lease.held_at is not None  # as every granted lease has
        waits = self.waits_s.setdefault(lease.pool, Histogram(WAIT_BOUNDS_S))
        waits.note((lease.held_at - lease.asked_at).total_seconds())

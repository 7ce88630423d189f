"""What a benchmark measured."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Series:
    """Repeated measurements of one thing, in the order they were made."""

    name: str
    values: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@dataclass(frozen=True, slots=True)
class Result:
    """Ours and the peer's, measured in turns so that a busy machine slows both."""

    what: str
    """In words, what one value is."""
    unit: str
    ours: Series
    peer: Series
    limit: float | None = None
    """The promise: ours is at most `limit` times the peer (at least, where higher is better). None: no promise."""
    most: float | None = None
    """A second promise, in the unit itself: ours is at most this. None: no such promise."""
    least: float | None = None
    """The same where more is better: ours is at least this."""
    higher_is_better: bool = False
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def ratio(self) -> float:
        """Median of ours over median of the peer's; of a peer that measures nothing at all, infinite unless ours does too."""
        if self.peer.median == 0:
            return 1.0 if self.ours.median == 0 else math.inf
        return self.ours.median / self.peer.median

    @property
    def kept(self) -> bool:
        """Whether every promise there is, is kept."""
        if self.most is not None and self.ours.median > self.most:
            return False
        if self.least is not None and self.ours.median < self.least:
            return False
        if self.limit is None:
            return True
        return self.ratio >= self.limit if self.higher_is_better else self.ratio <= self.limit

"""Who of those that wait for one pool is next. Pure; what a turn costs grows neither with the queue nor with the fleet.

First come, first served, and smaller asks may pass larger ones that do not fit yet, but nobody is passed for ever:

1. An ask whose quota is used up waits aside. It keeps its place, and blocks nobody.
2. Of the others the earliest that fits is next.
3. Whoever has been overtaken `OVERTAKINGS` times is overtaken no more: nobody behind them is served before them. What is given back is
   kept together until it is enough. (Not for who would not fit an empty fleet: a device they need is lost, and may never come back.)

How often somebody was overtaken is not counted but derived: asks are numbered as they come, so everybody served with a higher number has
overtaken them, and the `OVERTAKINGS` highest numbers served so far are all there is to know.
"""

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import NamedTuple, Protocol

from hub.gpu.model import Demand

OVERTAKINGS = 16
SLACK = 64


class Place(NamedTuple):
    """A place in the line: who asked, with which number, for what."""

    order: int
    lease: str
    demand: Demand
    cohort: str
    owner: str


class Gate(Protocol):
    """What decides whether a demand can be served now."""

    def cohort_admits(self, demand: Demand, cohort: str) -> bool: ...

    def learner_admits(self, demand: Demand, cohort: str, owner: str) -> bool: ...

    def fits(self, demand: Demand) -> bool: ...

    def ever_fits(self, demand: Demand) -> bool: ...


@dataclass(slots=True, eq=False)
class _Lane:
    """Asks that are alike to quota and fleet: only the first of them can be next."""

    places: deque[Place] = field(default_factory=deque)
    is_aside: bool = False
    """Its owner's quota was used up when it was last looked at."""


@dataclass(slots=True, eq=False)
class _Group:
    """Asks of one cohort for one demand. `heads` is a heap of lanes by their first place; stale entries are skipped when they surface."""

    lanes: dict[str, _Lane] = field(default_factory=dict)
    heads: list[tuple[int, str]] = field(default_factory=list)


class Line:
    """Everybody who waits for one pool."""

    def __init__(self, served: Iterable[int] = ()) -> None:
        """`served`: the numbers of asks of this pool that were served already; the highest `OVERTAKINGS` suffice."""
        self._served = sorted(served)[-OVERTAKINGS:]
        self._places: dict[int, Place] = {}
        self._groups: dict[tuple[Demand, str], _Group] = {}

    def __len__(self) -> int:
        return len(self._places)

    @property
    def latest_served(self) -> list[int]:
        """What a new line has to be given to go on as this one would."""
        return list(self._served)

    def enter(self, place: Place) -> None:
        """Stand behind everybody; numbers must grow."""
        self._places[place.order] = place
        group = self._groups.setdefault((place.demand, place.cohort), _Group())
        lane = group.lanes.setdefault(place.owner, _Lane())
        lane.places.append(place)
        if len(lane.places) == 1:
            heappush(group.heads, (place.order, place.owner))
        if len(group.heads) > 2 * len(group.lanes) + SLACK:
            # Whoever comes and goes behind a head that stays leaves an entry behind each time.
            group.heads = [(lane.places[0].order, owner) for owner, lane in group.lanes.items() if not lane.is_aside]
            heapify(group.heads)

    def leave(self, order: int) -> None:
        """Give the place up; also when served."""
        place = self._places.pop(order)
        key = place.demand, place.cohort
        group = self._groups[key]
        lane = group.lanes[place.owner]
        if lane.places[0].order != order:
            return  # from the middle of a lane: skipped when it comes to the front
        while lane.places and lane.places[0].order not in self._places:
            lane.places.popleft()
        if lane.places:
            if not lane.is_aside:
                heappush(group.heads, (lane.places[0].order, place.owner))
            return
        del group.lanes[place.owner]
        if not group.lanes:
            del self._groups[key]

    def served(self, order: int) -> None:
        """Note that this ask was served: everybody before it that still waits has been overtaken once more."""
        if len(self._served) < OVERTAKINGS or order > self._served[0]:
            insort(self._served, order)
            del self._served[:-OVERTAKINGS]

    def overtaken(self, order: int) -> int:
        """How many that asked later were served by now, `OVERTAKINGS` standing for that many or more."""
        return len(self._served) - bisect_right(self._served, order)

    def wake(self, cohort: str, owner: str) -> None:
        """This person holds less than before: look at their asks again."""
        for (_, of_cohort), group in self._groups.items():
            if of_cohort == cohort and owner in group.lanes:
                self._wake(group, owner)

    def wake_all(self) -> None:
        """Quotas changed: look at everybody again."""
        for group in self._groups.values():
            for owner in group.lanes:
                self._wake(group, owner)

    def next(self, gate: Gate) -> Place | None:
        """Whose turn it is; None if nobody can be served now. The caller serves them, and asks again."""
        heads = []
        for (demand, cohort), group in self._groups.items():
            if gate.cohort_admits(demand, cohort):
                head = self._head(group, gate)
                if head is not None:
                    heads.append(head)
        heads.sort()
        for place in heads:
            if gate.fits(place.demand):
                return place
            if self.overtaken(place.order) >= OVERTAKINGS and gate.ever_fits(place.demand):
                return None
        return None

    @staticmethod
    def _wake(group: _Group, owner: str) -> None:
        lane = group.lanes[owner]
        if lane.is_aside:
            lane.is_aside = False
            heappush(group.heads, (lane.places[0].order, owner))

    @staticmethod
    def _head(group: _Group, gate: Gate) -> Place | None:
        """The first of a group whose own quota has room; those found without are put aside until they are woken."""
        while group.heads:
            order, owner = group.heads[0]
            lane = group.lanes.get(owner)
            if lane is None or lane.is_aside or lane.places[0].order != order:
                heappop(group.heads)
                continue
            place = lane.places[0]
            if gate.learner_admits(place.demand, place.cohort, owner):
                return place
            lane.is_aside = True
            heappop(group.heads)
        return None

"""From the state of a node to the nodes in it, and for each demand the best state: a decision costs the same on any fleet.

Demands that differ only in host CPU and memory ask the same *part* of devices, and the one that takes more along never scores better, but
for the room of the CPU it takes (`Scoring.allowance`). So what a state scores for the least host CPU and memory that go with a part bounds
from below what it scores for every demand for that part. The bound is worked out once per state and part, and a part's states lie in its
order: a demand is scored only on those at the front, until the next bound is above the best score found.

Of a workload of many sizes, where every decision makes a state nobody has seen, a demand so looks at two or three states instead of all that
changed since it was last asked for. A state is bounded when a demand asks, not when a node enters it: not for parts that nobody asks for.
Nothing is removed when a state's last node leaves, but when a search comes upon it, or a list has doubled.

States, parts and demands are referred to by number: Python's garbage collector does not follow numbers, and following references from
every state to every score took it a third of the time.
"""

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Protocol

from hub.gpu.model import Demand
from hub.gpu.parts import DevicePart, DeviceSet
from hub.gpu.states import DeviceFree, NodeState, Way

DEAD_STATES_LIMIT = 2048
"""States without nodes that are kept with their scores, because nodes come back to them."""
DEMANDS_LIMIT = 512
"""Distinct demands with scores of their own before all are forgotten; bounds memory under made-up sizes."""
MANY = 32
"""So many new bounds are sorted in rather than inserted one by one."""


class Scoring(Protocol):
    """What ranks states for a demand. May remember, but must answer the same for the same state and demand."""

    def device_set(self, pool: str, devices: tuple[DeviceFree, ...]) -> DeviceSet: ...

    def part(self, demand: Demand) -> DevicePart: ...

    def allowance(self, cpu_milli: int) -> int: ...

    def waste(self, devices: DeviceSet, cpu_milli: int, memory_mib: int) -> int: ...

    def after(self, devices: DeviceSet, part: DevicePart, cpu_milli: int, memory_mib: int) -> int | None: ...

    def way(self, devices: DeviceSet, part: DevicePart, cpu_milli: int, memory_mib: int) -> Way: ...


class Member(Protocol):
    """A node as the index sees it: `rank` orders nodes in equal states, `entry` is the state it is in."""

    rank: int
    entry: "Entry"


@dataclass(slots=True, eq=False)
class Entry:
    """A state, the nodes in it, and what it scored."""

    number: int
    """Also orders entries of equal bound."""
    devices: DeviceSet
    cpu_milli: int
    memory_mib: int
    waste: int
    count: int = 0
    rank: int = -1
    """Of the node that filled it."""
    ranks: list[int] | None = None
    """Heap of the nodes' ranks once there were two; one that has left is skipped when it surfaces."""
    scores: dict[int, int | None] = field(default_factory=dict)
    """By the number of a demand; and by that of a part, for the least demand for it: None if it does not fit."""

    @property
    def state(self) -> NodeState:
        """The state as a value."""
        return NodeState(self.devices.pool, self.cpu_milli, self.memory_mib, self.devices.devices)


_Item = tuple[int, int, int, int]
"""Bound, number of the entry, its free CPU and memory."""


@dataclass(slots=True, eq=False)
class _Listing:
    """The states that the least demand for a part fits, by what they score for it."""

    number: int
    part: DevicePart
    cpu_milli: int
    memory_mib: int
    """Host CPU and memory of the least demand: no more than those of any that was asked."""
    fresh: list[Entry]
    """Filled since anybody asked, and not yet looked at."""
    items: list[_Item] = field(default_factory=list)
    listed: set[int] = field(default_factory=set)
    sweep_at: int = 64


@dataclass(slots=True, eq=False)
class _Ask:
    """One distinct demand. It has its list's number if the bounds there are its own scores."""

    number: int
    demand: Demand
    listing: _Listing
    allowance: int


class StateIndex:
    """Nodes by state."""

    def __init__(self, scoring: Scoring) -> None:
        self._scoring = scoring
        self._numbers = count()
        self._entries: dict[int, Entry] = {}
        self._entry_of: dict[tuple[int, int, int], Entry] = {}
        """By the number of the devices, CPU and memory."""
        self._asks: dict[Demand, _Ask] = {}
        self._listings: list[_Listing] = []
        """By the size of a part."""
        self._sizes: list[int] = []
        self._filled = 0
        self._sweep_at = DEAD_STATES_LIMIT
        self._live = 0
        self._members: dict[int, Member] = {}

    @property
    def live_states(self) -> int:
        """Distinct states some node is in."""
        return self._live

    def live(self) -> list[Entry]:
        """The states some node is in."""
        return [entry for entry in self._entries.values() if entry.count]

    def enter(self, member: Member, state: NodeState) -> Entry:
        """Put `member` into `state`; the caller stores the entry on it."""
        self._members[member.rank] = member
        pool, cpu_milli, memory_mib, free = state
        devices = self._scoring.device_set(pool, free)
        entry = self._entry_of.get((devices.number, cpu_milli, memory_mib))
        if entry is None:
            entry = self._add(devices, cpu_milli, memory_mib)
        entry.count += 1
        if entry.count == 1:
            entry.rank, entry.ranks = member.rank, None
            self._note_filled(entry)
        elif entry.ranks is None:
            entry.ranks = sorted((entry.rank, member.rank))
        else:
            heappush(entry.ranks, member.rank)
            if len(entry.ranks) > 2 * entry.count + 16:
                entry.ranks = sorted(rank for rank in set(entry.ranks) if self._is_in(rank, entry, member))
        return entry

    def leave(self, member: Member) -> None:
        """Take `member` out of its state; it must be put into another, or forgotten with `remove`."""
        entry = member.entry
        entry.count -= 1
        if entry.count == 0:
            self._live -= 1

    def remove(self, member: Member) -> None:
        """Forget a node."""
        self.leave(member)
        del self._members[member.rank]

    def best(self, demand: Demand) -> tuple[Entry, Way] | None:
        """The state with the lowest score for `demand`, of equal scores the least state, and the way to take it; None if it fits nowhere."""
        ask = self._asks.get(demand)
        if ask is None:
            ask = self._add_ask(demand)
        listing = ask.listing
        if listing.fresh:
            self._list_fresh(listing)
        found = self._least(ask)
        if found is None:
            return None
        cpu_milli, memory_mib = found.cpu_milli - demand.cpu_milli, found.memory_mib - demand.memory_mib
        return found, self._scoring.way(found.devices, listing.part, cpu_milli, memory_mib)

    def reappraise(self) -> None:
        """Forget every score, because what they follow from has changed."""
        self._forget_asks()
        self._forget_dead()
        for entry in self._entries.values():
            entry.waste = self._scoring.waste(entry.devices, entry.cpu_milli, entry.memory_mib)

    def first(self, entry: Entry) -> Member:
        """The node of least rank in a live state."""
        ranks = entry.ranks
        if ranks is None:
            return self._members[entry.rank]
        while True:
            member = self._members.get(ranks[0])
            if member is not None and member.entry is entry:
                return member
            heappop(ranks)

    def _note_filled(self, entry: Entry) -> None:
        self._live += 1
        for listing in self._listings[: bisect_right(self._sizes, entry.devices.most_milli)]:
            listing.fresh.append(entry)
        self._filled += 1
        if self._filled > self._sweep_at:
            self._sweep_fresh()

    def _place(self, entry: Entry) -> tuple[NodeState, int]:
        """What settles equal scores: by the node too, since a state may have two entries once its devices were forgotten."""
        return entry.state, self.first(entry).rank

    def _is_in(self, rank: int, entry: Entry, entering: Member) -> bool:
        member = self._members.get(rank)
        return member is entering or (member is not None and member.entry is entry)

    def _add(self, devices: DeviceSet, cpu_milli: int, memory_mib: int) -> Entry:
        if len(self._entries) > 2 * self._live + DEAD_STATES_LIMIT:
            self._forget_dead()
        waste = self._scoring.waste(devices, cpu_milli, memory_mib)
        entry = Entry(next(self._numbers), devices, cpu_milli, memory_mib, waste)
        self._entries[entry.number] = entry
        self._entry_of[devices.number, cpu_milli, memory_mib] = entry
        return entry

    def _least(self, ask: _Ask) -> Entry | None:
        """The entry in a demand's list that scores least for it; of equals, the least state."""
        cpu_milli, memory_mib = ask.demand.cpu_milli, ask.demand.memory_mib
        entries, listing = self._entries, ask.listing
        found: Entry | None = None
        limit = best = 0
        dead: list[_Item] = []
        for item in listing.items:
            bound, number, free_cpu_milli, free_memory_mib = item
            if bound > limit and found is not None:
                break
            if free_cpu_milli < cpu_milli or free_memory_mib < memory_mib:
                continue
            entry = entries.get(number)
            if entry is None or not entry.count:
                dead.append(item)
                continue
            score = entry.scores.get(ask.number)
            if score is None:
                score = self._score(entry, ask)
            if found is None or score < best or (score == best and self._place(entry) < self._place(found)):
                found, best, limit = entry, score, score + ask.allowance
        for item in dead:
            del listing.items[bisect_left(listing.items, item)]
            listing.listed.discard(item[1])
        return found

    def _score(self, entry: Entry, ask: _Ask) -> int:
        """What an entry in a demand's list scores for it."""
        demand = ask.demand
        cpu_milli, memory_mib = entry.cpu_milli - demand.cpu_milli, entry.memory_mib - demand.memory_mib
        after = self._scoring.after(entry.devices, ask.listing.part, cpu_milli, memory_mib)
        assert after is not None, "an entry is listed only where its part fits"
        entry.scores[ask.number] = score = after - entry.waste
        return score

    def _list_fresh(self, listing: _Listing) -> None:
        """Give the states filled since the last demand for this part their place in its list."""
        fresh, listing.fresh = listing.fresh, []
        part, listed, after = listing.part, listing.listed, self._scoring.after
        cpu_milli, memory_mib = listing.cpu_milli, listing.memory_mib
        added: list[_Item] = []
        for entry in fresh:
            if not entry.count or entry.cpu_milli < cpu_milli or entry.memory_mib < memory_mib:
                continue
            number = entry.number
            if number in listed:
                continue
            if listing.number in entry.scores:
                bound = entry.scores[listing.number]
            else:
                bound = after(entry.devices, part, entry.cpu_milli - cpu_milli, entry.memory_mib - memory_mib)
                if bound is not None:
                    bound -= entry.waste
                entry.scores[listing.number] = bound
            if bound is not None:
                listed.add(number)
                added.append((bound, number, entry.cpu_milli, entry.memory_mib))
        if len(listing.items) + len(added) > listing.sweep_at:
            self._sweep(listing)
            listing.sweep_at = 2 * (len(listing.items) + len(added)) + 64
        if len(added) > MANY:
            listing.items += added
            listing.items.sort()
        else:
            for item in added:
                insort(listing.items, item)

    def _sweep(self, listing: _Listing) -> None:
        """Take out the states without nodes; they come back with their bounds when they are filled again."""
        entries = self._entries
        listing.items = [item for item in listing.items if (entry := entries.get(item[1])) is not None and entry.count]
        listing.listed = {item[1] for item in listing.items}

    def _add_ask(self, demand: Demand) -> _Ask:
        if len(self._asks) >= DEMANDS_LIMIT:
            self._forget_asks()
        part = self._scoring.part(demand)
        listing = next((one for one in self._listings if one.part is part), None)
        if listing is None:
            listing = _Listing(next(self._numbers), part, demand.cpu_milli, demand.memory_mib, self.live())
            at = bisect_right(self._sizes, part.milli)
            self._sizes.insert(at, part.milli)
            self._listings.insert(at, listing)
        elif demand.cpu_milli < listing.cpu_milli or demand.memory_mib < listing.memory_mib:
            self._lower(listing, demand)
        self._asks[demand] = ask = self._related(demand, listing)
        return ask

    def _lower(self, listing: _Listing, demand: Demand) -> None:
        """Start a list afresh: its bounds hold for no demand that takes less along."""
        listing.number = next(self._numbers)
        listing.cpu_milli = min(listing.cpu_milli, demand.cpu_milli)
        listing.memory_mib = min(listing.memory_mib, demand.memory_mib)
        listing.items.clear()
        listing.listed.clear()
        listing.fresh = self.live()
        for ask in [ask for ask in self._asks.values() if ask.listing is listing]:
            self._asks[ask.demand] = self._related(ask.demand, listing)

    def _related(self, demand: Demand, listing: _Listing) -> _Ask:
        """A demand, and how its scores relate to the bounds in its list."""
        is_least = (demand.cpu_milli, demand.memory_mib) == (listing.cpu_milli, listing.memory_mib)
        number = listing.number if is_least else next(self._numbers)
        return _Ask(number, demand, listing, self._scoring.allowance(demand.cpu_milli - listing.cpu_milli))

    def _sweep_fresh(self) -> None:
        """Bound what parts that nobody asks for any more would otherwise remember without end."""
        for listing in self._listings:
            if len(listing.fresh) > self._live:
                listing.fresh = [entry for entry in dict.fromkeys(listing.fresh) if entry.count]
        self._filled = 0
        self._sweep_at = self._live + DEAD_STATES_LIMIT

    def _forget_dead(self) -> None:
        self._entries = {number: entry for number, entry in self._entries.items() if entry.count}
        self._entry_of = {key: entry for key, entry in self._entry_of.items() if entry.count}

    def _forget_asks(self) -> None:
        self._asks.clear()
        self._listings.clear()
        self._sizes.clear()
        for entry in self._entries.values():
            entry.scores.clear()
            entry.devices.ways.clear()

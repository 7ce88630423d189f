"""From the state of a node to the nodes in it, and for each demand the states by score: a decision costs the same on any fleet.

A demand has a heap of the states it has scored. A state is scored once per demand, when a node first enters it, by whoever asks next: not
for demands that nobody asks for. Nothing is removed from a heap when a state's last node leaves; such an entry is skipped when it surfaces.
"""

from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Protocol

from hub.gpu.model import Demand
from hub.gpu.objective import Choice, part_of
from hub.gpu.states import NodeState

DEAD_STATES_LIMIT = 8192
"""States without nodes that are kept with their scores, because nodes come back to them."""
DEMANDS_LIMIT = 512
"""Distinct demands with a heap of their own before all heaps start afresh; bounds memory under made-up sizes."""


class Scoring(Protocol):
    """What ranks states for a demand."""

    def waste(self, state: NodeState) -> int: ...

    def best(self, state: NodeState, demand: Demand, waste: int | None = None) -> Choice | None: ...


class Member(Protocol):
    """A node as the index sees it: `rank` orders nodes in equal states, `entry` is the state it is in."""

    rank: int
    entry: "Entry"


@dataclass(slots=True, eq=False)
class Entry:
    """A state, the nodes in it, and what it scored."""

    state: NodeState
    serial: int
    """Tells apart two entries of one state, of which the older was forgotten while heaps still held it."""
    waste: int
    most_milli: int
    """Free compute of its freest device."""
    count: int = 0
    ranks: list[int] = field(default_factory=list)
    """Heap of the nodes' ranks; one that has left is skipped when it surfaces."""
    choices: "dict[_Ask, Choice | None]" = field(default_factory=dict)
    queued: "set[_Ask]" = field(default_factory=set)


@dataclass(slots=True, eq=False)
class _Ask:
    """One distinct demand: its heap of (score, state, serial, entry), and how far it has read the list of filled states."""

    demand: Demand
    heap: list[tuple[int, NodeState, int, Entry]] = field(default_factory=list)
    read: int = 0
    epoch: int = -1


class StateIndex:
    """Nodes by state. `scoring` may remember, but must answer the same for the same state and demand."""

    def __init__(self, scoring: Scoring) -> None:
        self._scoring = scoring
        self._entries: dict[NodeState, Entry] = {}
        self._asks: dict[Demand, _Ask] = {}
        self._serials = count()
        self._filled: list[Entry] = []
        self._epoch = 0
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
        entry = self._entries.get(state)
        if entry is None:
            if len(self._entries) > 2 * self._live + DEAD_STATES_LIMIT:
                self._forget_dead()
            most_milli = max([free.compute_milli for free in state.devices], default=0)
            entry = Entry(state, next(self._serials), self._scoring.waste(state), most_milli)
            self._entries[state] = entry
        entry.count += 1
        if entry.count == 1:
            self._live += 1
            self._filled.append(entry)
            if len(self._filled) > 4 * self._live + DEAD_STATES_LIMIT:
                self._filled.clear()
                self._epoch += 1
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
            entry.ranks.clear()

    def remove(self, member: Member) -> None:
        """Forget a node."""
        self.leave(member)
        del self._members[member.rank]

    def best(self, demand: Demand) -> tuple[Entry, Choice] | None:
        """The state with the lowest score for `demand`; of equal scores, the least state. None if it fits nowhere."""
        ask = self._asks.get(demand)
        if ask is None:
            if len(self._asks) >= DEMANDS_LIMIT:
                self._forget_asks()
            self._asks[demand] = ask = _Ask(demand)
        self._catch_up(ask)
        heap = ask.heap
        while heap:
            entry = heap[0][3]
            if entry.count:
                choice = entry.choices[ask]
                assert choice is not None
                return entry, choice
            heappop(heap)
            entry.queued.discard(ask)
        return None

    def first(self, entry: Entry) -> Member:
        """The node of least rank in a live state."""
        ranks = entry.ranks
        while True:
            member = self._members.get(ranks[0])
            if member is not None and member.entry is entry:
                return member
            heappop(ranks)

    def _is_in(self, rank: int, entry: Entry, entering: Member) -> bool:
        member = self._members.get(rank)
        return member is entering or (member is not None and member.entry is entry)

    def _catch_up(self, ask: _Ask) -> None:
        """Score the states that were filled since this demand was last asked for."""
        if ask.epoch != self._epoch or len(ask.heap) > 4 * self._live + 1024:
            for *_, entry in ask.heap:
                entry.queued.discard(ask)
            ask.heap.clear()
            fresh = self.live()
            ask.epoch = self._epoch
        else:
            fresh = self._filled[ask.read :]
        ask.read = len(self._filled)
        demand = ask.demand
        cpu_milli, memory_mib, part_milli = demand.cpu_milli, demand.memory_mib, part_of(demand)
        # In a full fleet most states are out of the question at a glance, and this glance is most of the work.
        possible = [
            entry
            for entry in fresh
            if entry.most_milli >= part_milli
            and entry.state.cpu_milli >= cpu_milli
            and entry.state.memory_mib >= memory_mib
            and entry.count
            and ask not in entry.queued
        ]
        several = len(possible) > 64
        for entry in possible:
            if ask in entry.queued:
                continue  # listed twice: it was filled, emptied and filled again
            if ask in entry.choices:
                choice = entry.choices[ask]
            else:
                entry.choices[ask] = choice = self._scoring.best(entry.state, demand, entry.waste)
            if choice is None:
                continue
            entry.queued.add(ask)
            item = (choice.score, entry.state, entry.serial, entry)
            if several:
                ask.heap.append(item)
            else:
                heappush(ask.heap, item)
        if several:
            heapify(ask.heap)

    def _forget_dead(self) -> None:
        self._entries = {entry.state: entry for entry in self.live()}

    def _forget_asks(self) -> None:
        self._asks.clear()
        for entry in self._entries.values():
            entry.choices.clear()
            entry.queued.clear()

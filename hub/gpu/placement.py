"""Where demands go: a fleet that finds the best placement, and takes and gives back what was placed.

Deterministic: the same nodes and the same sequence of calls give the same placements, whatever order equal devices are listed in.
Nothing here does I/O or knows of leases; the allocator keeps placements in its database and replays them into a new fleet.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count, pairwise

from hub.gpu.errors import PlacementConflictError, UnknownDeviceError
from hub.gpu.grants import after_grant, after_return, share_of
from hub.gpu.index import Entry, StateIndex
from hub.gpu.model import Demand, Device, DeviceStatus, Node, Placement, Share
from hub.gpu.naming import natural_key
from hub.gpu.objective import Objective, Workload
from hub.gpu.parts import replaced
from hub.gpu.states import DeviceFree, Kinds, NodeState, Way


@dataclass(slots=True, eq=False)
class _NodeUse:
    """A node and what is free on it."""

    node: Node
    rank: int
    cpu_milli: int
    memory_mib: int
    devices: list[Device]
    free: list[DeviceFree]
    lost: set[str] = field(default_factory=set)
    position: dict[str, int] = field(init=False)
    """Device id -> where it stands in `devices` and `free`."""
    entry: Entry = field(init=False)

    def __post_init__(self) -> None:
        self.position = {device.id: at for at, device in enumerate(self.devices)}

    def state(self) -> NodeState:
        return NodeState(self.node.pool, self.cpu_milli, self.memory_mib, self.placeable(self.free))

    def placeable(self, free: list[DeviceFree]) -> tuple[DeviceFree, ...]:
        """The entries of `free` whose device is not lost, sorted as a state wants them."""
        if self.lost:
            free = [one for device, one in zip(self.devices, free, strict=True) if device.id not in self.lost]
        return tuple(sorted(free))


class Fleet:
    """Every node of the centre, what is free on it, and the best place for a demand.

    What a decision costs does not grow with the number of nodes: see `hub.gpu.index`. Not thread-safe; one allocator owns it.
    """

    def __init__(self, nodes: Iterable[Node], workload: Workload) -> None:
        self._kinds = Kinds()
        self._objective = Objective(workload, self._kinds)
        self._index = StateIndex(self._objective)
        self._nodes: dict[str, _NodeUse] = {}
        self._node_of_device: dict[str, _NodeUse] = {}
        self._ranks = count()
        self._empty_states: set[NodeState] | None = None
        self._stock_milli: Counter[int] = Counter()
        """Compute of each device kind, whatever is granted of it or lost."""
        self._stock_changed = False
        for node in sorted(nodes, key=lambda node: natural_key(node.id)):
            self.add(node)

    @property
    def distinct_states(self) -> int:
        """How many different node states there are now: what a decision costs depends on this at most."""
        return self._index.live_states

    def add(self, node: Node) -> None:
        """Add a node with nothing granted. Raises `PlacementConflictError` for an id that is taken."""
        if node.id in self._nodes:
            raise PlacementConflictError("There are two nodes called %(node)s.", node=node.id)
        devices = sorted(node.devices, key=lambda device: natural_key(device.id))
        twice = [one.id for one, other in pairwise(devices) if one.id == other.id]
        twice += [device.id for device in devices if device.id in self._node_of_device]
        if twice:
            raise PlacementConflictError("There are two devices called %(device)s.", device=twice[0])
        use = _NodeUse(
            node=node,
            rank=next(self._ranks),
            cpu_milli=node.cpu_milli,
            memory_mib=node.memory_mib,
            devices=devices,
            free=[self._kinds.untouched(device) for device in devices],
            lost={device.id for device in devices if device.status is DeviceStatus.LOST},
        )
        self._nodes[node.id] = use
        self._node_of_device.update((device.id, use) for device in devices)
        self._empty_states = None
        self._restock(use, 1)
        use.entry = self._index.enter(use, use.state())

    def remove(self, node: str) -> None:
        """Forget a node and whatever was granted on it. Raises `UnknownDeviceError`."""
        use = self._nodes.pop(node, None)
        if use is None:
            raise UnknownDeviceError("There is no node %(node)s.", node=node)
        for device in use.devices:
            del self._node_of_device[device.id]
        self._empty_states = None
        self._restock(use, -1)
        self._index.remove(use)

    def find(self, demand: Demand) -> Placement | None:
        """The best placement now, or None if nothing free serves `demand`. Changes nothing."""
        self._reappraise_if_stock_changed()
        found = self._index.best(demand)
        if found is None:
            return None
        entry, way = found
        use = self._index.first(entry)
        assert isinstance(use, _NodeUse)
        return Placement(use.node.id, demand.cpu_milli, demand.memory_mib, self._shares(use, demand, way))

    def take(self, placement: Placement) -> None:
        """Mark the placement's parts as granted. Raises `PlacementConflictError` or `UnknownDeviceError`, and then changes nothing."""
        use = self._use(placement)
        if use.cpu_milli < placement.cpu_milli or use.memory_mib < placement.memory_mib:
            raise PlacementConflictError
        free = list(use.free)
        for share in placement.shares:
            at = self._position(use, share)
            free[at] = after_grant(self._kinds[free[at].kind], free[at], share)
        self._set(use, use.cpu_milli - placement.cpu_milli, use.memory_mib - placement.memory_mib, free)

    def give_back(self, placement: Placement) -> None:
        """Mark the placement's parts as free again. Raises `PlacementConflictError` if they were not granted, and then changes nothing."""
        use = self._use(placement)
        cpu_milli = use.cpu_milli + placement.cpu_milli
        memory_mib = use.memory_mib + placement.memory_mib
        if cpu_milli > use.node.cpu_milli or memory_mib > use.node.memory_mib:
            raise PlacementConflictError("More was given back to %(node)s than was taken.", node=use.node.id)
        free = list(use.free)
        for share in placement.shares:
            at = self._position(use, share)
            free[at] = after_return(self._kinds[free[at].kind], free[at], share)
        self._set(use, cpu_milli, memory_mib, free)

    def lose(self, device: str) -> None:
        """Offer nothing more on `device`. What was granted there is still to be given back. Raises `UnknownDeviceError`."""
        use = self._use_of_device(device)
        use.lost.add(device)
        self._empty_states = None
        self._set(use, use.cpu_milli, use.memory_mib, use.free)

    def recover(self, device: str) -> None:
        """Offer a lost device again. Raises `UnknownDeviceError`."""
        use = self._use_of_device(device)
        use.lost.discard(device)
        self._empty_states = None
        self._set(use, use.cpu_milli, use.memory_mib, use.free)

    def could_ever_fit(self, demand: Demand) -> bool:
        """Whether an empty fleet, without its lost devices, could serve `demand`; False means waiting is in vain."""
        if self._empty_states is None:
            self._empty_states = {self._untouched(use) for use in self._nodes.values()}
        return any(self._objective.best(state, demand) is not None for state in self._empty_states)

    def room(self, demand: Demand) -> int:
        """How many more of `demand` fit now, one after the other ("3 free")."""
        self._reappraise_if_stock_changed()
        return sum(entry.count * self._repeats(entry.state, demand) for entry in self._index.live())

    def free(self, node: str) -> NodeState:
        """What is free on a node. Raises `UnknownDeviceError`."""
        if node not in self._nodes:
            raise UnknownDeviceError("There is no node %(node)s.", node=node)
        return self._nodes[node].entry.state

    def _restock(self, use: _NodeUse, sign: int) -> None:
        for device in use.devices:
            free = self._kinds.untouched(device)
            self._stock_milli[free.kind] += sign * free.compute_milli
            self._stock_changed = True

    def _reappraise_if_stock_changed(self) -> None:
        """Score anew after nodes have come or gone: what a device is worth depends on how many there are of its kind."""
        if not self._stock_changed:
            return
        self._objective.stock({kind: milli for kind, milli in self._stock_milli.items() if milli})
        self._index.reappraise()
        self._stock_changed = False

    def _repeats(self, state: NodeState, demand: Demand) -> int:
        repeats = 0
        while demand.cpu_milli or demand.memory_mib or demand.devices:
            choice = self._objective.best(state, demand)
            if choice is None:
                break
            state = NodeState(
                state.pool,
                state.cpu_milli - demand.cpu_milli,
                state.memory_mib - demand.memory_mib,
                replaced(state.devices, choice.picks),
            )
            repeats += 1
        return repeats

    def _shares(self, use: _NodeUse, demand: Demand, way: Way) -> tuple[Share, ...]:
        if len(way) == 1 and not use.lost:
            at = use.free.index(way[0].before)
            return (share_of(use.devices[at], demand, way[0]),)
        left = [at for at, device in enumerate(use.devices) if device.id not in use.lost]
        shares = []
        for pick in way:
            at = next(at for at in left if use.free[at] == pick.before)
            left.remove(at)
            shares.append(share_of(use.devices[at], demand, pick))
        return tuple(shares)

    def _set(self, use: _NodeUse, cpu_milli: int, memory_mib: int, free: list[DeviceFree]) -> None:
        use.cpu_milli, use.memory_mib = cpu_milli, memory_mib
        use.free[:] = free
        self._index.leave(use)
        use.entry = self._index.enter(use, use.state())

    def _untouched(self, use: _NodeUse) -> NodeState:
        untouched = use.placeable([self._kinds.untouched(device) for device in use.devices])
        return NodeState(use.node.pool, use.node.cpu_milli, use.node.memory_mib, untouched)

    def _use(self, placement: Placement) -> _NodeUse:
        use = self._nodes.get(placement.node)
        if use is None:
            raise UnknownDeviceError("There is no node %(node)s.", node=placement.node)
        return use

    def _use_of_device(self, device: str) -> _NodeUse:
        use = self._node_of_device.get(device)
        if use is None:
            raise UnknownDeviceError("There is no device %(device)s.", device=device)
        return use

    @staticmethod
    def _position(use: _NodeUse, share: Share) -> int:
        at = use.position.get(share.device)
        if at is None:
            raise UnknownDeviceError("There is no device %(device)s.", device=share.device)
        return at

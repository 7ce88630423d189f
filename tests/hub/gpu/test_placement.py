"""Placement: what is taken and given back adds up, equal devices are interchangeable, and the index answers as scoring every node would."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hub.gpu import fragments, hosts, index, objective, parts
from hub.gpu.errors import PlacementConflictError, UnknownDeviceError
from hub.gpu.mig import UNTOUCHED, profiles
from hub.gpu.model import Demand, Engine, Node, Placement, Share
from hub.gpu.objective import Objective, Workload
from hub.gpu.placement import Fleet
from hub.gpu.simulated import parse_simulated
from hub.gpu.states import Kinds, NodeState
from tests.hub.gpu.fleets import demands, device, fixed_device, instance, node, nodes, part

WORKLOAD = Workload.of(
    {part(1000, 9000): 5, part(500): 3, part(125): 4, instance("1g"): 3, instance("3g"): 1, Demand(cpu_milli=2000): 2}
)


def naive_best(fleet: Fleet, scoring: Objective, made: tuple[Node, ...], demand: Demand) -> int | None:
    """The lowest score over every node, one by one."""
    scores = [scoring.best(fleet.free(one.id), demand) for one in made]
    return min((choice.score for choice in scores if choice is not None), default=None)


def fresh_objective(made: tuple[Node, ...], workload: Workload) -> Objective:
    """An objective that has scored nothing yet, for the same nodes as a fleet's, whose kinds it numbers alike."""
    kinds, stock = Kinds(), Counter[int]()
    for one in made:
        for each in sorted(one.devices, key=lambda device: device.id):
            free = kinds.untouched(each)
            stock[free.kind] += free.compute_milli
    scoring = Objective(workload, kinds)
    scoring.stock(stock)
    return scoring


class Churn(RuleBasedStateMachine):
    """Any sequence of placing, giving back, losing and recovering devices."""

    @initialize(made=nodes())
    def start(self, made: tuple[Node, ...]) -> None:
        self.made = made
        self.fleet = Fleet(made, WORKLOAD)
        self.objective = fresh_objective(made, WORKLOAD)
        self.taken: list[Placement] = []
        self.lost: set[str] = set()

    @rule(demand=demands)
    def place(self, demand: Demand) -> None:
        least = naive_best(self.fleet, self.objective, self.made, demand)
        found = self.fleet.find(demand)
        assert (found is None) == (least is None)
        if found is None:
            assert self.fleet.room(demand) == 0
            return
        chosen = self.objective.best(self.fleet.free(found.node), demand)
        assert chosen is not None
        assert chosen.score == least
        assert self.fleet.find(demand) == found, "looking changes nothing"
        assert self.fleet.could_ever_fit(demand)
        assert not {share.device for share in found.shares} & self.lost
        assert len({share.device for share in found.shares}) == demand.devices
        self.fleet.take(found)
        self.taken.append(found)

    @precondition(lambda self: self.taken)
    @rule(choice=st.integers(0, 1000))
    def give_back(self, choice: int) -> None:
        placement = self.taken.pop(choice % len(self.taken))
        self.fleet.give_back(placement)
        # What is free can be taken again exactly as it was; that is how the allocator's database is replayed.
        self.fleet.take(placement)
        self.fleet.give_back(placement)

    @precondition(lambda self: any(one.devices for one in self.made))
    @rule(choice=st.integers(0, 1000), back=st.booleans())
    def lose_or_recover(self, choice: int, back: bool) -> None:
        names = [each.id for one in self.made for each in one.devices]
        name = names[choice % len(names)]
        if back:
            self.fleet.recover(name)
            self.lost.discard(name)
        else:
            self.fleet.lose(name)
            self.lost.add(name)

    @invariant()
    def capacity_is_conserved(self) -> None:
        for one in self.made:
            here = [placement for placement in self.taken if placement.node == one.id]
            free = self.fleet.free(one.id)
            assert free.cpu_milli == one.cpu_milli - sum(placement.cpu_milli for placement in here) >= 0
            assert free.memory_mib == one.memory_mib - sum(placement.memory_mib for placement in here) >= 0
            whole = [each for each in one.devices if each.id not in self.lost]
            assert len(free.devices) == len(whole)
            expected = []
            for each in whole:
                shares = [share for placement in here for share in placement.shares if share.device == each.id]
                expected.append(self._left(each.engine, shares))
            assert Counter((left.compute_milli, left.slices) for left in free.devices) == Counter(expected)

    @staticmethod
    def _left(engine: Engine, shares: list[Share]) -> tuple[int, int]:
        if engine is not Engine.MIG:
            left = 1000 - sum(share.compute_milli for share in shares)
            assert left >= 0
            return left, 0
        slices = UNTOUCHED
        for share in shares:
            assert share.mig is not None
            assert share.start is not None
            mask = profiles()[share.mig].mask(share.start)
            assert slices & mask == mask, "instances overlap"
            slices &= ~mask
        return 1000 - sum(share.compute_milli for share in shares), slices


TestChurn = Churn.TestCase
TestChurn.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_forgetting_old_states_demands_and_values_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    remembered = _churned()
    monkeypatch.setattr(index, "DEAD_STATES_LIMIT", 3)
    monkeypatch.setattr(index, "DEMANDS_LIMIT", 2)
    monkeypatch.setattr(index, "MANY", 1)
    monkeypatch.setattr(objective, "DEVICE_SETS_LIMIT", 5)
    monkeypatch.setattr(objective, "PARTS_LIMIT", 3)
    monkeypatch.setattr(parts, "WAYS_LIMIT", 2)
    monkeypatch.setattr(parts, "PICKS_LIMIT", 3)
    monkeypatch.setattr(fragments, "TABLE_LIMIT", 4)
    monkeypatch.setattr(hosts, "AMOUNTS_LIMIT", 4)
    assert _churned() == remembered


def _churned() -> list[Placement | None]:
    """What a fleet answers to 600 demands, with leases that end in between."""
    wanted = [part(125), part(250), part(500, 9000), part(1000), instance("1g"), instance("2g"), Demand(cpu_milli=1500)]
    fleet = Fleet(parse_simulated("12xH100-80GB, 9xH100-80GB:mig"), WORKLOAD)
    answers, taken = [], []
    for step in range(600):
        found = fleet.find(wanted[(step * 5 + step // 7) % len(wanted)])
        answers.append(found)
        if found is not None and step % 3:
            fleet.take(found)
            taken.append(found)
        elif taken:
            fleet.give_back(taken.pop(step * 31 % len(taken)))
    return answers


def test_a_search_finds_what_scoring_every_node_finds_in_a_fleet_of_many_states() -> None:
    draw = random.Random(11)
    sizes = [110, 125, 333, 500, 810, 1000]
    wanted = [part(draw.choice(sizes), draw.choice(range(0, 9000, 700))) for _ in range(40)]
    wanted += [Demand(cpu_milli=cpu_milli, memory_mib=100) for cpu_milli in (6000, 3000, 500)]
    wanted += [Demand(cpu_milli=2000, devices=2, compute_milli=1000), instance("1g"), instance("3g")]
    made = tuple(node(f"n{at:02d}", 1 + at % 4, engine=Engine.MIG if at % 5 == 0 else Engine.SLICE) for at in range(60))
    workload = Workload.of(Counter(wanted))
    fleet, scoring = Fleet(made, workload), fresh_objective(made, workload)
    taken: list[Placement] = []
    for step in range(700):
        demand = wanted[draw.randrange(1 + step * len(wanted) // 700)]
        least = naive_best(fleet, scoring, made, demand)
        found = fleet.find(demand)
        assert (found is None) == (least is None)
        if found is not None:
            chosen = scoring.best(fleet.free(found.node), demand)
            assert chosen is not None
            assert chosen.score == least
            fleet.take(found)
            taken.append(found)
        if len(taken) > 150:
            fleet.give_back(taken.pop(draw.randrange(len(taken))))
    assert fleet.distinct_states > 40


@given(nodes(), st.lists(demands, max_size=25), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_in_which_equal_devices_are_listed_does_not_matter(made, wanted, draw) -> None:  # type: ignore[no-untyped-def]
    shuffled = [
        Node(one.id, one.pool, one.cpu_milli, one.memory_mib, tuple(draw.sample(one.devices, len(one.devices))))
        for one in draw.sample(made, len(made))
    ]
    assert _run(Fleet(made, WORKLOAD), wanted) == _run(Fleet(shuffled, WORKLOAD), wanted)


@given(st.lists(st.one_of(demands), max_size=25), st.permutations(range(4)))
@settings(max_examples=40, deadline=None)
def test_renaming_equal_nodes_changes_only_names(wanted: list[Demand], names: list[int]) -> None:
    first, second = Fleet([node(f"n{at}") for at in range(4)], WORKLOAD), Fleet([], WORKLOAD)
    for at in names:
        second.add(node(f"n{at}"))
    for demand in wanted:
        ours, theirs = first.find(demand), second.find(demand)
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            assert first.free(ours.node) == second.free(theirs.node)
            first.take(ours)
            second.take(theirs)
    assert Counter(first.free(f"n{at}") for at in range(4)) == Counter(second.free(f"n{at}") for at in range(4))


def _run(fleet: Fleet, wanted: list[Demand]) -> list[Placement | None]:
    placements = []
    for demand in wanted:
        found = fleet.find(demand)
        if found is not None:
            fleet.take(found)
        placements.append(found)
    return placements


def test_parts_fill_a_started_device_before_another_is_begun() -> None:
    fleet = Fleet([node("n0"), node("n1")], Workload.of({part(500): 1, part(1000): 1}))
    for _ in range(2):
        found = fleet.find(part(500))
        assert found is not None
        assert found.shares[0].device == "n0/gpu0"
        fleet.take(found)
    assert fleet.room(part(1000)) == 3
    assert fleet.room(part(500)) == 6


def test_those_that_may_go_anywhere_leave_a_scarce_model_to_those_that_may_not() -> None:
    rare = Node("a", "cpu", 64_000, 256_000, (device("a/gpu0", "a", model="T4-16GB"),))
    anywhere, one_t4, one_h100 = (
        Demand(cpu_milli=1000, devices=1, compute_milli=1000, models=models)
        for models in (None, frozenset({"T4-16GB"}), frozenset({"H100-80GB"}))
    )
    # More ask for H100 by name, but of the T4 there is less than is asked for.
    workload = Workload.of({one_t4: 2, one_h100: 3, anywhere: 20})
    fleet = Fleet([rare, node("b", 8, cpu_milli=64_000)], workload)
    for _ in range(8):
        found = fleet.find(anywhere)
        assert found is not None
        assert found.node == "b"
        fleet.take(found)
    found = fleet.find(one_t4)
    assert found is not None
    assert found.node == "a"


@given(nodes(), st.lists(demands, min_size=1, max_size=25), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_nodes_that_came_later_are_as_good_as_those_there_from_the_first(made, wanted, later: int) -> None:  # type: ignore[no-untyped-def]
    first = max(0, len(made) - later)
    fleet = Fleet(made[:first], WORKLOAD)
    for demand in wanted:
        fleet.find(demand)
    for one in made[first:]:
        fleet.add(one)
    gone = node("zz", engine=Engine.MIG)
    fleet.add(gone)
    for demand in wanted:
        fleet.find(demand)
    fleet.remove("zz")
    assert _run(fleet, wanted) == _run(Fleet(made, WORKLOAD), wanted)


def test_cpu_shares_keep_off_hosts_whose_devices_need_the_cpus() -> None:
    scarce, ample = node("a", cpu_milli=16_000), node("b", cpu_milli=64_000)
    fleet = Fleet([scarce, ample], Workload.of({part(1000, 8000): 1}))
    found = fleet.find(Demand(cpu_milli=8000))
    assert found is not None
    assert found.node == "b"


def test_pools_models_and_engines_are_honoured() -> None:
    fleet = Fleet([node("n0"), node("n1", engine=Engine.MIG)], WORKLOAD)
    assert fleet.find(Demand(devices=1, compute_milli=100, pools=frozenset({"other"}))) is None
    assert fleet.find(Demand(devices=1, compute_milli=100, models=frozenset({"T4-16GB"}))) is None
    assert fleet.find(Demand(devices=1, compute_milli=100, engines=frozenset({Engine.MPS}))) is None
    assert fleet.find(Demand(cpu_milli=1, pools=frozenset({"pool-slice"}))) is None
    found = fleet.find(Demand(devices=1, mig="1g", pools=frozenset({"pool-mig"}), models=frozenset({"H100-80GB"})))
    assert found is not None
    assert found.node == "n1"


def test_devices_given_out_whole_are_never_divided() -> None:
    fleet = Fleet([node(engine=Engine.WHOLE)], WORKLOAD)
    assert fleet.find(part(500)) is None
    assert not fleet.could_ever_fit(part(500))
    assert fleet.find(part(1000)) is not None


def test_several_devices_for_one_session_are_of_one_kind() -> None:
    mixed = Node("n0", "cpu", 8000, 8000, (device("n0/a"), device("n0/b", model="T4-16GB")))
    pair = Demand(devices=2, compute_milli=1000)
    assert Fleet([mixed], WORKLOAD).find(pair) is None
    found = Fleet([node()], WORKLOAD).find(pair)
    assert found is not None
    assert [share.device for share in found.shares] == ["n0/gpu0", "n0/gpu1"]


def test_a_lost_device_is_not_offered_and_comes_back_with_its_leases_still_counted() -> None:
    fleet = Fleet([node(devices=1)], WORKLOAD)
    held = fleet.find(part(500))
    assert held is not None
    fleet.take(held)
    fleet.lose("n0/gpu0")
    assert fleet.find(part(125)) is None
    assert not fleet.could_ever_fit(part(125))
    fleet.recover("n0/gpu0")
    assert fleet.room(part(500)) == 1
    fleet.give_back(held)
    assert fleet.room(part(500)) == 2


def test_what_is_not_free_cannot_be_taken_and_what_was_not_taken_cannot_be_given_back() -> None:
    fleet = Fleet([node(devices=1), node("m0", devices=1, engine=Engine.MIG)], WORKLOAD)
    whole, small = fleet.find(part(1000)), fleet.find(instance("1g"))
    assert whole is not None
    assert small is not None
    for placement in (whole, small):
        with pytest.raises(PlacementConflictError):
            fleet.give_back(placement)
        fleet.take(placement)
        before = fleet.free(placement.node)
        with pytest.raises(PlacementConflictError):
            fleet.take(placement)
        assert fleet.free(placement.node) == before
        fleet.give_back(placement)
        with pytest.raises(PlacementConflictError):
            fleet.give_back(placement)
    for wrong in (
        Placement("m0", 0, 0, (Share("m0/gpu0", 125, 0),)),
        Placement("m0", 0, 0, (Share("m0/gpu0", 125, 0, mig="2g", start=1),)),
        Placement("n0", 0, 0, (Share("n0/gpu0", 125, 0, mig="1g", start=0),)),
        Placement("n0", 1 << 30, 0),
    ):
        with pytest.raises(PlacementConflictError):
            fleet.take(wrong)
    for stray in (Placement("zz", 0, 0), Placement("n0", 0, 0, (Share("zz", 1, 1),))):
        with pytest.raises(UnknownDeviceError):
            fleet.take(stray)


def test_nodes_and_devices_have_one_name_each() -> None:
    fleet = Fleet([node("n0")], WORKLOAD)
    with pytest.raises(PlacementConflictError):
        fleet.add(node("n0"))
    with pytest.raises(PlacementConflictError):
        fleet.add(Node("n1", "cpu", 1, 1, (device("n0/gpu0"),)))
    with pytest.raises(PlacementConflictError):
        fleet.add(Node("n1", "cpu", 1, 1, (device("x"), device("x"))))
    fleet.remove("n0")
    assert fleet.find(part(125)) is None
    fleet.add(node("n0"))
    assert fleet.find(part(125)) is not None
    with pytest.raises(UnknownDeviceError):
        fleet.remove("n9")
    with pytest.raises(UnknownDeviceError):
        fleet.lose("n9/gpu0")
    with pytest.raises(UnknownDeviceError):
        fleet.free("n9")


def test_existing_instances_are_granted_by_start_with_their_own_size() -> None:
    fixed = fixed_device(("3g", 4), ("1g", 2))
    fleet = Fleet([Node("n0", "cpu", 9000, 9000, (fixed,))], WORKLOAD)
    found = fleet.find(instance("3g"))
    assert found is not None
    assert found.shares == (Share("n0/gpu0", 500, 40_000, sms=60, mig="3g", start=4),)
    assert fleet.find(instance("2g")) is None
    assert fleet.room(instance("1g")) == 1


def test_host_state_tells_what_is_left() -> None:
    fleet = Fleet([Node("n0", "cpu", 2000, 4000)], WORKLOAD)
    found = fleet.find(Demand(cpu_milli=500, memory_mib=1000))
    assert found == Placement("n0", 500, 1000)
    fleet.take(found)
    assert fleet.free("n0") == NodeState("cpu", 1500, 3000, ())
    assert fleet.room(Demand(cpu_milli=500, memory_mib=1000)) == 3

"""The tables of the objective give what its definition gives, and mind no order."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.gpu.model import Demand, Node
from hub.gpu.objective import MICRO, STRANDED_PER_RATE, WORTH_PER_PRESSURE, Objective, Workload, worth_by_kind
from hub.gpu.parts import compute_of
from hub.gpu.states import DeviceFree, Kinds, NodeState, usable_milli
from tests.hub.gpu.fleets import demands, device, nodes

workloads = st.dictionaries(demands, st.integers(1, 50), min_size=1, max_size=6)


def defined_waste(kinds: Kinds, state: NodeState, weights: dict[Demand, int]) -> int:
    """Parts 1 and 2 of the objective, written down as they are defined."""
    if not state.devices:
        return 0
    left = sum(free.compute_milli for free in state.devices)
    fragments = 0
    for demand, weight in weights.items():
        usable = 0
        if demand.devices and demand.cpu_milli <= state.cpu_milli and demand.memory_mib <= state.memory_mib:
            for kind in {free.kind for free in state.devices}:
                amounts = [
                    usable_milli(kinds[kind], free, demand) for free in state.devices if free.kind == kind
                ]  # fmt: skip
                if sum(amount > 0 for amount in amounts) >= demand.devices:
                    usable += sum(amounts)
        fragments += weight * (left - usable)
    waste = fragments * MICRO // sum(weights.values())
    asking = {demand: weight for demand, weight in weights.items() if demand.devices}
    for rate in (asking, weights):
        compute = sum(weight * compute_of(demand) for demand, weight in rate.items())
        served = left
        for free, field in ((state.cpu_milli, "cpu_milli"), (state.memory_mib, "memory_mib")):
            needed = sum(weight * getattr(demand, field) for demand, weight in rate.items())
            if compute and needed:
                served = min(served, free * compute // needed)
        waste += STRANDED_PER_RATE * (left - served)
    return waste


def wasted(objective: Objective, state: NodeState) -> int:
    devices = objective.device_set(state.pool, state.devices)
    return objective.waste(devices, state.cpu_milli, state.memory_mib)


@st.composite
def states(draw: st.DrawFn) -> tuple[Kinds, NodeState]:
    made: tuple[Node, ...] = draw(nodes(most=1))
    kinds = Kinds()
    devices = []
    for one in made[0].devices:
        free = kinds.untouched(one)
        if kinds[free.kind].layout is None:
            left = draw(st.integers(0, 1000))
            devices.append(DeviceFree(free.kind, left, left * 80, 0))
        else:
            slices = draw(st.integers(0, 511))
            devices.append(DeviceFree(free.kind, (slices & 255).bit_count() * 125, 0, slices))
    state = NodeState("cpu", draw(st.integers(0, 16_000)), draw(st.integers(0, 64_000)), tuple(sorted(devices)))
    return kinds, state


@given(states(), workloads)
@settings(max_examples=300, deadline=None)
def test_waste_is_as_defined(made: tuple[Kinds, NodeState], weights: dict[Demand, int]) -> None:
    kinds, state = made
    assert wasted(Objective(Workload.of(weights), kinds), state) == defined_waste(kinds, state, weights)


@given(states(), workloads, demands, st.integers(0, 6000), st.integers(0, 6000))
@settings(max_examples=300, deadline=None)
def test_taking_more_of_the_host_along_scores_better_by_the_allowance_at_most(
    made: tuple[Kinds, NodeState], weights: dict[Demand, int], demand: Demand, cpu_milli: int, memory_mib: int
) -> None:
    kinds, state = made
    objective = Objective(Workload.of(weights), kinds)
    larger = replace(demand, cpu_milli=demand.cpu_milli + cpu_milli, memory_mib=demand.memory_mib + memory_mib)
    assert objective.part(larger) is objective.part(demand)
    least, more = objective.best(state, demand), objective.best(state, larger)
    if more is not None:
        assert least is not None
        assert more.score >= least.score - objective.allowance(cpu_milli)


def test_what_many_ask_for_by_name_is_worth_keeping() -> None:
    kinds = Kinds()
    rare, common = (kinds.untouched(device("d", model=model)).kind for model in ("H100-80GB", "T4-16GB"))
    by_name = Demand(devices=1, compute_milli=500, models=frozenset({"H100-80GB"}))
    workload = Workload.of({by_name: 1, Demand(devices=1, compute_milli=500): 3})
    # A quarter of all that is asked for is for one kind by name: all there is of it, half of it, or more than there is.
    weight = 4 * WORTH_PER_PRESSURE
    assert worth_by_kind(workload, kinds, {rare: 2000, common: 6000}) == {rare: weight * 1_000_000}
    assert worth_by_kind(workload, kinds, {rare: 4000, common: 4000}) == {rare: weight * 500_000}
    assert worth_by_kind(workload, kinds, {rare: 1000, common: 7000}) == {rare: weight * 1_000_000}
    assert worth_by_kind(Workload.of({Demand(devices=1, compute_milli=500): 3}), kinds, {rare: 1, common: 1}) == {}
    assert worth_by_kind(Workload.of({}), kinds, {rare: 1, common: 1}) == {}


@given(workloads, st.randoms(use_true_random=False))
def test_a_workload_has_one_order(weights: dict[Demand, int], draw) -> None:  # type: ignore[no-untyped-def]
    items = list(weights.items())
    draw.shuffle(items)
    assert Workload.of(weights) == Workload.of(dict(items))


def test_an_empty_workload_still_places() -> None:
    kinds = Kinds()
    objective = Objective(Workload.of({}), kinds)
    state = NodeState("cpu", 1000, 1000, ())
    assert wasted(objective, state) == 0
    assert objective.best(state, Demand(cpu_milli=1000)) is not None
    assert objective.best(state, Demand(cpu_milli=1001)) is None

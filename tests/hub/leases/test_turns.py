"""Turns: first come, first served; smaller asks pass larger ones, but not for ever; a quota that is used up blocks nobody else."""

from collections import Counter
from dataclasses import dataclass, field
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from hub.gpu.model import Demand
from hub.leases import turns
from hub.leases.turns import OVERTAKINGS, SLACK, Line, Place


def size(milli: int) -> Demand:
    return Demand(devices=1, compute_milli=milli)


SMALL, LARGE = size(125), size(1000)
FEW = 3
"""The bound in made-up stories, which are too short for the product's."""


@dataclass
class Shop:
    """One device, and limits on what cohorts and learners hold: a gate that can be set by hand."""

    free: int = 1000
    whole: int = 1000
    cohort_limit: dict[str, int] = field(default_factory=dict)
    learner_limit: dict[str, int] = field(default_factory=dict)
    of_cohort: Counter[str] = field(default_factory=Counter)
    of_learner: Counter[str] = field(default_factory=Counter)

    def cohort_admits(self, demand: Demand, cohort: str) -> bool:
        return self.of_cohort[cohort] + demand.compute_milli <= self.cohort_limit.get(cohort, 10**9)

    def learner_admits(self, demand: Demand, cohort: str, owner: str) -> bool:
        return self.of_learner[owner] + demand.compute_milli <= self.learner_limit.get(owner, 10**9)

    def fits(self, demand: Demand) -> bool:
        return demand.compute_milli <= self.free

    def ever_fits(self, demand: Demand) -> bool:
        return demand.compute_milli <= self.whole

    def take(self, place: Place, sign: int = 1) -> None:
        self.free -= sign * place.demand.compute_milli
        self.of_cohort[place.cohort] += sign * place.demand.compute_milli
        self.of_learner[place.owner] += sign * place.demand.compute_milli


def serve_all(line: Line, shop: Shop) -> list[Place]:
    served = []
    while place := line.next(shop):
        line.leave(place.order)
        line.served(place.order)
        shop.take(place)
        served.append(place)
    return served


def place(order: int, demand: Demand = SMALL, owner: str = "", cohort: str = "spring") -> Place:
    return Place(order, f"lease-{order}", demand, cohort, owner or f"p{order}")


def test_who_asked_first_is_served_first() -> None:
    line = Line()
    for order in range(1, 11):
        line.enter(place(order))
    assert [one.order for one in serve_all(line, Shop())] == list(range(1, 9))
    assert len(line) == 2


def test_a_small_ask_passes_a_large_one_that_does_not_fit_and_nobody_passes_it_more_often_than_the_bound() -> None:
    line, shop = Line(), Shop(free=125)
    line.enter(place(1, LARGE))
    order = 1
    for times in range(OVERTAKINGS):
        order += 1
        line.enter(place(order))
        assert [one.order for one in serve_all(line, shop)] == [order], times
        shop.free = 125  # and it leaves again
    line.enter(place(order + 1))
    assert serve_all(line, shop) == []
    assert line.overtaken(1) == OVERTAKINGS
    shop.free = 1000
    assert [one.order for one in serve_all(line, shop)] == [1]


def test_who_could_not_be_served_by_an_empty_fleet_keeps_nothing_from_others() -> None:
    line, shop = Line(served=range(2, 2 + OVERTAKINGS)), Shop(whole=500, free=500)
    line.enter(place(1, LARGE))
    line.enter(place(100))
    assert [one.order for one in serve_all(line, shop)] == [100]


def test_a_line_goes_on_with_the_numbers_served_before_a_restart() -> None:
    before, shop = Line(), Shop(free=0)
    for order in range(2, 40):
        before.served(order)
    line = Line(before.latest_served)
    line.enter(place(1, LARGE))
    line.enter(place(50))
    shop.free = 125
    assert serve_all(line, shop) == []


def test_a_used_up_quota_blocks_nobody_else_and_keeps_its_place() -> None:
    line, shop = Line(), Shop(learner_limit={"ann": 125}, cohort_limit={"autumn": 0})
    line.enter(place(1, owner="ann"))
    line.enter(place(2, owner="ann"))
    line.enter(place(3, cohort="autumn"))
    line.enter(place(4, owner="bob"))
    first, second = serve_all(line, shop)
    assert (first.order, second.order) == (1, 4)
    shop.take(first, -1)
    assert serve_all(line, shop) == []  # nobody has told the line yet
    line.wake("spring", "ann")
    assert [one.order for one in serve_all(line, shop)] == [2]
    shop.cohort_limit.clear()
    assert [one.order for one in serve_all(line, shop)] == [3]


def test_coming_and_going_behind_somebody_who_stays_leaves_nothing_behind() -> None:
    line = Line()
    line.enter(place(1, LARGE))
    for order in range(2, 2000):
        line.enter(place(order, LARGE, owner=f"p{order % 3}"))
        line.leave(order)
    (group,) = line._groups.values()
    assert len(group.heads) <= SLACK + 8
    assert len(group.lanes) == 1


Story = list[tuple[str, int, int, int]]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "ask", "leave", "finish", "finish"]),
        st.sampled_from([125, 250, 500, 1000]),
        st.integers(0, 5),
        st.integers(0, 30),
    ),
    max_size=150,
)


@given(STEPS)
def test_the_line_serves_just_as_a_scan_of_everybody_would(story: Story) -> None:
    """And while it does, nobody without a quota is overtaken more often than the bound."""
    with patch.object(turns, "OVERTAKINGS", FEW):
        _compare(story)


def _compare(story: Story) -> None:
    line = Line()
    shop = Shop(learner_limit={"p0": 250, "p1": 500}, cohort_limit={"c0": 750})
    waiting: dict[int, Place] = {}
    served: list[int] = []
    holding: list[Place] = []
    for order, (step, milli, owner, at) in enumerate(story):
        if step == "ask":
            waiting[order] = place(order, size(milli), f"p{owner}", f"c{owner % 2}")
            line.enter(waiting[order])
        elif step == "leave" and waiting:
            gone = sorted(waiting)[at % len(waiting)]
            line.leave(gone)
            del waiting[gone]
        elif step == "finish" and holding:
            done = holding.pop(at % len(holding))
            shop.take(done, -1)
            line.wake(done.cohort, done.owner)
        while (expected := _scan(waiting, served, shop)) is not None:
            found = line.next(shop)
            assert found is not None
            assert found.order == expected
            line.leave(expected)
            line.served(expected)
            served.append(expected)
            holding.append(waiting.pop(expected))
            shop.take(found)
        assert line.next(shop) is None
        assert len(line) == len(waiting)
        for one in waiting.values():
            if one.owner in {"p3", "p5"}:  # neither they nor their cohort have a quota
                assert sum(other > one.order for other in served) <= FEW


def _scan(waiting: dict[int, Place], served: list[int], shop: Shop) -> int | None:
    for order in sorted(waiting):
        one = waiting[order]
        if not shop.cohort_admits(one.demand, one.cohort) or not shop.learner_admits(one.demand, one.cohort, one.owner):
            continue
        if shop.fits(one.demand):
            return order
        if sum(other > order for other in served) >= FEW:
            return None
    return None

"""How fast placements are decided, and how that grows with the fleet.

A centre at work: devices by time slice and by MIG, shares of every size on offer, drawn alike often by compute. The fleet is filled until demands are
refused; then in each round some leases end at random and as many demands are placed. A decision is `find` and, if it found, `take`.
Times are of this process's CPU: what one core does, whoever else the machine serves.
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hub.gpu.model import Demand, Node, Placement
from hub.gpu.objective import Workload
from hub.gpu.placement import Fleet
from hub.gpu.profiles import derive_profiles, expected_workload
from hub.gpu.simulated import parse_simulated

FLEETS = (100, 1_000, 10_000)
PER_ROUND = 50
ROUNDS = 400


@dataclass(frozen=True, slots=True)
class Speed:
    """Decisions on one fleet. Times are medians over rounds, of one decision."""

    devices: int
    distinct_states: int
    decision_us: float
    pair_us: float
    """A decision and giving back an earlier lease."""
    refused_percent: float

    @property
    def decisions_per_s(self) -> float:
        return 1e6 / self.decision_us


def centre(devices: int) -> tuple[tuple[Node, ...], list[Demand], Workload]:
    """A fleet of H100, three in five time-sliced and two divided by MIG, its shares, and one of each to expect."""
    mig = devices * 2 // 5
    nodes = parse_simulated(f"{devices - mig}xH100-80GB, {mig}xH100-80GB:mig")
    profiles = [profile for profile in derive_profiles(nodes) if not profile.name.endswith("+me")]
    return nodes, [profile.demand for profile in profiles], expected_workload(profiles)


def measure_centre(devices: int, rounds: int = ROUNDS) -> Speed:
    """The speed on `centre(devices)`."""
    nodes, demands, workload = centre(devices)
    return measure(Fleet(nodes, workload), devices, lambda draw: draw.choice(demands), rounds)


def measure(fleet: Fleet, devices: int, next_demand: Callable[[random.Random], Demand], rounds: int) -> Speed:
    """The speed on a fleet that is filled first."""
    draw = random.Random(devices)
    leases = _fill(fleet, next_demand, draw)
    per_decision, per_return, asked, refused = [], [], 0, 0
    for _ in range(rounds):
        ended = [_pop_any(leases, draw) for _ in range(min(PER_ROUND, len(leases)))]
        started = time.process_time()
        for placement in ended:
            fleet.give_back(placement)
        per_return.append((time.process_time() - started) / PER_ROUND)
        demands = [next_demand(draw) for _ in range(PER_ROUND)]
        placed = []
        started = time.process_time()
        for demand in demands:
            found = fleet.find(demand)
            if found is not None:
                fleet.take(found)
                placed.append(found)
        per_decision.append((time.process_time() - started) / PER_ROUND)
        leases += placed
        asked += PER_ROUND
        refused += PER_ROUND - len(placed)
    decision_us = statistics.median(per_decision) * 1e6
    return Speed(
        devices=devices,
        distinct_states=fleet.distinct_states,
        decision_us=decision_us,
        pair_us=decision_us + statistics.median(per_return) * 1e6,
        refused_percent=100 * refused / asked,
    )


def report(speeds: Sequence[Speed]) -> list[str]:
    """The lines of `bench placement --speed`."""
    lines = ["devices  states  decisions/s  us/decision  us/decision+return  refused"]
    lines += [
        f"{one.devices:7d} {one.distinct_states:7d} {one.decisions_per_s:12,.0f} {one.decision_us:12.1f} {one.pair_us:19.1f} {one.refused_percent:7.1f}%"
        for one in speeds
    ]
    if len(speeds) > 1:
        ratio = speeds[-1].decision_us / speeds[0].decision_us
        lines.append(
            f"one decision at {speeds[-1].devices:,} devices costs {ratio:.2f} times one at {speeds[0].devices:,}"
        )
    return lines


def _fill(fleet: Fleet, next_demand: Callable[[random.Random], Demand], draw: random.Random) -> list[Placement]:
    leases: list[Placement] = []
    refusals = 0
    while refusals < PER_ROUND:
        found = fleet.find(next_demand(draw))
        if found is None:
            refusals += 1
            continue
        fleet.take(found)
        leases.append(found)
    return leases


def _pop_any(leases: list[Placement], draw: random.Random) -> Placement:
    at = draw.randrange(len(leases))
    leases[at], leases[-1] = leases[-1], leases[at]
    return leases.pop()

"""How fast placements are decided, and how that grows with the fleet.

A fleet is filled until demands are refused; then in each round some leases end at random and as many demands are placed. A decision is
`find` and, if it found, `take`: nothing is left for later, what `take` changes is looked at by the finds that follow. Giving back is timed
beside it. Times are of this process's CPU, garbage collection included: what one core does, whoever else the machine serves.
"""

import gc
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench import mixes
from bench.traces import Trace
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
    """Decisions on one fleet. Times are of one decision."""

    devices: int
    distinct_states: int
    distinct_demands: int
    decision_us: float
    """Mean of all."""
    median_us: float
    """Median of the means of rounds: without the rounds in which garbage was collected."""
    pair_us: float
    """Mean of a decision and giving back an earlier lease."""
    refused_percent: float

    @property
    def decisions_per_s(self) -> float:
        return 1e6 / self.decision_us


def centre(devices: int) -> tuple[tuple[Node, ...], list[Demand], Workload]:
    """A centre at work: H100, three in five time-sliced and two divided by MIG, its shares, and one of each to expect."""
    mig = devices * 2 // 5
    nodes = parse_simulated(f"{devices - mig}xH100-80GB, {mig}xH100-80GB:mig")
    profiles = [profile for profile in derive_profiles(nodes) if not profile.name.endswith("+me")]
    return nodes, [profile.demand for profile in profiles], expected_workload(profiles)


def measure_centre(devices: int, rounds: int = ROUNDS) -> Speed:
    """The speed on `centre(devices)`, its shares drawn alike often."""
    nodes, demands, workload = centre(devices)
    return measure(Fleet(nodes, workload), devices, demands, rounds)


def measure_trace(trace: Trace, devices: int, rounds: int = ROUNDS) -> Speed:
    """The speed on a cluster like the trace's, of another size; pods drawn as often as they occur."""
    nodes = mixes.resized(trace, devices)
    return measure(Fleet(nodes, trace.workload()), devices, trace.pods, rounds)


def measure(fleet: Fleet, devices: int, demands: Sequence[Demand], rounds: int) -> Speed:
    """The speed on a fleet that is filled first."""
    draw = random.Random(devices)
    leases = _fill(fleet, demands, draw)
    deciding, returning, refused = [], [], 0
    gc.collect()  # so that nobody pays for what an earlier fleet left
    for _ in range(rounds):
        ended = [_pop_any(leases, draw) for _ in range(min(PER_ROUND, len(leases)))]
        started = time.process_time()
        for placement in ended:
            fleet.give_back(placement)
        returning.append((time.process_time() - started) / len(ended))
        asked = draw.choices(demands, k=PER_ROUND)
        placed = []
        started = time.process_time()
        for demand in asked:
            found = fleet.find(demand)
            if found is not None:
                fleet.take(found)
                placed.append(found)
        deciding.append((time.process_time() - started) / PER_ROUND)
        leases += placed
        refused += PER_ROUND - len(placed)
    return Speed(
        devices=devices,
        distinct_states=fleet.distinct_states,
        distinct_demands=len(set(demands)),
        decision_us=statistics.mean(deciding) * 1e6,
        median_us=statistics.median(deciding) * 1e6,
        pair_us=(statistics.mean(deciding) + statistics.mean(returning)) * 1e6,
        refused_percent=100 * refused / (PER_ROUND * rounds),
    )


def report(speeds: Sequence[Speed]) -> list[str]:
    """A line for each fleet."""
    lines = ["devices  states  demands  decisions/s  us/decision  (median)  us/decision+return  refused"]
    lines += [
        f"{one.devices:7d} {one.distinct_states:7d} {one.distinct_demands:8d} {one.decisions_per_s:12,.0f} {one.decision_us:12.1f}"
        f" {one.median_us:9.1f} {one.pair_us:19.1f} {one.refused_percent:7.1f}%"
        for one in speeds
    ]
    return lines


def _fill(fleet: Fleet, demands: Sequence[Demand], draw: random.Random) -> list[Placement]:
    leases: list[Placement] = []
    refusals = 0
    while refusals < PER_ROUND:
        found = fleet.find(draw.choice(demands))
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

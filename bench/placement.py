"""`bench placement`: how much GPU stays unallocated when more is asked for than there is; BestFit and FGD beside ours in the same run.

    practicum bench placement --nodes FILE --pods FILE [--seeds 10]    replay a trace of Alibaba's format
    practicum bench placement --mixes 10                               made-up clusters instead, one per seed
    practicum bench placement --speed [--nodes FILE --pods FILE]       decisions per second, 100 to 10,000 devices

Each seed is one order of arrivals, the same for every policy, up to 130 % of the GPU capacity. One set of weights, that of
`hub.gpu.objective`, for whatever is replayed.
"""

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench import mixes, speed
from bench.estimate import estimate
from bench.peers import BestFit, Fgd, Replay
from bench.result import Result, Series
from bench.traces import Trace, gpu_milli, read_trace
from hub.errors import HubError
from hub.gpu.model import Demand
from hub.gpu.placement import Fleet

LOAD_PERCENT = 130
FIRST_SEED = 42
MOST_TIMES = 2.0
"""What a decision at 10,000 devices may cost beside one at 100."""
MOST_US = 50.0
"""20,000 decisions a second."""
OURS, FGD, BEST_FIT = "practicum", "FGD", "BestFit"


class OptionsError(HubError):
    """The options of this benchmark do not go together."""

    code = "options-wrong"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Unallocated GPU in percent, by policy, in the order of the seeds."""

    what: str
    unallocated: dict[str, list[float]]

    def table(self) -> list[str]:
        """Lines with mean and 95 % confidence interval of each policy, and of ours less each peer's in the same run."""
        lines = [f"unallocated GPU, % of capacity: mean ± 95 % CI of {len(self.unallocated[OURS])} seeds"]
        lines += [f"{name:<10} {estimate(values)}" for name, values in self.unallocated.items()]
        for peer in (FGD, BEST_FIT):
            pairs = zip(self.unallocated[OURS], self.unallocated[peer], strict=True)
            lines.append(f"{OURS} - {peer} (paired): {estimate([ours - theirs for ours, theirs in pairs])}")
        return lines


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the command line of this benchmark takes."""
    parser.add_argument("--nodes", type=Path, help="CSV of nodes: sn,cpu_milli,memory_mib,gpu,model")
    parser.add_argument("--pods", type=Path, help="CSV of pods: name,cpu_milli,memory_mib,num_gpu,gpu_milli[,gpu_spec]")
    parser.add_argument("--seeds", type=int, default=10, help="orders of arrival (10)")
    parser.add_argument("--perturb", action="store_true", help="other nodes and frequencies for each seed")
    parser.add_argument("--mixes", type=int, help="so many made-up clusters instead of a trace")
    parser.add_argument("--speed", action="store_true", help="measure decisions per second instead")


def run(options: argparse.Namespace) -> Result | list[Result]:
    """Ours against FGD, lower is better; with `--speed` a decision at 10,000 devices against one at 100, in a centre and on a trace."""
    if options.seeds < 1 or (options.mixes is not None and options.mixes < 1):
        raise OptionsError("--seeds and --mixes must be at least 1.")
    if (options.nodes is None) != (options.pods is None):
        raise OptionsError("A trace is two files: give --nodes and --pods.")
    if options.speed:
        return _speeds(read_trace(options.nodes, options.pods) if options.nodes else None)
    if options.nodes is None:
        seeds = options.mixes or options.seeds
        return _result(compare("made-up clusters, one per seed", mixes.made_up, seeds))
    if options.mixes is not None:
        raise OptionsError("Give either --nodes and --pods, or --mixes.")
    return _replayed(read_trace(options.nodes, options.pods), options)


def _replayed(trace: Trace, options: argparse.Namespace) -> Result:
    name = options.pods.name
    if options.perturb:
        return _result(compare(f"{name}, perturbed", lambda seed: mixes.perturbed(trace, seed), options.seeds))
    result = _result(compare(name, lambda _: trace, options.seeds))
    homeless, models = trace.homeless()
    if not homeless:
        return result
    note = f"{homeless} pods of the list ask for GPU models that no node has ({', '.join(models)}); no policy can place them"
    return replace(result, notes=[*result.notes, note])


def compare(what: str, trace_of: Callable[[int], Trace], seeds: int) -> Comparison:
    """Replay every policy on the same arrivals, seed by seed."""
    unallocated: dict[str, list[float]] = {OURS: [], FGD: [], BEST_FIT: []}
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        trace = trace_of(seed)
        draw = random.Random(seed)
        pods = trace.arrivals(LOAD_PERCENT, draw)
        order = draw.sample(trace.nodes, len(trace.nodes))
        unallocated[OURS].append(_ours(trace, pods))
        unallocated[FGD].append(_peer(Replay(Fgd(trace), order), trace, pods))
        unallocated[BEST_FIT].append(_peer(Replay(BestFit(), order), trace, pods))
    return Comparison(what, unallocated)


def _ours(trace: Trace, pods: Sequence[Demand]) -> float:
    fleet = Fleet(trace.nodes, trace.workload())
    allocated = 0
    for pod in pods:
        found = fleet.find(pod)
        if found is not None:
            fleet.take(found)
            allocated += gpu_milli(pod)
    return _percent_left(trace, allocated)


def _peer(replay: Replay, trace: Trace, pods: Sequence[Demand]) -> float:
    return _percent_left(trace, sum(gpu_milli(pod) for pod in pods if replay.place(pod)))


def _percent_left(trace: Trace, allocated_milli: int) -> float:
    return 100 - 100 * allocated_milli / trace.capacity_milli


def _result(comparison: Comparison) -> Result:
    return Result(
        what=f"GPU left unallocated at {LOAD_PERCENT} % arrivals, {comparison.what}",
        unit="% of capacity",
        ours=Series(OURS, comparison.unallocated[OURS]),
        peer=Series(FGD, comparison.unallocated[FGD]),
        limit=1.0,
        notes=comparison.table(),
    )


def _speeds(trace: Trace | None) -> list[Result]:
    results = [_speed_result("a full centre", [speed.measure_centre(devices) for devices in speed.FLEETS])]
    if trace is not None:
        speeds = [speed.measure_trace(trace, devices) for devices in speed.FLEETS]
        results.append(_speed_result("a full cluster like the trace's", speeds))
    return results


def _speed_result(where: str, speeds: Sequence[speed.Speed]) -> Result:
    small, large = speeds[0], speeds[-1]
    return Result(
        what=f"one placement decision, find and take, in {where}",
        unit="microseconds",
        ours=Series(f"{large.devices:,} devices", [large.decision_us]),
        peer=Series(f"{small.devices:,} devices", [small.decision_us]),
        limit=MOST_TIMES,
        most=MOST_US,
        notes=speed.report(speeds),
    )

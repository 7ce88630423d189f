"""The placement benchmark: peers score as their paper says, arrivals come to the mark, and ours beats FGD on clusters nobody tuned for."""

import argparse
import json
import math
import random
from collections import Counter
from pathlib import Path

import pytest

from bench import mixes, placement, speed
from bench import run as runner
from bench.estimate import estimate
from bench.peers import BestFit, Fgd, Fragments, PeerNode, Replay, typical_pods
from bench.traces import Trace, TraceError, gpu_milli, read_trace
from hub.gpu.model import Demand
from hub.gpu.objective import Objective
from hub.gpu.parts import DevicePart, DeviceSet
from hub.gpu.placement import Fleet

NODES = "sn,cpu_milli,memory_mib,gpu,model\nn0,32000,65536,2,T4\nn1,64000,65536,8,G2\nn2,8000,1000,0,\n"
PODS = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\np0,4000,1000,1,500,\np1,4000,0,2,1000,T4|G2\np2,100,1,0,0,T4\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "nodes.csv").write_text(NODES, encoding="utf-8")
    (tmp_path / "pods.csv").write_text(PODS, encoding="utf-8")
    return tmp_path / "nodes.csv", tmp_path / "pods.csv"


def test_a_trace_is_read_with_its_constraints(files: tuple[Path, Path]) -> None:
    trace = read_trace(*files)
    assert [len(node.devices) for node in trace.nodes] == [2, 8, 0]
    assert trace.capacity_milli == 10_000
    assert [pod.models for pod in trace.pods] == [None, frozenset({"T4", "G2"}), None]
    assert [gpu_milli(pod) for pod in trace.pods] == [500, 2000, 0]


def test_a_list_without_constraints_is_read_too(files: tuple[Path, Path]) -> None:
    files[1].write_text("name,cpu_milli,memory_mib,num_gpu,gpu_milli\np0,1,1,1,1000\n", encoding="utf-8")
    assert read_trace(*files).pods == (Demand(cpu_milli=1, memory_mib=1, devices=1, compute_milli=1000),)


def test_blank_lines_and_spaces_are_passed_over(files: tuple[Path, Path]) -> None:
    files[0].write_text(NODES.replace("\nn1", "\n\n  \n,,,,\nn1") + "\n\n", encoding="utf-8")
    files[1].write_text(PODS.replace("4000,1000,1", " 4000 ,1000,1").replace("T4|G2", "T4 | G2"), encoding="utf-8")
    trace = read_trace(*files)
    assert len(trace.nodes) == 3
    assert trace.pods[0].cpu_milli == 4000
    assert trace.pods[1].models == frozenset({"T4", "G2"})


def test_pods_for_models_no_node_has_are_told(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    files[1].write_text(PODS + "p3,1,1,1,500,H999|T4\np4,1,1,1,500,H999|Z1\n", encoding="utf-8")
    assert read_trace(*files).homeless() == (1, ("H999", "Z1"))
    runner.main(["placement", "--nodes", str(files[0]), "--pods", str(files[1]), "--seeds", "1"])
    assert "1 pods of the list ask for GPU models that no node has (H999, Z1)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("nodes", "pods", "hint"),
    [
        (NODES, "name,cpu_milli\np0,1\n", "pods.csv has no column memory_mib"),
        ("", PODS, "nodes.csv has no column sn"),
        (
            NODES,
            PODS.replace("500", "-500"),
            "pods.csv, line 2: gpu_milli must be a whole number up to 1,000,000,000,000, not '-500'",
        ),
        (NODES, PODS + "p3,4000,1000\n", "pods.csv, line 5: num_gpu must be a whole number up to 1,024, not ''"),
        (NODES, PODS.replace("1,500", f"1,{'9' * 5000}"), "pods.csv, line 2: gpu_milli"),
        (NODES.replace("n2,8000,1000,0", "n2,8000,1000,5000"), PODS, "nodes.csv, line 4: gpu must be"),
        (NODES.replace("n1", "n0"), PODS, "nodes.csv, line 3: sn must be another name on each line, not 'n0'"),
        (NODES, PODS.replace("4000,0", "nan,0"), "pods.csv, line 3: cpu_milli"),
        (NODES.replace("n1,64000", "n1,"), PODS, "nodes.csv, line 3: cpu_milli"),
        ("sn,cpu_milli,memory_mib,gpu,model\nn0,1,1,0,\n", PODS, "lists no GPU"),
        (NODES, "name,cpu_milli,memory_mib,num_gpu,gpu_milli\np0,1,1,0,0\n", "no pod that asks for a GPU"),
    ],
)
def test_a_broken_trace_is_refused_by_place(files: tuple[Path, Path], nodes: str, pods: str, hint: str) -> None:
    files[0].write_text(nodes, encoding="utf-8")
    files[1].write_text(pods, encoding="utf-8")
    with pytest.raises(TraceError) as refused:
        read_trace(*files)
    assert hint in str(refused.value)


def test_a_missing_or_binary_file_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(TraceError):
        read_trace(files[0], tmp_path / "none.csv")
    files[1].write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(TraceError):
        read_trace(*files)


@pytest.mark.parametrize("load_percent", [40, 130])
def test_arrivals_come_to_the_mark_and_repeat_by_seed(load_percent: int) -> None:
    trace = mixes.made_up(1, nodes=60, pods=400)
    pods = trace.arrivals(load_percent, random.Random(7))
    requested = sum(map(gpu_milli, pods))
    mark = trace.capacity_milli * load_percent // 100
    assert mark - 8000 < requested <= mark + 8000
    assert pods == trace.arrivals(load_percent, random.Random(7))
    assert pods != trace.arrivals(load_percent, random.Random(8))


def defined_fragments(node: PeerNode, typical: list[tuple[Demand, int]]) -> float:
    """F of the paper, word by word: what of a node's free GPU a typical pod cannot use, on average."""
    total = sum(weight for _, weight in typical)
    fragments = 0.0
    for pod, weight in typical:
        fits = PeerNode(node.model, node.cpu_milli, 1 << 40, node.gpus).fits(pod)
        unused = [left for left in node.gpus if not pod.devices or not fits or left < pod.compute_milli]
        fragments += weight * sum(unused) / total
    return fragments


def test_fragments_of_the_peer_are_as_the_paper_defines_them() -> None:
    trace = mixes.made_up(3, nodes=40, pods=800)
    typical = typical_pods(trace)
    fragments = Fragments(typical)
    draw = random.Random(5)
    for node in trace.nodes:
        gpus = [draw.randrange(0, 1001, 10) if draw.random() < 0.6 else 1000 for _ in node.devices]
        peer = PeerNode(node.devices[0].model, draw.randrange(node.cpu_milli), 1, gpus)
        assert math.isclose(fragments.milli(peer.model, peer.cpu_milli, gpus), defined_fragments(peer, typical))


def test_typical_pods_are_the_most_frequent_without_their_memory() -> None:
    often, rare = Demand(cpu_milli=1, memory_mib=5, devices=1, compute_milli=500), Demand(cpu_milli=2)
    trace = Trace((), (often,) * 97 + (rare,) * 3)
    assert typical_pods(trace) == [(Demand(cpu_milli=1, devices=1, compute_milli=500), 97)]


@pytest.mark.parametrize("policy", [BestFit, Fgd])
def test_a_replay_scores_as_scoring_every_node_anew_would(policy: type[BestFit | Fgd]) -> None:
    trace = mixes.made_up(2, nodes=25, pods=150)
    scorer = BestFit() if policy is BestFit else Fgd(trace)
    replay, nodes = Replay(scorer, trace.nodes), [PeerNode.of(node) for node in trace.nodes]
    for pod in trace.arrivals(130, random.Random(1)):
        points = [scorer.points(node, pod) if node.fits(pod) else (-1, None) for node in nodes]
        best = max(range(len(nodes)), key=lambda at: (points[at][0], -at))
        assert replay.place(pod) == (points[best][0] >= 0)
        if points[best][0] >= 0:
            nodes[best].place(pod, points[best][1])
    assert all(min((*node.gpus, node.cpu_milli, node.memory_mib)) >= 0 for node in nodes)


def test_ours_leaves_less_than_fgd_on_made_up_and_perturbed_clusters() -> None:
    made = placement.compare("made up", lambda seed: mixes.made_up(seed, nodes=120, pods=1000), 4)
    base = mixes.made_up(99, nodes=180, pods=1500)
    changed = placement.compare("perturbed", lambda seed: mixes.perturbed(base, seed), 3)
    for comparison in (made, changed):
        ours, fgd = comparison.unallocated[placement.OURS], comparison.unallocated[placement.FGD]
        assert estimate(ours).mean < estimate(fgd).mean


def test_gpu_models_are_honoured_by_every_policy() -> None:
    trace = mixes.made_up(4, nodes=50, pods=400)
    fleet, replay = Fleet(trace.nodes, trace.workload()), Replay(Fgd(trace), trace.nodes)
    models = {node.id: node.devices[0].model for node in trace.nodes}
    asked = [pod for pod in trace.arrivals(130, random.Random(3)) if pod.models is not None]
    assert asked
    for pod in asked:
        found = fleet.find(pod)
        if found is not None:
            fleet.take(found)
            assert pod.models is not None
            assert models[found.node] in pod.models
        replay.place(pod)
    allowed = Counter(model for pod in asked for model in pod.models or ())
    for node in replay.nodes:
        assert node.model in allowed or sum(node.gpus) == 1000 * len(node.gpus)


def test_estimates_are_students() -> None:
    assert estimate([4.0]).half_width == 0.0
    assert str(estimate([1.0, 2.0, 3.0, 4.0])) == "2.50 ± 2.05"
    assert math.isclose(estimate(list(range(100))).half_width, 1.96 * 29.011 / 10, rel_tol=1e-3)


def test_the_command_reads_a_trace_and_writes_its_numbers(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    arguments = ["placement", "--nodes", str(files[0]), "--pods", str(files[1]), "--seeds", "2", "--json", str(out)]
    assert runner.main(arguments) in {0, 1}
    printed = capsys.readouterr().out
    assert "FGD (paired)" in printed
    assert "pods.csv" in printed
    assert len(json.loads(out.read_text(encoding="utf-8"))["ours"]["values"]) == 2


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--nodes", "x"], "two files"),
        (["--seeds", "0"], "at least 1"),
        (["--mixes", "0"], "at least 1"),
        (["--nodes", "x", "--pods", "y", "--mixes", "1"], "either"),
        (["--nodes", "/nonexistent", "--pods", "y"], "Cannot read /nonexistent"),
    ],
)
def test_options_that_do_not_go_together_are_one_sentence(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runner.main(["placement", *arguments]) == 1
    assert hint in capsys.readouterr().err


def test_a_decision_on_a_larger_fleet_scores_no_more_states(monkeypatch: pytest.MonkeyPatch) -> None:
    scored = 0
    after = Objective.after

    def counted(self: Objective, devices: DeviceSet, part: DevicePart, cpu_milli: int, memory_mib: int) -> int | None:
        nonlocal scored
        scored += 1
        return after(self, devices, part, cpu_milli, memory_mib)

    monkeypatch.setattr(Objective, "after", counted)
    trace = mixes.made_up(6, nodes=60, pods=1000)
    counts = []
    for devices in (100, 2_000):
        fleet = Fleet(mixes.resized(trace, devices), trace.workload())
        speed.measure(fleet, devices, trace.pods, rounds=5)
        scored = 0
        speed.measure(fleet, devices, trace.pods, rounds=40)
        counts.append(scored)
    assert counts[1] < 2 * counts[0]


def test_a_cluster_of_another_size_has_the_nodes_of_the_trace() -> None:
    trace = mixes.made_up(7, nodes=30, pods=50)
    nodes = mixes.resized(trace, 500)
    smallest = min(len(node.devices) for node in trace.nodes)
    assert 500 - smallest < sum(len(node.devices) for node in nodes) <= 500
    assert len({node.id for node in nodes}) == len(nodes)
    hosts = {(node.cpu_milli, node.memory_mib, len(node.devices)) for node in trace.nodes}
    assert {(node.cpu_milli, node.memory_mib, len(node.devices)) for node in nodes} <= hosts


def test_the_speed_is_reported_with_both_promises() -> None:
    result = placement._speed_result("a test", [speed.measure_centre(devices, rounds=3) for devices in (80, 160)])
    assert (result.limit, result.most) == (2.0, 50.0)
    assert [len(line.split()) for line in result.notes][1:] == [8, 8]


def test_options_have_the_defaults_of_the_paper() -> None:
    parser = argparse.ArgumentParser()
    placement.add_options(parser)
    assert parser.parse_args([]).seeds == 10
    assert placement.LOAD_PERCENT == 130

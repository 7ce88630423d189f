"""Clusters and pods made up from a seed, so that a policy is not only tried on the traces it was weighed with."""

import random
from dataclasses import replace

from bench.traces import POOL, Trace
from hub.gpu.model import WHOLE_MILLI, Demand, Device, Engine, Node

HOSTS = ((1, 8), (2, 16), (2, 52), (4, 16), (4, 48), (8, 64), (8, 96), (8, 128), (8, 192))
"""GPUs and CPUs of a node."""
MODELS = ("A", "B", "C", "D")


def made_up(seed: int, *, nodes: int = 300, pods: int = 2500) -> Trace:
    """A cluster of a few kinds of node, and pods of some thirty sizes; about as much CPU asked for as there is, give or take a third."""
    draw = random.Random(f"mix {seed}")
    kinds = [(draw.choice(MODELS), *draw.choice(HOSTS), draw.choice((2048, 4096, 8192))) for _ in range(5)]
    weights = [draw.random() ** 2 + 0.05 for _ in kinds]
    chosen = draw.choices(kinds, weights, k=nodes)
    made = tuple(_node(f"n{at:04d}", *kind) for at, kind in enumerate(chosen))
    cpu_per_gpu = sum(node.cpu_milli for node in made) / sum(len(node.devices) for node in made)
    sizes = [_pod(draw, cpu_per_gpu, draw.choice(made)) for _ in range(30)]
    size_weights = [draw.random() ** 3 + 0.01 for _ in sizes]
    return Trace(made, tuple(draw.choices(sizes, size_weights, k=pods)))


def perturbed(trace: Trace, seed: int) -> Trace:
    """The trace with two thirds of its nodes, and each size of pod up to twice as frequent or half as."""
    draw = random.Random(f"perturb {seed}")
    factor = {pod: 2 ** draw.uniform(-1, 1) for pod in dict.fromkeys(trace.pods)}
    pods = draw.choices(trace.pods, [factor[pod] for pod in trace.pods], k=len(trace.pods) * 2 // 3)
    return Trace(tuple(draw.sample(trace.nodes, max(1, len(trace.nodes) * 2 // 3))), tuple(pods))


def resized(trace: Trace, devices: int) -> tuple[Node, ...]:
    """Nodes drawn from the trace's until they have so many devices; the last drawn are passed over if they have too many."""
    draw = random.Random(f"size {devices}")
    smallest = min(len(node.devices) for node in trace.nodes if node.devices)
    nodes: list[Node] = []
    while devices >= smallest:
        like = draw.choice(trace.nodes)
        if 0 < len(like.devices) <= devices:
            nodes.append(_renamed(like, f"n{len(nodes):05d}"))
            devices -= len(like.devices)
    return tuple(nodes)


def _renamed(node: Node, name: str) -> Node:
    devices = tuple(replace(device, id=f"{name}/{at}", node=name) for at, device in enumerate(node.devices))
    return replace(node, id=name, devices=devices)


def _node(node: str, model: str, gpus: int, cpus: int, memory_mib_per_cpu: int) -> Node:
    devices = tuple(Device(f"{node}/{at}", node, POOL, model, Engine.SLICE, 0) for at in range(gpus))
    return Node(node, POOL, cpus * 1000, cpus * memory_mib_per_cpu, devices)


def _pod(draw: random.Random, cpu_per_gpu: float, like: Node) -> Demand:
    kind = draw.random()
    if kind < 0.15:
        devices, compute_milli = 0, 0
    elif kind < 0.6:
        devices, compute_milli = 1, draw.choice((100, 125, 200, 250, 300, 330, 400, 470, 500, 600, 650, 750, 810))
    else:
        devices, compute_milli = draw.choices((1, 2, 4, 8), (20, 3, 1, 1))[0], WHOLE_MILLI
    devices = min(devices, len(like.devices))
    gpus = devices * compute_milli / WHOLE_MILLI or 0.5
    cpu_milli = min(int(cpu_per_gpu * gpus * draw.uniform(0.3, 1.7)) // 500 * 500 + 500, like.cpu_milli)
    models = frozenset({like.devices[0].model}) if devices and draw.random() < 0.2 else None
    return Demand(
        cpu_milli, min(cpu_milli * 2, like.memory_mib), devices, compute_milli if devices else 0, models=models
    )

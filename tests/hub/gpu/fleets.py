"""Small fleets and demands, by hand and drawn by hypothesis."""

from hypothesis import strategies as st

from hub.gpu.mig import fixed_layout, full_layout, profiles
from hub.gpu.model import Demand, Device, Engine, Node

MIB = 80_000


def device(name: str, node: str = "n0", *, engine: Engine = Engine.SLICE, model: str = "H100-80GB") -> Device:
    layout = full_layout() if engine is Engine.MIG else None
    return Device(name, node, f"pool-{engine.value}", model, engine, MIB, sms=132, layout=layout)


def node(name: str = "n0", devices: int = 2, *, engine: Engine = Engine.SLICE, cpu_milli: int = 32_000) -> Node:
    parts = tuple(device(f"{name}/gpu{at}", name, engine=engine) for at in range(devices))
    return Node(name, "cpu", cpu_milli, 256_000, parts)


def part(compute_milli: int, cpu_milli: int = 1000) -> Demand:
    """A part of one device with that part of its memory."""
    return Demand(
        cpu_milli=cpu_milli,
        memory_mib=1000,
        devices=1,
        compute_milli=compute_milli,
        device_memory_mib=MIB * compute_milli // 1000,
    )


def instance(profile: str) -> Demand:
    """A MIG instance."""
    return Demand(cpu_milli=500, memory_mib=500, devices=1, mig=profile)


parts = st.builds(part, st.sampled_from([110, 125, 250, 333, 500, 810, 1000]), st.sampled_from([0, 700, 4000, 9000]))
wholes = st.builds(
    lambda devices: Demand(cpu_milli=1000, memory_mib=10, devices=devices, compute_milli=1000), st.integers(2, 3)
)
instances = st.builds(instance, st.sampled_from(sorted(profiles())))
host_only = st.builds(lambda cpu_milli: Demand(cpu_milli=cpu_milli, memory_mib=100), st.sampled_from([100, 2000, 8000]))
demands = st.one_of(parts, instances, host_only, wholes)

engines = st.sampled_from([Engine.SLICE, Engine.MIG, Engine.WHOLE])


@st.composite
def nodes(draw: st.DrawFn, most: int = 5) -> tuple[Node, ...]:
    """Nodes of up to three devices, some of two kinds, some with CPUs only."""
    made = []
    for at in range(draw(st.integers(1, most))):
        name = f"n{at}"
        devices = tuple(
            device(f"{name}/gpu{one}", name, engine=draw(engines)) for one in range(draw(st.integers(0, 3)))
        )
        made.append(Node(name, "cpu", draw(st.sampled_from([4000, 16_000])), 64_000, devices))
    return tuple(made)


def fixed_device(*layout: tuple[str, int]) -> Device:
    """A device with existing MIG instances."""
    return Device("n0/gpu0", "n0", "fixed", "H100-80GB", Engine.MIG, MIB, sms=132, layout=fixed_layout(layout))

"""Devices that are only declared, to try the centre out: `8xH100-80GB`. Everything made from them is marked simulated."""

import re
from dataclasses import dataclass

from hub.gpu import mig
from hub.gpu.errors import SimulationError
from hub.gpu.model import Device, Engine, Node

DEVICES_PER_NODE = 8
CPU_MILLI_PER_DEVICE = 16_000
MEMORY_MIB_PER_DEVICE = 196_608
MOST_DEVICES = 100_000
GROUP = re.compile(r"\s*(?:(\d{1,9})\s*x\s*)?([A-Za-z][A-Za-z0-9-]*)\s*(?::\s*([a-z]+))?\s*")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a device of a model reports: total memory as `nvidia-smi` shows it, and streaming multiprocessors."""

    memory_mib: int
    sms: int


MODELS = {
    "A100-40GB": ModelFacts(40_960, 108),
    "A100-80GB": ModelFacts(81_920, 108),
    "H100-80GB": ModelFacts(81_559, 132),
    "H200-141GB": ModelFacts(143_771, 132),
    "B200-180GB": ModelFacts(183_359, 148),
    "L4-24GB": ModelFacts(23_034, 58),
    "L40S-48GB": ModelFacts(46_068, 142),
    "T4-16GB": ModelFacts(15_360, 40),
    "V100-32GB": ModelFacts(32_768, 80),
}


def parse_simulated(text: str) -> tuple[Node, ...]:
    """Nodes of up to 8 devices for `8xH100-80GB`, several comma separated, each with `:engine` if it is not to be time-sliced.

    Raises `SimulationError` with one sentence that names what is known.
    """
    nodes: list[Node] = []
    total = 0
    for group in text.split(","):
        count, model, engine = _group(group)
        total += count
        if total > MOST_DEVICES:
            raise SimulationError("At most %(most)s devices can be simulated.", most=MOST_DEVICES)
        while count:
            size = min(count, DEVICES_PER_NODE)
            nodes.append(_node(f"simulated-{len(nodes)}", model, engine, size))
            count -= size
    return tuple(nodes)


def _group(text: str) -> tuple[int, str, Engine]:
    match = GROUP.fullmatch(text)
    if match is None:
        raise SimulationError(
            "%(text)s is not an inventory; write a number, an x and a model, such as 8xH100-80GB.", text=repr(text)
        )
    count, model = int(match[1] or 1), match[2].upper()
    if model not in MODELS:
        raise SimulationError(
            "There is no model %(model)s to simulate; known: %(known)s.", model=match[2], known=", ".join(MODELS)
        )
    if count < 1:
        raise SimulationError("%(text)s simulates nothing; the number must be at least 1.", text=repr(text.strip()))
    known = [engine.value for engine in Engine if engine is not Engine.CPU]
    engine = match[3] or Engine.SLICE.value
    if engine not in known:
        raise SimulationError("There is no engine %(engine)s; known: %(known)s.", engine=engine, known=", ".join(known))
    if engine == Engine.MIG.value and model not in mig.models():
        raise SimulationError(
            "%(model)s has no MIG; models that have: %(known)s.", model=model, known=", ".join(mig.models())
        )
    return count, model, Engine(engine)


def _node(name: str, model: str, engine: Engine, size: int) -> Node:
    facts = MODELS[model]
    devices = tuple(
        Device(
            id=f"{name}/gpu{at}",
            node=name,
            pool=f"{model.lower()}-{engine.value}",
            model=model,
            engine=engine,
            memory_mib=facts.memory_mib,
            sms=facts.sms,
            simulated=True,
            layout=mig.full_layout() if engine is Engine.MIG else None,
        )
        for at in range(size)
    )
    return Node(
        name, "simulated-cpu", size * CPU_MILLI_PER_DEVICE, size * MEMORY_MIB_PER_DEVICE, devices, simulated=True
    )

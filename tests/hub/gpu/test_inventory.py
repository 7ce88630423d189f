"""This machine as a node, declared machines, and what a second look finds."""

from dataclasses import replace

import pytest

from hub.gpu.cpus import CpuEnforcement, CpuReading
from hub.gpu.errors import SimulationError
from hub.gpu.inventory import Changes, devices, look_again, machine_node
from hub.gpu.mig import full_layout
from hub.gpu.model import DeviceStatus, Engine
from hub.gpu.nvml import NvmlReading
from hub.gpu.placement import Fleet
from hub.gpu.profiles import derive_profiles, expected_workload
from hub.gpu.simulated import MODELS, parse_simulated
from tests.hub.gpu.fleets import device

CPUS = CpuReading((0, 1), 2000, 4096, CpuEnforcement.AFFINITY)


def test_a_machine_without_gpus_is_a_node_of_cpus() -> None:
    here = machine_node("here", CPUS, NvmlReading(None))
    assert (here.cpu_milli, here.memory_mib, here.devices) == (2000, 3072, ())
    (cpus,) = devices([here])
    assert (cpus.id, cpus.engine, cpus.compute_milli, cpus.memory_mib) == ("here/cpu", Engine.CPU, 2000, 3072)


def test_a_device_that_is_gone_is_lost_and_one_that_returns_is_back() -> None:
    gpus = NvmlReading("1", (device("GPU-a", "here"), device("GPU-b", "here")))
    known = machine_node("here", CPUS, gpus)
    fewer = machine_node("here", CPUS, replace(gpus, devices=gpus.devices[:1]))
    after, changes = look_again(known, fewer)
    assert changes == Changes(lost=("GPU-b",))
    assert [(one.id, one.status) for one in after.devices] == [
        ("GPU-a", DeviceStatus.OK),
        ("GPU-b", DeviceStatus.LOST),
    ]
    assert look_again(after, fewer) == (after, Changes()), "lost once"
    assert look_again(after, known) == (known, Changes(back=("GPU-b",)))


def test_a_device_that_changed_counts_as_new() -> None:
    known = machine_node("here", CPUS, NvmlReading("1", (device("GPU-a", "here"),)))
    other = replace(known.devices[0], engine=Engine.MIG, layout=full_layout())
    after, changes = look_again(known, replace(known, devices=(other,)))
    assert changes == Changes(new=("GPU-a",))
    assert after.devices == (other,)


def test_simulated_devices_are_marked_and_fill_nodes_of_eight() -> None:
    nodes = parse_simulated("10xH100-80GB, a100-40gb:mig ,2x T4-16GB:whole")
    assert [len(node.devices) for node in nodes] == [8, 2, 1, 2]
    assert [node.devices[0].engine for node in nodes] == [Engine.SLICE, Engine.SLICE, Engine.MIG, Engine.WHOLE]
    assert all(one.simulated for one in devices(nodes))
    assert len({one.id for one in devices(nodes)}) == 13 + 4
    assert nodes[2].devices[0].layout == full_layout()


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("8xH800", ", ".join(MODELS)),
        ("", "such as 8xH100-80GB"),
        ("8 H100-80GB", "such as 8xH100-80GB"),
        ("8xH100-80GB,,", "such as 8xH100-80GB"),
        ("-1xH100-80GB", "such as 8xH100-80GB"),
        ("1.5xH100-80GB", "such as 8xH100-80GB"),
        ("0xH100-80GB", "at least 1"),
        ("999999xH100-80GB", "At most 100000"),
        ("60000xT4-16GB,60000xT4-16GB", "At most 100000"),
        ("9999999999999999xH100-80GB", "such as 8xH100-80GB"),
        ("8xH100-80GB:vgpu", "whole, mig, mps, slice"),
        ("8xT4-16GB:mig", "H100-80GB"),
        ("8xH100-80GB; rm -rf /", "such as 8xH100-80GB"),
    ],
)
def test_what_cannot_be_simulated_is_refused_with_what_can(text: str, hint: str) -> None:
    with pytest.raises(SimulationError) as refused:
        parse_simulated(text)
    assert hint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_forty_learners_and_sixteen_halves() -> None:
    nodes = parse_simulated("8xH100-80GB")
    profiles = {profile.name: profile for profile in derive_profiles(nodes)}
    fleet = Fleet(nodes, expected_workload(profiles.values()))
    half = profiles["h100-80gb.half"].demand
    assert fleet.room(half) == 16
    placed = [found for _ in range(40) if (found := fleet.find(half)) and not fleet.take(found)]
    assert len(placed) == 16
    assert fleet.could_ever_fit(half)

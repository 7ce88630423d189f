"""Shares on offer: derived so that a device is filled exactly, MIG by NVIDIA's names, and the administrator's own within reason."""

import pytest

from hub.gpu.errors import ShareSizeError
from hub.gpu.model import LIMIT, Demand, Device, Engine, Node
from hub.gpu.placement import Fleet
from hub.gpu.profiles import ShareProfile, custom_profile, derive_profiles, expected_workload
from hub.gpu.simulated import parse_simulated
from tests.hub.gpu.fleets import device, node


def by_name(nodes: tuple[Node, ...]) -> dict[str, ShareProfile]:
    return {profile.name: profile for profile in derive_profiles(nodes)}


def test_fractions_of_a_device_bring_that_fraction_of_the_host() -> None:
    profiles = by_name(parse_simulated("8xH100-80GB"))
    assert list(profiles) == [
        *(f"h100-80gb.{size}" for size in ("whole", "half", "quarter", "eighth")),
        *(f"cpu.{size}" for size in ("whole", "half", "quarter", "eighth")),
    ]
    quarter = profiles["h100-80gb.quarter"]
    assert (quarter.sms, quarter.simulated, quarter.custom) == (33, True, False)
    assert (quarter.demand.compute_milli, quarter.demand.device_memory_mib) == (250, 81_559 // 4)
    assert (quarter.demand.cpu_milli, quarter.demand.memory_mib) == (4000, 49_152)


@pytest.mark.parametrize("text", ["8xH100-80GB", "8xH100-80GB:mig", "3xA100-40GB:mps", "5xT4-16GB:whole"])
def test_every_derived_share_fits_as_often_as_it_should(text: str) -> None:
    nodes = parse_simulated(text)
    profiles = by_name(nodes)
    fleet = Fleet(nodes, expected_workload(profiles.values()))
    devices = sum(len(one.devices) for one in nodes)
    per_device = {"whole": 1, "half": 2, "quarter": 4, "eighth": 8}
    for name, profile in profiles.items():
        label = name.rpartition(".")[2]
        if name.startswith("cpu."):
            assert fleet.room(profile.demand) == per_device[label]
        elif label in per_device:
            assert fleet.room(profile.demand) == per_device[label] * devices
        else:
            assert fleet.room(profile.demand) >= devices


def test_mig_shares_carry_nvidias_names_and_their_multiprocessors() -> None:
    profiles = by_name(parse_simulated("1xH100-80GB:mig"))
    names = [name.removeprefix("h100-80gb.") for name in profiles if not name.startswith("cpu.")]
    assert names == ["7g.80gb", "4g.40gb", "3g.40gb", "2g.20gb", "1g.20gb", "1g.10gb", "1g.10gb+me"]
    assert [profiles[f"h100-80gb.{name}"].sms for name in names] == [132, 64, 60, 32, 26, 16, 16]


def test_nodes_that_differ_offer_what_fits_on_each() -> None:
    rich, poor = node("a", cpu_milli=64_000), node("b", cpu_milli=8000)
    assert by_name((rich, poor))["h100-80gb.whole"].demand.cpu_milli == 4000


def test_a_small_machine_offers_no_crumbs() -> None:
    profiles = by_name((Node("here", "cpu", 2000, 1500),))
    assert list(profiles) == ["cpu.whole", "cpu.half", "cpu.quarter"]


def test_shares_of_the_administrators_own() -> None:
    wide = custom_profile(
        "wide", device("g"), cpu_milli=2000, memory_mib=4000, compute_milli=300, device_memory_mib=60_000
    )
    assert wide.custom
    assert wide.sms == 39
    assert Fleet([node()], expected_workload([wide])).room(wide.demand) == 2, "one per device: memory decides"
    cpus = node().cpus()
    tiny = custom_profile("tiny", cpus, cpu_milli=250, memory_mib=300)
    assert tiny.demand == Demand(cpu_milli=250, memory_mib=300, pools=frozenset({"cpu"}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Wide"},
        {"name": "a b"},
        {"name": "x" * 64},
        {"compute_milli": 1001},
        {"compute_milli": -1},
        {"compute_milli": 0, "device_memory_mib": 0},
        {"compute_milli": True},
        {"compute_milli": float("nan")},
        {"memory_mib": LIMIT + 1},
        {"device_memory_mib": 80_001},
        {"cpu_milli": 1.5},
    ],
)
def test_impossible_shares_are_refused_in_a_sentence(wrong: dict[str, object]) -> None:
    arguments: dict[str, object] = {
        "name": "mine",
        "cpu_milli": 1000,
        "memory_mib": 1000,
        "compute_milli": 500,
        "device_memory_mib": 100,
    }
    arguments |= wrong
    name = arguments.pop("name")
    with pytest.raises(ShareSizeError) as refused:
        custom_profile(name, device("g"), **arguments)  # type: ignore[arg-type]
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize("engine", [Engine.MIG, Engine.WHOLE])
def test_devices_that_are_not_divided_freely_have_no_shares_of_free_size(engine: Engine) -> None:
    with pytest.raises(ShareSizeError):
        custom_profile("mine", device("g", engine=engine), cpu_milli=1, memory_mib=1, compute_milli=500)


def test_a_cpu_share_larger_than_the_machine_is_refused() -> None:
    cpus: Device = node(cpu_milli=2000).cpus()
    for cpu_milli, memory_mib in ((2001, 1), (1, 256_001), (0, 1), (1, 0)):
        with pytest.raises(ShareSizeError):
            custom_profile("mine", cpus, cpu_milli=cpu_milli, memory_mib=memory_mib)
    with pytest.raises(ShareSizeError):
        custom_profile("mine", cpus, cpu_milli=1, memory_mib=1, compute_milli=500)


@pytest.mark.parametrize(
    "wrong",
    [
        {"devices": 1},
        {"compute_milli": 500},
        {"devices": 1, "mig": "9g"},
        {"devices": 2, "mig": "1g"},
        {"devices": 1, "mig": "1g", "compute_milli": 125},
        {"devices": -1, "compute_milli": 1},
    ],
)
def test_demands_that_mean_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ShareSizeError):
        Demand(**wrong)  # type: ignore[arg-type]

"""What is on offer: this machine's CPUs, simulated devices, the administrator's own; real GPUs are only shown."""

from dataclasses import replace

import pytest

from hub.errors import SettingsError
from hub.gpu.cpus import CpuEnforcement, CpuReading
from hub.gpu.errors import ShareSizeError, SimulationError
from hub.gpu.nvml import NvmlReading
from hub.leases.offers import MACHINE, machine, make_offers
from hub.leases.views import device_views, seen_again
from hub.settings import DevicesSettings, SandboxSettings, Settings, ShareSettings
from tests.hub.leases.desks import slice_device

CPUS = CpuReading(tuple(range(8)), 8000, 9216, CpuEnforcement.CPUSET_V2)


def test_the_machine_offers_the_percentage_of_its_cpus_and_memory() -> None:
    offers = make_offers(DevicesSettings(), machine(CPUS, NvmlReading(None), 75))
    assert [(one.name, one.demand.cpu_milli, one.demand.memory_mib) for one in offers.profiles] == [
        ("cpu.whole", 6000, 6144),
        ("cpu.half", 3000, 3072),
        ("cpu.quarter", 1500, 1536),
        ("cpu.eighth", 750, 768),
    ]
    nothing = make_offers(DevicesSettings(), machine(CPUS, NvmlReading(None), 0))
    assert nothing.profiles == ()
    assert device_views(nothing, ()) == []


def test_a_real_gpu_is_shown_and_not_offered_while_simulated_ones_are() -> None:
    real = replace(slice_device(0, MACHINE), pool="real")
    offers = make_offers(
        DevicesSettings(simulate="2xH100-80GB,1xL4-24GB"), machine(CPUS, NvmlReading("1", (real,)), 75)
    )
    assert {one.pool for one in offers.profiles} == {"cpu", "h100-80gb-slice", "l4-24gb-slice"}
    assert [one.pool for one in offers.profiles][-1] == "cpu"
    assert all(one.simulated != (one.pool == "cpu") for one in offers.profiles)
    shown = [view.device.id for view in device_views(offers, ())]
    assert real.id in shown
    assert "simulated-0/cpu" not in shown


def test_the_administrators_own_shares_join_those_of_their_pool() -> None:
    own = ShareSettings(name="cpu.small", pool="cpu", cpu_milli=200, memory_mib=512)
    offers = make_offers(DevicesSettings(shares=[own]), machine(CPUS, NvmlReading(None), 75))
    assert offers.by_name["cpu.small"].custom
    assert offers.profiles[-1].name == "cpu.small"


@pytest.mark.parametrize(
    ("share", "error"),
    [
        (ShareSettings(name="x", pool="tpu", cpu_milli=1000), SettingsError),
        (ShareSettings(name="cpu.half", pool="cpu", cpu_milli=1000, memory_mib=512), SettingsError),
        (ShareSettings(name="x", pool="h100-80gb-slice", device_memory_mib=1000), SettingsError),
        (ShareSettings(name="x", pool="cpu", cpu_milli=64_000, memory_mib=512), ShareSizeError),
        (ShareSettings(name="No Name", pool="cpu", cpu_milli=64, memory_mib=512), ShareSizeError),
    ],
)
def test_shares_that_cannot_be_had_are_refused(share: ShareSettings, error: type[Exception]) -> None:
    with pytest.raises(error):
        make_offers(DevicesSettings(simulate="H100-80GB", shares=[share]), machine(CPUS, NvmlReading(None), 75))


def test_a_simulation_that_cannot_be_understood_is_refused() -> None:
    with pytest.raises(SimulationError):
        make_offers(DevicesSettings(simulate="eight cards"), machine(CPUS, NvmlReading(None), 75))


def test_another_look_that_finds_the_same_changes_nothing() -> None:
    here = machine(CPUS, NvmlReading("1", (slice_device(0, MACHINE),)), 75)
    offers = make_offers(DevicesSettings(), here)
    assert seen_again(offers, here) is offers
    gone = seen_again(offers, machine(CPUS, NvmlReading("1"), 75))
    assert seen_again(gone, machine(CPUS, NvmlReading("1"), 75)) is gone
    assert seen_again(gone, here).nodes == offers.nodes


def test_without_a_sandbox_nothing_could_hold_a_share_and_none_is_on_offer() -> None:
    chosen = DevicesSettings(simulate="2xH100-80GB", cpu_percent=50, claim_s=9)
    contained = Settings(devices=chosen)
    assert contained.devices_on_offer == chosen
    devices = Settings(devices=chosen, sandbox=SandboxSettings(enforced=False)).devices_on_offer
    here = machine(CpuReading((0, 1), 2000, 8192, CpuEnforcement.AFFINITY), NvmlReading(None), devices.cpu_percent)
    assert make_offers(devices, here).profiles == ()
    assert devices.claim_s == 9

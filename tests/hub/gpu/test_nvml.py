"""What NVML says becomes devices; no driver is an answer, a failed look is an error, and a lost card is left out."""

import importlib.util

import pytest

from hub.gpu import nvml as adapter
from hub.gpu.errors import InventoryError
from hub.gpu.model import Engine
from hub.gpu.nvml import load, model_name, read_devices, read_usage
from tests.hub.gpu.fake_nvml import DRIVER_NOT_LOADED, UNKNOWN, Attributes, FakeGpu, FakeNvml, FakePart, h100_part

INSTANCES: list[FakePart | None] = [
    h100_part("MIG-b", "2g.20gb", 2, 19_968, 32),
    None,
    h100_part("MIG-a", "3g.40gb", 3, 40_448, 60),
    h100_part("MIG-c", "2g.20gb", 2, 19_968, 32),
]


def test_a_card_is_told_by_uuid_with_its_size_in_multiprocessors() -> None:
    fake = FakeNvml([FakeGpu("GPU-1", minor=3)])
    reading = read_devices(fake, "here", Engine.MPS)
    (device,) = reading.devices
    assert (device.id, device.node, device.model, device.minor) == ("GPU-1", "here", "H100-80GB", 3)
    assert (device.engine, device.pool, device.sms, device.memory_mib) == (Engine.MPS, "h100-80gb-mps", 132, 81_559)
    assert reading.driver == "580.95.05"
    assert reading.notes == ()
    assert fake.sessions == 0


def test_a_card_without_mig_and_of_an_unknown_model_is_listed_too() -> None:
    gpu = FakeGpu("GPU-1", "NVIDIA GeForce RTX 3060 Ti", 8192, 4864, (8, 6), mig_supported=False)
    (device,) = read_devices(FakeNvml([gpu]), "here", Engine.SLICE).devices
    assert device.model == "GeForce-RTX-3060-Ti"
    assert device.sms == 38


def test_existing_mig_instances_are_offered_at_disjoint_starts() -> None:
    (device,) = read_devices(FakeNvml([FakeGpu("GPU-1", mig=INSTANCES)]), "here", Engine.SLICE).devices
    assert device.engine is Engine.MIG
    # The 3g must go high, else the second 2g has no legal start.
    assert [(one.uuid, one.profile, one.start, one.sms) for one in device.instances] == [
        ("MIG-a", "3g", 4, 60),
        ("MIG-b", "2g", 0, 32),
        ("MIG-c", "2g", 2, 32),
    ]
    assert device.layout is not None
    assert device.layout.starts("2g") == (0, 2)


def test_mig_mode_without_instances_offers_nothing() -> None:
    (device,) = read_devices(FakeNvml([FakeGpu("GPU-1", mig=[])]), "here", Engine.SLICE).devices
    assert device.layout is not None
    assert device.layout.untouched == 0


def test_a_gpu_instance_divided_once_more_is_named_and_not_offered() -> None:
    odd = FakePart("MIG-x", "NVIDIA H100 80GB HBM3 MIG 1c.3g.40gb", Attributes(16, 3, 1, 40_448))
    reading = read_devices(FakeNvml([FakeGpu("GPU-1", mig=[odd])]), "here", Engine.SLICE)
    assert reading.devices[0].instances == ()
    assert "1c.3g.40gb" in reading.notes[0]


def test_instances_that_do_not_fit_together_are_not_offered() -> None:
    parts: list[FakePart | None] = [h100_part(f"MIG-{at}", "4g.40gb", 4, 40_448, 64) for at in range(2)]
    reading = read_devices(FakeNvml([FakeGpu("GPU-1", mig=parts)]), "here", Engine.SLICE)
    assert reading.devices[0].instances == ()
    assert "do not fit together" in reading.notes[0]


def test_a_lost_card_is_left_out() -> None:
    reading = read_devices(FakeNvml([FakeGpu("GPU-1", lost=True), FakeGpu("GPU-2")]), "here", Engine.SLICE)
    assert [device.id for device in reading.devices] == ["GPU-2"]


def test_no_library_and_no_driver_are_answers() -> None:
    assert read_devices(None, "here", Engine.SLICE).driver is None
    assert read_usage(None) == ()
    reading = read_devices(FakeNvml(init_error=DRIVER_NOT_LOADED), "here", Engine.SLICE)
    assert reading.driver is None
    assert reading.devices == ()
    assert read_usage(FakeNvml(init_error=DRIVER_NOT_LOADED)) == ()


@pytest.mark.parametrize("broken", [FakeNvml(init_error=UNKNOWN), FakeNvml([FakeGpu("G")], count_error=UNKNOWN)])
def test_a_failed_look_is_an_error_and_closes_its_session(broken: FakeNvml) -> None:
    with pytest.raises(InventoryError, match="could not be listed"):
        read_devices(broken, "here", Engine.SLICE)
    assert broken.sessions == 0


def test_usage_says_what_is_known() -> None:
    plain, divided = read_usage(FakeNvml([FakeGpu("GPU-1"), FakeGpu("GPU-2", mig=INSTANCES)]))
    assert (plain.device, plain.busy_percent, plain.memory_used_mib, plain.temperature_c) == ("GPU-1", 37, 1234, 41)
    assert divided.busy_percent is None


@pytest.mark.parametrize(
    ("name", "memory_mib", "model"),
    [
        ("NVIDIA A100-SXM4-80GB", 81_920, "A100-80GB"),
        ("NVIDIA A100-PCIE-40GB", 40_960, "A100-40GB"),
        ("NVIDIA H200", 143_771, "H200-141GB"),
        ("Tesla T4", 15_360, "T4-16GB"),
        ("NVIDIA L40S", 46_068, "L40S-48GB"),
        ("NVIDIA L4", 23_034, "L4-24GB"),
        ("NVIDIA H100 NVL", 95_830, "H100-NVL"),
    ],
)
def test_models_are_named_by_family_and_memory(name: str, memory_mib: int, model: str) -> None:
    assert model_name(name, memory_mib) == model


@pytest.mark.skipif(importlib.util.find_spec("pynvml") is None, reason="nvidia-ml-py is not installed")
def test_the_fake_has_the_shape_of_the_real_library() -> None:
    real = load()
    assert real is not None
    names = [name for name in vars(adapter.Nvml) if name.startswith("nvml")]
    assert len(names) > 10
    for name in names:
        assert callable(getattr(real, name)), name
    assert issubclass(real.NVMLError, Exception)


@pytest.mark.gpu
def test_the_cards_of_this_machine_are_listed() -> None:
    reading = read_devices(load(), "here", Engine.SLICE)
    if not reading.devices:
        pytest.skip("no NVIDIA device here: " + " ".join(reading.notes))
    assert all(device.id.startswith("GPU-") and device.memory_mib > 0 for device in reading.devices)
    assert len(read_usage(load())) == len(reading.devices)

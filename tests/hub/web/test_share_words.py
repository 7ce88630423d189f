from dataclasses import replace

import pytest

from hub.gpu.model import Engine
from hub.gpu.nvml import DeviceUsage
from hub.gpu.simulated import parse_simulated
from hub.leases.model import Availability, EndReason, LeaseStatus, Outlook, Wait
from tests.hub.web.shares import MACHINE, a_lease, profiles_on, words

H100 = profiles_on(*parse_simulated("H100-80GB"))
MIG = profiles_on(*parse_simulated("H100-80GB:mig"))
CPU = profiles_on(MACHINE)


@pytest.mark.parametrize(("name", "english", "chinese"), [
    ("h100-80gb.whole", "One whole H100-80GB", "一整张 H100-80GB"),
    ("h100-80gb.half", "Half of one H100-80GB", "半张 H100-80GB"),
    ("h100-80gb.eighth", "An eighth of one H100-80GB", "八分之一张 H100-80GB"),
    ("cpu.quarter", "A quarter of the processors", "四分之一的处理器"),
    ("h100-80gb.1g.10gb", "H100-80GB, MIG instance 1g.10gb", "H100-80GB，MIG 实例 1g.10gb"),
])  # fmt: skip
def test_a_share_has_a_name_people_say(name: str, english: str, chinese: str) -> None:
    profile = {**H100, **MIG, **CPU}[name]
    assert words().title(profile) == english
    assert words("zh-CN").title(profile) == chinese


def test_an_administrators_own_share_keeps_its_name() -> None:
    own = replace(H100["h100-80gb.half"], name="big-one", custom=True)
    assert words().title(own) == "big-one"


def test_under_a_heading_a_share_is_only_its_part() -> None:
    assert words().part(H100["h100-80gb.half"]) == "One half"
    assert words("zh-CN").part(CPU["cpu.eighth"]) == "八分之一"
    assert words().part(MIG["h100-80gb.3g.40gb"]) == "3g.40gb"
    assert words().part(replace(CPU["cpu.half"], name="mine", custom=True)) == "mine"


def test_facts_say_what_is_real_and_of_a_declared_device_only_the_device() -> None:
    assert words().facts(CPU["cpu.half"]) == ("0.75 processors", "8\u00a0GiB of main memory")
    facts = words().facts(H100["h100-80gb.half"])
    assert facts == ("39.8\u00a0GiB of its memory", "50\u00a0% of its compute (66 SM)")
    real = replace(H100["h100-80gb.half"], simulated=False, engine=Engine.SLICE)
    assert "8 processors" in words().facts(real)


def test_availability_is_a_number_a_place_or_a_reason() -> None:
    half = H100["h100-80gb.half"]
    assert words().availability(Availability(half, 3, 0, None)) == "3 free"
    full = words().availability(Availability(half, 0, 3, 700))
    assert full == "queue: number 4, about 12 minutes"
    assert "no estimate yet" in words().availability(Availability(half, 0, 0, None))
    for refusal in ("never-fits", "cohort-quota", "learner-quota"):
        assert words().availability(Availability(half, 2, 0, None, refusal)).startswith("Larger than")


def test_an_estimate_has_its_spread_and_its_absence_is_said() -> None:
    assert words().estimate(Outlook(1, 2, Wait.DEVICES_FULL, None, None)).startswith("No estimate yet")
    both = Outlook(1, 2, Wait.DEVICES_FULL, 720, 1500)
    assert words().estimate(both) == "Probably about 12 minutes; in four of five cases at most about 25 minutes."
    assert words().estimate(replace(both, estimate_s=20, estimate_most_s=20)) == "Probably less than a minute."
    assert words().duration(3 * 3600) == "about 3 hours"
    for why in Wait:
        assert words().why(replace(both, why=why)).endswith(".")


def test_every_ending_its_owner_did_not_cause_is_explained_with_a_way_on() -> None:
    half = H100["h100-80gb.half"]
    for reason in EndReason:
        text = words().ending(a_lease(half, status=LeaseStatus.ENDED, reason=reason), H100)
        assert bool(text) == (reason not in {EndReason.RELEASED, EndReason.CANCELLED})
        assert not text or ("alf of one H100-80GB" in text and text.endswith("."))
    gone = words().ending(a_lease(half, status=LeaseStatus.ENDED, reason=EndReason.WITHDRAWN), {})
    assert "h100-80gb.half" in gone


def test_use_of_a_device_leaves_out_what_its_driver_does_not_tell() -> None:
    assert (
        words().usage(DeviceUsage("x", 2048, 35, 56), 81_920)
        == "35\u00a0% busy · 2\u00a0GiB of 80\u00a0GiB in use · 56\u00a0°C"
    )
    assert words().usage(DeviceUsage("x", 2048, None, None), 81_920) == "2\u00a0GiB of 80\u00a0GiB in use"

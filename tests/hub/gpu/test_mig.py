"""MIG geometry: layouts reached by granting are legal, and the table is read as it was meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.gpu.mig import (
    EVERY_SLICE,
    UNTOUCHED,
    fixed_layout,
    fraction_name,
    free_milli,
    full_layout,
    full_name,
    models,
    profiles,
    sms,
)


@given(st.lists(st.tuples(st.sampled_from(sorted(profiles())), st.integers(0, 6))))
def test_whatever_is_granted_stays_within_the_device(wanted: list[tuple[str, int]]) -> None:
    layout, free = full_layout(), UNTOUCHED
    granted: list[tuple[str, int]] = []
    for profile, choice in wanted:
        starts = layout.legal(profile, free)
        if starts:
            start = starts[choice % len(starts)]
            free &= ~profiles()[profile].mask(start)
            granted.append((profile, start))
    covered = [
        at for name, start in granted for at in range(start, start + profiles()[name].memory_slices)
    ]  # fmt: skip
    assert len(covered) == len(set(covered))
    assert all(0 <= at < 8 for at in covered)
    assert sum(profiles()[name].compute_slices for name, _ in granted) <= 7
    assert sum(sms(name, 132) for name, _ in granted) <= 132
    for name, profile in profiles().items():
        assert sum(one == name for one, _ in granted) <= profile.limit
    assert free_milli(free) == (8 - len(covered)) * 125


@pytest.mark.parametrize("name", sorted(profiles()))
def test_an_empty_device_holds_each_profile_up_to_its_limit(name: str) -> None:
    layout, free, count = full_layout(), UNTOUCHED, 0
    while starts := layout.legal(name, free):
        free &= ~profiles()[name].mask(starts[0])
        count += 1
    assert count == profiles()[name].limit
    assert layout.usable_milli(name, UNTOUCHED) == count * profiles()[name].memory_slices * 125


def test_a_second_instance_with_media_engines_is_refused() -> None:
    free = UNTOUCHED & ~profiles()["1g+me"].mask(0)
    assert full_layout().legal("1g+me", free) == ()
    assert full_layout().legal("1g", free) == (1, 2, 3, 4, 5, 6)


def test_the_last_slice_is_out_of_reach_of_small_instances() -> None:
    last = 1 << 7
    assert all(full_layout().legal(name, last) == () for name in profiles())


def test_existing_instances_are_all_that_is_offered() -> None:
    layout = fixed_layout([("3g", 4), ("1g", 0), ("1g", 1)])
    assert layout.untouched & EVERY_SLICE == 0b11110011
    assert layout.legal("3g", layout.untouched) == (4,)
    assert layout.legal("1g", layout.untouched) == (0, 1)
    assert layout.legal("2g", layout.untouched) == ()
    assert layout.usable_milli("1g", layout.untouched) == 250


def test_names_are_nvidias_and_go_both_ways() -> None:
    assert full_name("H100-80GB", "1g.2m") == "1g.20gb"
    assert fraction_name("A100-40GB", "3g.20gb") == "3g"
    for model in models():
        for name in profiles():
            full = full_name(model, name)
            assert full is not None
            assert fraction_name(model, full) == name
    assert full_name("T4-16GB", "1g") is None
    assert fraction_name("H100-80GB", "9g.1gb") is None


def test_compute_is_counted_in_multiprocessors() -> None:
    assert [sms(name, 132) for name in ("1g", "1g+me", "1g.2m", "2g", "3g", "4g", "7g")] == [
        16,
        16,
        26,
        32,
        60,
        64,
        132,
    ]
    assert sms("7g", 108) == 108
    assert sms("1g", 108) * 7 <= 108

"""The home page says how much room there is, and what of it the machine enforces."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hub.settings import SandboxSettings
from hub.state import StateDir
from hub.web.room import Rooms
from tests.hub.web.browser import HOME, Browser


@pytest.fixture
def home(state: StateDir) -> Path:
    made = state.homes / "lin.na"
    made.mkdir()
    return made


async def test_a_learner_sees_what_the_files_take(visit: Callable[..., Browser], home: Path) -> None:
    (home / "data.bin").write_bytes(b"x" * 3 * 1024 * 1024)
    page = await visit("lin.na").open(HOME)
    assert "3&nbsp;MiB of 5&nbsp;GiB used" in page.text
    assert "not enforced by this machine’s disk" in page.text


async def test_a_home_that_is_too_full_is_said_in_words(state: StateDir, home: Path) -> None:
    (home / "data.bin").write_bytes(b"x" * 70 * 1024 * 1024)
    room = Rooms(state, SandboxSettings(home_mib=64), own_uids=False).of("lin.na", None)
    assert room.home_is_over


async def test_somebody_without_a_home_yet_sees_what_they_will_have(visit: Callable[..., Browser]) -> None:
    assert "up to 5&nbsp;GiB" in (await visit("wang.wei").open(HOME)).text


def test_a_home_is_not_measured_at_every_glance(state: StateDir, home: Path) -> None:
    rooms = Rooms(state, SandboxSettings(), own_uids=False)
    before = rooms.of("lin.na", None).home_used_mib
    (home / "data.bin").write_bytes(b"x" * 3 * 1024 * 1024)
    assert rooms.of("lin.na", None).home_used_mib == before


def test_a_link_in_the_place_of_a_home_is_not_followed(state: StateDir, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/data.bin").write_bytes(b"x" * 3 * 1024 * 1024)
    (state.homes / "lin.na").symlink_to(tmp_path / "elsewhere")
    assert Rooms(state, SandboxSettings(), own_uids=False).of("lin.na", None).home_used_mib is None

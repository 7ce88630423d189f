import os
from pathlib import Path

import pytest

from hub.sandbox.errors import HomeUnmeasurableError
from hub.sandbox.usage import enforced_quota_mib, home_usage_mib

MIB = 1024 * 1024


def test_files_at_every_level_count(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "one").write_bytes(os.urandom(3 * MIB))
    (tmp_path / "a" / "b" / "two").write_bytes(os.urandom(2 * MIB))
    assert home_usage_mib(tmp_path) in {5, 6}


def test_links_out_of_the_home_are_not_followed(tmp_path: Path) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    home.mkdir()
    outside.mkdir()
    (outside / "big").write_bytes(os.urandom(4 * MIB))
    (home / "directory").symlink_to(outside)
    (home / "file").symlink_to(outside / "big")
    (home / "loop").symlink_to(home)
    assert home_usage_mib(home) <= 1


def test_a_home_that_is_itself_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(OSError, match="link"):
        home_usage_mib(tmp_path / "link")


def test_hard_links_count_once_and_holes_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(os.urandom(4 * MIB))
    (tmp_path / "again").hardlink_to(tmp_path / "one")
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(1 << 30)
    assert home_usage_mib(tmp_path) in {4, 5}


def test_a_pipe_does_not_hold_it_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert home_usage_mib(tmp_path) <= 1


def test_a_chain_of_directories_without_end_is_given_up(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    directory = os.open(tmp_path, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=directory)
        inner = os.open("d", os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = inner
    os.close(directory)
    with pytest.raises(HomeUnmeasurableError):
        home_usage_mib(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_file_system_without_quota_says_none(tmp_path: Path) -> None:
    with Path("/proc/self/mounts").open() as mounts:
        if "quota" in mounts.read().replace("noquota", ""):
            pytest.skip("a file system of this machine has quotas")
    assert enforced_quota_mib(tmp_path, os.getuid()) is None

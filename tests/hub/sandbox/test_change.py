"""Limits rewritten by files alone, as a cgroup v2 shows them; the old hierarchies are in test_share, with real sandboxes."""

from pathlib import Path

import pytest

from hub.sandbox.change import Reason, Resource, Unchanged, change_limits
from hub.sandbox.spec import Limits

MIB = 1024 * 1024
SHARE = Limits(memory_mib=200, processes=7, open_files=8, file_mib=9, tmp_mib=10, cpu_milli=2000, cpus=(0, 1))
BASIC = Limits(memory_mib=100, processes=7, open_files=8, file_mib=9, tmp_mib=10)


@pytest.fixture
def cgroup(tmp_path: Path) -> Path:
    """A cgroup v2 of a sandbox with the share, which uses 150 MiB, 80 of them pages of files."""
    texts = {
        "cgroup.controllers": "cpuset cpu memory pids\n",
        "memory.max": f"{200 * MIB}\n",
        "memory.swap.max": "0\n",
        "memory.current": f"{150 * MIB}\n",
        "memory.stat": f"anon {70 * MIB}\nfile {80 * MIB}\ninactive_file {50 * MIB}\nactive_file {30 * MIB}\n",
        "cpu.max": "200000 100000\n",
        "cpu.weight": "200\n",
        "cpuset.cpus": "0-1\n",
        "pids.max": "7\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def held(cgroup: Path) -> tuple[str, ...]:
    names = ("memory.max", "cpu.max", "cpu.weight", "cpuset.cpus")
    return tuple((cgroup / name).read_text().strip() for name in names)


def test_a_share_ends_while_its_server_lives(cgroup: Path) -> None:
    assert change_limits([str(cgroup)], BASIC) == ()
    assert held(cgroup) == (str(100 * MIB), "max 100000", "10", "")
    assert change_limits([str(cgroup)], BASIC) == ()
    assert held(cgroup) == (str(100 * MIB), "max 100000", "10", "")


def test_a_share_begins_while_its_server_lives(cgroup: Path) -> None:
    change_limits([str(cgroup)], BASIC)
    assert change_limits([str(cgroup)], SHARE) == ()
    assert held(cgroup) == (str(200 * MIB), "200000 100000", "200", "0,1")


def test_memory_is_not_taken_from_a_server_that_holds_it(cgroup: Path) -> None:
    """cgroup v2 would take it and end processes until the rest fits."""
    (cgroup / "memory.stat").write_text(f"inactive_file {20 * MIB}\nactive_file {10 * MIB}\n")
    assert change_limits([str(cgroup)], BASIC) == (Unchanged(Resource.MEMORY, Reason.IN_USE),)
    assert held(cgroup) == (str(200 * MIB), "max 100000", "10", "")


def test_what_no_cgroup_holds_cannot_be_changed() -> None:
    assert change_limits([], BASIC) == (
        Unchanged(Resource.MEMORY, Reason.FIXED_AT_START),
        Unchanged(Resource.PROCESSOR, Reason.FIXED_AT_START),
    )


def test_a_cpuset_alone_is_the_limit_itself_and_stays(tmp_path: Path) -> None:
    """Without a share there would have been none, and nothing to go back to: a new start does that."""
    (tmp_path / "cpuset.cpus").write_text("0\n")
    assert Unchanged(Resource.PROCESSOR, Reason.FIXED_AT_START) in change_limits([str(tmp_path)], BASIC)
    assert (tmp_path / "cpuset.cpus").read_text() == "0\n"


def test_a_cgroup_that_is_gone_is_said_and_not_made_again(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        change_limits([str(tmp_path / "gone")], BASIC)
    assert not (tmp_path / "gone").exists()

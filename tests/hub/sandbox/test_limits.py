import dataclasses
import resource
from pathlib import Path

import pytest

from hub.sandbox import cgroups
from hub.sandbox.cgroups import Controllers
from hub.sandbox.limits import Containment, containment
from hub.sandbox.spec import Limits

LIMITS = Limits(memory_mib=100, processes=7, open_files=8, file_mib=9, tmp_mib=10)
MIB = 1024 * 1024


def test_with_cgroups_the_whole_server_is_limited() -> None:
    held = containment(
        LIMITS, own_uid=False, controllers=Controllers(2, {"memory": "/cg/practicum", "pids": "/cg/practicum"})
    )
    assert [(each.parent, dict(each.values)) for each in held.cgroups] == [
        ("/cg/practicum", {"memory.max": str(100 * MIB), "memory.swap.max": "0", "pids.max": "7"})
    ]
    assert held.sentences[:2] == ("memory: whole server, cgroup v2", "processes: whole server, cgroup v2")
    assert resource.RLIMIT_DATA not in dict(held.resources)


def test_the_old_hierarchies_take_one_cgroup_each_with_memory_before_swap() -> None:
    held = containment(LIMITS, own_uid=True, controllers=Controllers(1, {"memory": "/m", "pids": "/p"}))
    assert [(each.parent, [name for name, _ in each.values]) for each in held.cgroups] == [
        ("/m", ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]),
        ("/p", ["pids.max"]),
    ]


@pytest.mark.parametrize(
    ("own_uid", "kernel", "processes", "limited"),
    [
        (True, "4.18.0-553.el8", "processes: whole server, by user", True),
        (False, "5.14.0-427.el9.x86_64", "processes: whole server, by user", True),
        (False, "6.8.0-generic", "processes: whole server, by user", True),
        (False, "5.13.0+", "processes: not limited", False),
    ],
)
def test_without_cgroups_the_words_say_what_is_left(
    own_uid: bool, kernel: str, processes: str, limited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.release", lambda: kernel)
    held = containment(LIMITS, own_uid=own_uid, controllers=Controllers(1, {}))
    assert held.cgroups == ()
    assert held.sentences[:2] == ("memory: per process only", processes)
    assert dict(held.resources)[resource.RLIMIT_DATA] == 100 * MIB
    assert (resource.RLIMIT_NPROC in dict(held.resources)) == limited


def test_files_cores_and_descriptors_are_always_limited() -> None:
    held = dict(containment(LIMITS, own_uid=True, controllers=Controllers(1, {})).resources)
    assert held[resource.RLIMIT_CORE] == 0
    assert held[resource.RLIMIT_NOFILE] == 8
    assert held[resource.RLIMIT_FSIZE] == 9 * MIB


def test_own_cgroups_are_read_from_both_kinds_of_lines() -> None:
    text = "9:name=systemd:/a\n5:cpu,memory:/b/c:d\n0::/user.slice/x.scope\n"
    assert cgroups.own_cgroups(text) == {
        "name=systemd": "/a",
        "cpu": "/b/c:d",
        "memory": "/b/c:d",
        "": "/user.slice/x.scope",
    }


def test_mounts_of_cgroups_are_found_with_their_roots() -> None:
    text = (
        "30 23 0:26 / /sys/fs/cgroup/memory rw,nosuid shared:9 - cgroup cgroup rw,memory\n"
        "31 23 0:27 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw,nsdelegate\n"
        "32 23 0:28 / / rw - ext4 /dev/sda rw\n"
    )
    found = cgroups.cgroup_mounts(text)
    assert found["memory"] == ("/sys/fs/cgroup/memory", "/")
    assert found[""] == ("/sys/fs/cgroup", "/docker/abc")


def files(directory: Path, **texts: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (directory / name.replace("_", ".", 1)).write_text(text)
    return directory


def share(cpu_milli: int | None, *cpus: int) -> Limits:
    return dataclasses.replace(LIMITS, cpu_milli=cpu_milli, cpus=cpus)


def values(held: Containment) -> dict[str, str]:
    return {name: value for each in held.cgroups for name, value in each.values}


def test_a_share_of_the_processor_is_a_quota_and_a_weight_in_cgroup_v2() -> None:
    everything = Controllers(2, dict.fromkeys(("memory", "pids", "cpu", "cpuset"), "/cg"))
    held = containment(share(1500, 2, 3), own_uid=True, controllers=everything)
    assert [each.parent for each in held.cgroups] == ["/cg"]
    assert values(held) == {
        "memory.max": str(100 * MIB),
        "memory.swap.max": "0",
        "pids.max": "7",
        "cpu.max": "150000 100000",
        "cpu.weight": "150",
        "cpuset.cpus": "2,3",
    }
    assert held.affinity == ()
    assert "processor: whole server, quota, cgroup v2, on CPUs of its own" in held.sentences


def test_a_share_of_the_processor_is_a_quota_and_a_cpuset_in_the_old_hierarchies(tmp_path: Path) -> None:
    cpuset = files(tmp_path / "cpuset", cpuset_cpus="0-3\n", cpuset_mems="0-1\n")
    controllers = Controllers(1, {"cpu": "/cpu", "cpuset": str(cpuset)})
    held = containment(share(1500, 2, 3), own_uid=True, controllers=controllers)
    assert [(each.parent, each.values) for each in held.cgroups] == [
        ("/cpu", (("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "150000"), ("cpu.shares", "1536"))),
        # Memory nodes first: a cpuset that has none holds nothing.
        (str(cpuset), (("cpuset.mems", "0-1"), ("cpuset.cpus", "2,3"))),
    ]
    assert "processor: whole server, quota, cgroup v1, on CPUs of its own" in held.sentences


@pytest.mark.parametrize(
    ("version", "unlimited"),
    [
        (1, {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "-1", "cpu.shares": "102"}),
        (2, {"cpu.max": "max 100000", "cpu.weight": "10"}),
    ],
)
def test_without_a_share_there_is_no_quota_but_a_small_weight(version: int, unlimited: dict[str, str]) -> None:
    held = containment(share(None), own_uid=True, controllers=Controllers(version, {"cpu": "/c", "cpuset": "/s"}))
    assert values(held) == unlimited
    assert "processor: no share of its own, by weight" in held.sentences


def test_without_cgroups_a_share_is_an_affinity_and_the_words_say_so() -> None:
    nothing = Controllers(1, {})
    held = containment(share(1500, 2, 3), own_uid=True, controllers=nothing)
    assert held.affinity == (2, 3)
    assert "processor: whole CPUs only, affinity" in held.sentences
    assert containment(share(None), own_uid=True, controllers=nothing).affinity == ()
    # Nobody chose: still one CPU and no more.
    assert len(containment(share(500), own_uid=True, controllers=nothing).affinity) == 1


@pytest.mark.parametrize(("version", "name"), [(1, "cpu.shares"), (2, "cpu.weight")])
def test_weights_stay_within_what_the_kernel_takes(version: int, name: str) -> None:
    most = {"cpu.shares": 262_144, "cpu.weight": 10_000}[name]
    for cpu_milli, least in ((10, 1), (2**24, most)):
        held = containment(share(cpu_milli), own_uid=True, controllers=Controllers(version, {"cpu": "/c"}))
        assert least <= int(values(held)[name]) <= most


def test_controllers_mounted_together_share_one_cgroup() -> None:
    held = containment(share(500), own_uid=True, controllers=Controllers(1, {"memory": "/c", "cpu": "/c"}))
    assert [each.parent for each in held.cgroups] == ["/c"]
    assert len(held.cgroups[0].values) == 5


def test_a_cpuset_of_the_old_hierarchy_is_handed_down(tmp_path: Path) -> None:
    above = files(tmp_path, cpuset_cpus="0-3\n", cpuset_mems="0\n")
    ours = files(tmp_path / "practicum", cpuset_cpus="\n", cpuset_mems="\n", cpuset_sched_load_balance="1\n")
    cgroups._hand_down_cpuset(above, ours)
    assert (ours / "cpuset.cpus").read_text().strip() == "0-3"
    assert (ours / "cpuset.mems").read_text().strip() == "0"


def test_each_controller_is_handed_on_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where one is missing, which makes the kernel refuse a write that names it among others."""
    (tmp_path / "cgroup.subtree_control").touch()
    written: list[str] = []
    monkeypatch.setattr(cgroups, "write_value", lambda _path, value: written.append(value))
    cgroups._delegate(tmp_path)
    assert written == ["+memory", "+pids", "+cpu", "+cpuset"]

import resource

import pytest

from hub.sandbox import limits
from hub.sandbox.limits import Controllers, containment
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
    assert limits._own_cgroups(text) == {
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
    found = limits._cgroup_mounts(text)
    assert found["memory"] == ("/sys/fs/cgroup/memory", "/")
    assert found[""] == ("/sys/fs/cgroup", "/docker/abc")

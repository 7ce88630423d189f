"""CPUs and memory of a machine, read from trees of proc and sys as kernels lay them out."""

from pathlib import Path

import pytest

from hub.gpu.cpus import CpuEnforcement, read_cpus
from hub.sandbox.limits import cpu_enforcement

MIB = 1024 * 1024
CPUS = frozenset(range(8))


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def unified(root: Path, **inner: str) -> Path:
    files = {
        "proc/self/cgroup": "0::/system.slice/practicum.service\n",
        "proc/self/mountinfo": "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n",
        "proc/meminfo": "MemTotal:       16777216 kB\nMemFree: 1 kB\n",
    }
    own = "sys/fs/cgroup/system.slice/practicum.service"
    files |= {f"{own}/cgroup.controllers": "cpu memory pids\n"}
    files |= {f"sys/fs/cgroup/{name}": text for name, text in inner.items()}
    return tree(root, files)


def test_without_limits_all_is_there(tmp_path: Path) -> None:
    reading = read_cpus(unified(tmp_path), CPUS)
    assert (reading.cpus, reading.cpu_milli, reading.memory_mib) == (tuple(range(8)), 8000, 16_384)


def test_limits_of_every_ancestor_count(tmp_path: Path) -> None:
    root = unified(tmp_path)
    tree(
        root,
        {
            "sys/fs/cgroup/system.slice/cpu.max": "250000 100000\n",
            "sys/fs/cgroup/system.slice/practicum.service/cpu.max": "max 100000\n",
            "sys/fs/cgroup/system.slice/memory.max": f"{4096 * MIB}\n",
            "sys/fs/cgroup/system.slice/practicum.service/memory.max": "max\n",
        },
    )
    reading = read_cpus(root, CPUS)
    assert (reading.cpu_milli, reading.memory_mib) == (2500, 4096)


def test_fewer_allowed_cpus_than_the_quota(tmp_path: Path) -> None:
    root = tree(unified(tmp_path), {"sys/fs/cgroup/system.slice/practicum.service/cpu.max": "900000 100000\n"})
    assert read_cpus(root, frozenset({3})).cpu_milli == 1000


def test_what_holds_a_share_is_what_the_sandbox_found_to_hold(tmp_path: Path) -> None:
    """One answer for the page and for the server: two ways of finding out would differ some day."""
    assert read_cpus(unified(tmp_path), CPUS).enforcement is cpu_enforcement()
    assert read_cpus(unified(tmp_path), CPUS, CpuEnforcement.QUOTA_V2).enforcement is CpuEnforcement.QUOTA_V2


def version_1(root: Path) -> Path:
    return tree(
        root,
        {
            "proc/self/cgroup": "5:cpuset:/\n4:memory:/jobs/7\n3:cpu,cpuacct:/jobs/7\n0::/\n",
            "proc/self/mountinfo": (
                "30 23 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
                "31 23 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                "32 23 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
            ),
            "proc/meminfo": "MemTotal:       16777216 kB\n",
            "sys/fs/cgroup/cpuset/cpuset.cpus": "0-7\n",
            "sys/fs/cgroup/memory/jobs/7/memory.limit_in_bytes": f"{2048 * MIB}\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/cpu/jobs/7/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/jobs/cpu.cfs_quota_us": "150000\n",
            "sys/fs/cgroup/cpu/jobs/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu/jobs/7/cpu.cfs_period_us": "100000\n",
        },
    )


def test_cgroup_v1_is_read_too(tmp_path: Path) -> None:
    reading = read_cpus(version_1(tmp_path), CPUS)
    assert (reading.cpu_milli, reading.memory_mib) == (1500, 2048)


def test_in_a_container_the_path_may_lie_outside_the_mount(tmp_path: Path) -> None:
    root = version_1(tmp_path)
    tree(
        root,
        {
            "proc/self/cgroup": "4:memory:/docker/abc\n",
            "proc/self/mountinfo": "31 23 0:28 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{1000 * MIB}\n",
        },
    )
    reading = read_cpus(root, CPUS)
    assert reading.memory_mib == 1000


def test_a_kernel_without_cgroups_still_has_cpus(tmp_path: Path) -> None:
    reading = read_cpus(tree(tmp_path, {"proc/meminfo": "MemTotal: 1024 kB\n"}), CPUS)
    assert (reading.cpu_milli, reading.memory_mib) == (8000, 1)


def test_this_machine_can_be_read() -> None:
    reading = read_cpus()
    assert reading.cpus
    assert 0 < reading.cpu_milli <= len(reading.cpus) * 1000
    assert reading.memory_mib > 256


@pytest.mark.parametrize("name", ["cpu.max", "memory.max"])
def test_nonsense_in_a_limit_is_no_limit(tmp_path: Path, name: str) -> None:
    root = tree(unified(tmp_path), {f"sys/fs/cgroup/system.slice/{name}": "-5 nan\n"})
    reading = read_cpus(root, CPUS)
    assert (reading.cpu_milli, reading.memory_mib) == (8000, 16_384)

import dataclasses
import json
from typing import Any

import pytest

from hub.sandbox.errors import SpecError
from hub.sandbox.spec import Limits, Link, Mount, Network, SandboxSpec, TextFile, User, Way

SPEC = SandboxSpec(
    argv=("jupyterhub-singleuser", "--port=8888"),
    environment={"JUPYTERHUB_API_TOKEN": "s3cret", "LANG": "zh_CN.UTF-8"},
    working_dir="/home/ada",
    home=Mount("/var/lib/practicum/homes/ada", "/home/ada", writable=True),
    mounts=(Mount("/usr", "/usr"), Mount("/srv/lesson", "/srv/lesson")),
    limits=Limits(memory_mib=1024, processes=200, open_files=1024, file_mib=100, tmp_mib=50),
    log_file="/var/lib/practicum/servers/ada/log",
    links=(Link("/bin", "usr/bin"),),
    files=(TextFile("/etc/passwd", "ada:x:1:1::/home/ada:/bin/sh\n"),),
    masks=("/usr/games",),
    user=User(200_001, 200_001, "ada"),
    network=Network((Way(8081, ("127.0.0.1", 20_001)), Way(8082, ("127.0.0.1", 20_002))), 8888),
    outcome_file="/var/lib/practicum/servers/ada/outcome.json",
)


def test_a_spec_survives_json() -> None:
    assert SandboxSpec.from_dict(json.loads(json.dumps(SPEC.to_dict()))) == SPEC


def test_a_spec_without_the_optional_parts_survives_json() -> None:
    bare = dataclasses.replace(
        SPEC, user=None, network=None, home=None, links=(), files=(), masks=(), outcome_file=None, working_dir="/"
    )
    assert SandboxSpec.from_dict(json.loads(json.dumps(bare.to_dict()))) == bare


def test_a_share_of_the_processor_survives_json() -> None:
    share = dataclasses.replace(SPEC, limits=dataclasses.replace(SPEC.limits, cpu_milli=1500, cpus=(2, 3)))
    assert SandboxSpec.from_dict(json.loads(json.dumps(share.to_dict()))) == share


def test_a_spec_of_before_there_were_shares_has_none() -> None:
    data = SPEC.to_dict()
    data["limits"] = {name: value for name, value in data["limits"].items() if name not in {"cpu_milli", "cpus"}}
    assert SandboxSpec.from_dict(data) == SPEC


@pytest.mark.parametrize(
    "change",
    [
        {"cpu_milli": 0},
        {"cpu_milli": 9},
        {"cpu_milli": -500},
        {"cpu_milli": 1.5},
        {"cpu_milli": True},
        {"cpu_milli": float("nan")},
        {"cpu_milli": 10**12},
        {"cpus": (0,)},
        {"cpu_milli": 1000, "cpus": (-1,)},
        {"cpu_milli": 1000, "cpus": (0, 0)},
        {"cpu_milli": 1000, "cpus": ("0",)},
        {"cpu_milli": 1000, "cpus": [0]},
    ],
)
def test_a_share_of_the_processor_is_a_size_the_kernel_takes(change: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=r"limits\.cpu"):
        dataclasses.replace(SPEC.limits, **change)


def test_secrets_are_not_in_the_representation() -> None:
    assert "s3cret" not in repr(SPEC)


@pytest.mark.parametrize("path", ["relative", "", "/a/../b", "/a/./b", "/a//b", "/a/", "//a", "/a\0b", "/.."])
def test_paths_are_absolute_and_normal(path: str) -> None:
    with pytest.raises(SpecError):
        Mount(path, "/a")
    with pytest.raises(SpecError):
        Mount("/a", path)


@pytest.mark.parametrize(
    "target", ["/", "/proc", "/proc/self", "/dev/shm", "/sys", "/run/practicum", "/run/practicum/x"]
)
def test_what_the_sandbox_makes_itself_is_no_target(target: str) -> None:
    for make in (lambda: Mount("/a", target), lambda: Link(target, "x"), lambda: TextFile(target, "x")):
        with pytest.raises(SpecError, match="the sandbox's own"):
            make()


@pytest.mark.parametrize(
    "change",
    [
        {"mounts": (Mount("/srv/lesson", "/home/ada/lesson"),)},
        {"files": (TextFile("/home/ada/.bashrc", ""),)},
        {"links": (Link("/home/ada/link", "x"),)},
        {"masks": ("/home/ada/.ssh",)},
        {"home": None, "mounts": (Mount("/a", "/a", writable=True), Mount("/b", "/a/b"))},
    ],
)
def test_nothing_is_put_where_the_program_can_leave_links(change: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="which the program can write"):
        dataclasses.replace(SPEC, **change)


def test_a_name_that_only_begins_alike_is_not_beneath() -> None:
    dataclasses.replace(SPEC, mounts=(Mount("/srv", "/home/adam"),))


def test_a_target_is_used_once() -> None:
    with pytest.raises(SpecError, match="used twice"):
        dataclasses.replace(SPEC, masks=("/usr",))


@pytest.mark.parametrize("field", ["memory_mib", "processes", "open_files", "file_mib", "tmp_mib"])
@pytest.mark.parametrize("value", [0, -1, True, 1.5, "1", None])
def test_limits_are_whole_and_positive(field: str, value: Any) -> None:
    with pytest.raises(SpecError, match=f"limits.{field}"):
        dataclasses.replace(SPEC.limits, **{field: value})


@pytest.mark.parametrize(
    ("uid", "gid", "name"),
    [
        (0, 1, "a"),
        (1, 0, "a"),
        (-1, 1, "a"),
        (2**32 - 1, 1, "a"),
        (1, 2**32 - 1, "a"),
        (1, 1, "a:b"),
        (1, 1, "a\nroot"),
        (1, 1, ""),
    ],
)
def test_users_are_neither_root_nor_strange(uid: int, gid: int, name: str) -> None:
    with pytest.raises(SpecError, match=r"user\."):
        User(uid, gid, name)


@pytest.mark.parametrize(
    ("hub_port", "address", "server_port"),
    [
        (80, ("127.0.0.1", 1), 8888),
        (8081, ("localhost", 1), 8888),
        (8081, ("127.0.0.1", 0), 8888),
        (8081, ("127.0.0.1", 1), 8081),
        (8081, ("127.0.0.1",), 8888),
        (8081, ("127.0.0.1", 1), 70_000),
    ],
)
def test_networks_are_checked(hub_port: int, address: Any, server_port: int) -> None:
    with pytest.raises(SpecError, match=r"network\."):
        Network((Way(hub_port, address),), server_port)


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("argv", {"argv": ()}),
        ("argv", {"argv": ("",)}),
        ("argv", {"argv": ("a\0b",)}),
        ("environment", {"environment": {"A=B": "x"}}),
        ("environment", {"environment": {"": "x"}}),
        ("environment.A", {"environment": {"A": "x\0"}}),
        ("environment.A", {"environment": {"A": 1}}),
        ("working_dir", {"working_dir": "home"}),
        ("log_file", {"log_file": "../log"}),
        ("outcome_file", {"outcome_file": "outcome"}),
        ("log_mib", {"log_mib": 0}),
        ("stop_grace_s", {"stop_grace_s": -1}),
    ],
)
def test_the_rest_is_checked_and_named(where: str, change: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as refused:
        dataclasses.replace(SPEC, **change)
    assert refused.value.fields["where"] == where


def _stored(**changes: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(SPEC.to_dict())), **changes}


@pytest.mark.parametrize(
    "stored",
    [
        _stored(mount=[]),
        _stored(limits={"memory_mib": 1}),
        _stored(limits={**SPEC.to_dict()["limits"], "gpus": 1}),
        _stored(home={"source": "/a", "target": "/b", "writeable": True}),
        _stored(mounts={"source": "/a"}),
        _stored(argv="sh"),
        _stored(environment=["A=b"]),
        _stored(user={"uid": 5}),
        _stored(network=[]),
        {key: value for key, value in _stored().items() if key != "limits"},
        [],
        None,
    ],
)
def test_unknown_missing_and_misshapen_keys_are_refused(stored: Any) -> None:
    with pytest.raises(SpecError):
        SandboxSpec.from_dict(stored)

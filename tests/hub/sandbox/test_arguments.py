"""What bubblewrap is told, in full: a change of what a sandbox sees must be seen here."""

import dataclasses

import pytest

from hub.sandbox import descriptors, init
from hub.sandbox.arguments import bubblewrap_arguments, init_command
from hub.sandbox.errors import SpecError
from hub.sandbox.spec import Mount, SandboxSpec
from tests.hub.sandbox.test_spec import SPEC

SEEN = [
    "--unshare-ipc",
    "--unshare-pid",
    "--unshare-net",
    "--unshare-uts",
    "--unshare-cgroup-try",
    "--hostname",
    "practicum",
    "--new-session",
    "--as-pid-1",
    "--info-fd",
    "12",
    "--block-fd",
    "13",
    "--seccomp",
    "10",
    "--proc",
    "/proc",
    "--ro-bind",
    "/dev/null",
    "/proc/keys",
    "--dev",
    "/dev",
    "--perms",
    "1777",
    "--size",
    "52428800",
    "--tmpfs",
    "/dev/shm",
    "--perms",
    "1777",
    "--size",
    "52428800",
    "--tmpfs",
    "/tmp",
    "--perms",
    "0755",
    "--dir",
    "/run",
    "--perms",
    "1777",
    "--size",
    "16777216",
    "--tmpfs",
    "/run/user",
    "--perms",
    "0755",
    "--dir",
    "/run/practicum",
    "--ro-bind",
    "/lib/init.py",
    "/run/practicum/init.py",
    "--symlink",
    "usr/bin",
    "/bin",
    "--perms",
    "0755",
    "--dir",
    "/etc",
    "--perms",
    "0644",
    "--file",
    "20",
    "/etc/passwd",
    "--perms",
    "0755",
    "--dir",
    "/home",
    "--bind",
    "/var/lib/practicum/homes/ada",
    "/home/ada",
    "--perms",
    "0755",
    "--dir",
    "/srv",
    "--ro-bind",
    "/srv/lesson",
    "/srv/lesson",
    "--ro-bind",
    "/usr",
    "/usr",
    "--perms",
    "0555",
    "--size",
    "4096",
    "--tmpfs",
    "/usr/games",
    "--remount-ro",
    "/usr/games",
    "--remount-ro",
    "/dev",
    "--remount-ro",
    "/",
]


def arguments(spec: SandboxSpec, *, privileged: bool) -> list[str]:
    return bubblewrap_arguments(spec, privileged=privileged, init_file="/lib/init.py", proc_files=("/proc/keys",))


def test_as_root_there_is_no_user_namespace_and_three_capabilities_for_the_init() -> None:
    kept = ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP"]
    assert arguments(SPEC, privileged=True) == kept + SEEN


def test_as_an_ordinary_user_there_is_a_user_namespace_and_none_after_it() -> None:
    ordinary = dataclasses.replace(SPEC, user=None)
    assert arguments(ordinary, privileged=False) == ["--unshare-user", "--disable-userns", *SEEN]


def test_parents_come_before_what_lies_in_them() -> None:
    spec = dataclasses.replace(SPEC, mounts=(Mount("/c", "/opt/a/b/c"), Mount("/a", "/opt/a")), masks=("/opt/a/b",))
    found = arguments(spec, privileged=True)
    assert found.index("/opt/a") < found.index("/opt/a/b") < found.index("/opt/a/b/c")
    assert "/opt" in found[: found.index("/opt/a")]


def test_nothing_of_the_environment_or_the_program_is_an_argument() -> None:
    text = " ".join([*arguments(SPEC, privileged=True), *init_command("/usr/bin/python3")])
    assert "s3cret" not in text
    assert "singleuser" not in text


@pytest.mark.parametrize("privileged", [True, False])
def test_who_starts_and_who_it_becomes_must_fit(privileged: bool) -> None:
    spec = dataclasses.replace(SPEC, user=None if privileged else SPEC.user)
    with pytest.raises(SpecError, match="user"):
        arguments(spec, privileged=privileged)


def test_the_init_knows_the_agreed_descriptors() -> None:
    assert (init.CONTROL_FD, init.ERRAND_FD) == (descriptors.CONTROL, descriptors.ERRAND)

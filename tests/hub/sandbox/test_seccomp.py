"""The filter, run by a small interpreter of classic BPF for both architectures, beside the real kernel's `test_attempts`."""

import errno
import os
import struct

import pytest

from hub.sandbox.bpf import ALLOW, KILL_PROCESS, MAX_INSTRUCTIONS
from hub.sandbox.seccomp import GROUPS, ArchitectureError, filter_program

X86_64, AARCH64, I386 = 0xC000_003E, 0xC000_00B7, 0x4000_0003
MACHINES = {"x86_64": X86_64, "aarch64": AARCH64}


def run(program: bytes, arch: int, number: int, *arguments: int) -> int:
    """What the kernel would return for one call (struct seccomp_data: nr, arch, instruction pointer, six arguments)."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number & 0xFFFF_FFFF, arch, 0, *(value & (2**64 - 1) for value in padded))
    accumulator, at = 0, 0
    while True:
        code, on_true, on_false, value = struct.unpack_from("<HBBI", program, 8 * at)
        at += 1
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, value)[0]
        elif code == 0x06:
            return int(value)
        else:
            holds = {0x15: accumulator == value, 0x25: accumulator > value, 0x45: bool(accumulator & value)}[code]
            at += on_true if holds else on_false


def answer(machine: str, number: int, *arguments: int) -> str:
    result = run(filter_program(machine), MACHINES[machine], number, *arguments)
    if result == ALLOW:
        return "allowed"
    return "killed" if result == KILL_PROCESS else errno.errorcode[result & 0xFFFF]


UNCONDITIONAL = [
    (machine, call.name, number, errno.errorcode[call.errno])
    for group in GROUPS
    for call in group.calls
    for machine, number in (("x86_64", call.x86_64), ("aarch64", call.aarch64))
    if number is not None and not call.conditions
]


@pytest.mark.parametrize(("machine", "name", "number", "code"), UNCONDITIONAL)
def test_refuses(machine: str, name: str, number: int, code: str) -> None:
    assert answer(machine, number, 2**64 - 1, 2**64 - 1) == code, name
    assert answer(machine, number) == code, name


NEW = {"user": 0x1000_0000, "net": 0x4000_0000, "mount": 0x0002_0000, "cgroup": 0x0200_0000, "pid": 0x2000_0000}
HIGH = 1 << 32


@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        *(("clone", (flag | 17,), "EPERM") for flag in NEW.values()),
        ("clone", (NEW["user"] | HIGH,), "EPERM"),
        ("clone", (0x003D_0F00,), "allowed"),  # a thread, as glibc makes it
        ("clone", (0x0120_0011,), "allowed"),  # fork
        ("clone", (0x4111,), "allowed"),  # vfork, as posix_spawn uses it
        ("ioctl", (0, 0x5412), "EPERM"),
        ("ioctl", (0, 0x5412 | HIGH), "EPERM"),
        ("ioctl", (0, 0x541C), "EPERM"),
        ("ioctl", (0, 0x5413), "allowed"),  # TIOCGWINSZ
        ("ioctl", (0x5412, 0), "allowed"),
        ("personality", (0xFFFF_FFFF,), "allowed"),
        ("personality", (0,), "allowed"),
        ("personality", (0x8,), "allowed"),
        ("personality", (0x0040_0000,), "EPERM"),
        ("personality", (0x0040_0000 | HIGH,), "EPERM"),
        ("socket", (1, 1), "allowed"),
        ("socket", (2, 1), "allowed"),
        ("socket", (10, 2), "allowed"),
        ("socket", (16, 3, 0), "allowed"),
        ("socket", (16, 3, 12), "EPROTONOSUPPORT"),
        ("socket", (2, 3, 12), "allowed"),
        ("socket", (40, 1), "EAFNOSUPPORT"),
        ("socket", (40 | HIGH, 1), "EAFNOSUPPORT"),
        ("socket", (38, 5), "EAFNOSUPPORT"),
        ("socketpair", (1, 1), "allowed"),
        ("socketpair", (30, 1), "EAFNOSUPPORT"),
        ("read", (0,), "allowed"),
        ("execve", (0,), "allowed"),
        ("futex", (0,), "allowed"),
        ("a call of a newer kernel", (0,), "ENOSYS"),
        ("none", (0,), "ENOSYS"),
    ],
)
@pytest.mark.parametrize("machine", MACHINES)
def test_looks_at_arguments(machine: str, call: str, arguments: tuple[int, ...], expected: str) -> None:
    numbers = {
        "clone": (56, 220),
        "ioctl": (16, 29),
        "personality": (135, 92),
        "socket": (41, 198),
        "socketpair": (53, 199),
        "read": (0, 63),
        "execve": (59, 221),
        "futex": (202, 98),
        "a call of a newer kernel": (470, 470),
        "none": (-1, -1),
    }
    assert answer(machine, numbers[call][machine == "aarch64"], *arguments) == expected


@pytest.mark.parametrize("machine", MACHINES)
def test_an_affinity_is_a_program_s_own_unless_it_is_what_holds_its_share(machine: str) -> None:
    number = 203 if machine == "x86_64" else 122
    held = filter_program(machine, affinity_holds=True)
    assert answer(machine, number) == "allowed"
    assert run(held, MACHINES[machine], number) & 0xFFFF == errno.EPERM
    assert run(held, MACHINES[machine], number + 1) == ALLOW  # asking for it
    assert run(held, MACHINES[machine], 272 if machine == "x86_64" else 97) & 0xFFFF == errno.EPERM


def test_an_x32_call_does_not_slip_by() -> None:
    assert answer("x86_64", 0x4000_0000 | 272) == "ENOSYS"


@pytest.mark.parametrize("machine", MACHINES)
def test_another_architecture_is_killed(machine: str) -> None:
    assert run(filter_program(machine), I386, 20) == KILL_PROCESS


@pytest.mark.parametrize("machine", MACHINES)
def test_is_a_whole_program_the_kernel_takes(machine: str) -> None:
    program = filter_program(machine)
    assert len(program) % 8 == 0
    assert len(program) // 8 <= MAX_INSTRUCTIONS


def test_numbers_are_those_of_this_machines_headers() -> None:
    found = _numbers_in_headers()
    if not found:
        pytest.skip("the kernel's headers are not installed here")
    wrong = [
        (call.name, call.x86_64, found[call.name])
        for group in GROUPS
        for call in group.calls
        if call.name in found and call.x86_64 != found[call.name]
    ]
    assert wrong == []


def _numbers_in_headers() -> dict[str, int]:
    path = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"
    if not os.path.exists(path):  # noqa: PTH110
        return {}
    with open(path, encoding="ascii") as file:  # noqa: PTH123
        words = [line.split() for line in file if line.startswith("#define __NR_")]
    return {word[1].removeprefix("__NR_"): int(word[2]) for word in words if len(word) == 3}


def test_an_unknown_processor_is_refused_in_a_sentence() -> None:
    with pytest.raises(ArchitectureError, match="riscv64"):
        filter_program("riscv64")


def test_every_group_says_why() -> None:
    assert all(len(group.reason) > 20 and group.calls for group in GROUPS)

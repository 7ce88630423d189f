"""Classic BPF for seccomp, assembled in plain Python: a list of rules in, the kernel's program out.

Source: linux/filter.h, linux/seccomp.h, and the kernel's Documentation/userspace-api/seccomp_filter.rst.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

ALLOW = 0x7FFF_0000
KILL_PROCESS = 0x8000_0000
_ERRNO = 0x0005_0000

_LOAD, _RETURN = 0x20, 0x06
_JUMP_EQUAL, _JUMP_GREATER, _JUMP_ANY_BIT = 0x15, 0x25, 0x45

_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
"""Offsets in struct seccomp_data: nr, arch, instruction pointer, six 64-bit arguments."""

MAX_INSTRUCTIONS = 4096


@dataclass(frozen=True, slots=True)
class AnyBit:
    """Holds if the argument's low 32 bits share a bit with `mask`."""

    argument: int
    mask: int


@dataclass(frozen=True, slots=True)
class OneOf:
    """Holds if the argument's low 32 bits are one of `values`.

    The kernel takes these arguments as `int`: a program that fills the upper half must not slip by (CVE-2019-10063).
    """

    argument: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NoneOf:
    """Holds if the argument's low 32 bits are none of `values`."""

    argument: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """System call `number` fails with `errno` when every condition holds; always, where there is none."""

    number: int
    errno: int
    conditions: tuple[AnyBit | OneOf | NoneOf, ...] = ()


_Instruction = tuple[int, int, int, int]


def assemble(arch: int, newest: int, newest_errno: int, rules: Iterable[Rule]) -> bytes:
    """The program for one architecture (AUDIT_ARCH_*), little-endian, ready for `bwrap --seccomp`.

    Calls from another architecture kill the process; calls above `newest` fail with `newest_errno`; then the rules are
    tried in order and the first that holds decides; all else is allowed.
    """
    program: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCH_AT),
        (_JUMP_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_JUMP_GREATER, 0, 1, newest),
        (_RETURN, 0, 0, _ERRNO | newest_errno),
    ]
    for rule in rules:
        program += _assemble_rule(rule)
    program.append((_RETURN, 0, 0, ALLOW))
    if len(program) > MAX_INSTRUCTIONS:
        raise ValueError(f"{len(program)} instructions are more than the kernel takes")
    return b"".join(struct.pack("<HBBI", *each) for each in program)


def _assemble_rule(rule: Rule) -> list[_Instruction]:
    refuse: _Instruction = (_RETURN, 0, 0, _ERRNO | rule.errno)
    if not rule.conditions:
        return [(_JUMP_EQUAL, 0, 1, rule.number), refuse]
    # Built from the end: each condition jumps over all that follows it when it does not hold. The number is loaded
    # again at the end, because the conditions have overwritten it for the rules to come.
    body: list[_Instruction] = [refuse]
    for condition in reversed(rule.conditions):
        body = _assemble_condition(condition, skip=len(body)) + body
    return [(_JUMP_EQUAL, 0, len(body) + 1, rule.number), *body, (_LOAD, 0, 0, _NUMBER_AT)]


def _assemble_condition(condition: AnyBit | OneOf | NoneOf, skip: int) -> list[_Instruction]:
    load: _Instruction = (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * condition.argument)
    if isinstance(condition, AnyBit):
        return [load, (_JUMP_ANY_BIT, 0, skip, condition.mask)]
    count = len(condition.values)
    tests: list[_Instruction] = []
    for index, value in enumerate(condition.values):
        rest = count - index - 1
        if isinstance(condition, NoneOf):
            tests.append((_JUMP_EQUAL, rest + skip, 0, value))
        else:
            tests.append((_JUMP_EQUAL, rest, 0 if rest else skip, value))
    return [load, *tests]

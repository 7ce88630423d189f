"""Which system calls sandboxed code is refused, and why; assembled for the machine at hand.

A deny list: notebooks run arbitrary numerical code, and what an allow list forgets breaks a lesson. What is refused is
what namespaces do not cover, what has often been a way out of them, and what no course needs. Compared with Docker's
default profile (moby/profiles/seccomp/default.json) when written.
"""

import errno
import platform
from dataclasses import dataclass

from hub.sandbox.bpf import AnyBit, NoneOf, OneOf, Rule, assemble
from hub.sandbox.errors import SandboxError

_NEWEST_KNOWN = 469
"""file_setattr (Linux 6.17). Newer calls look like those of a newer kernel, until someone has read what they do."""

_CLONE_NEW = 0x7E02_0000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; NEWTIME cannot be asked of clone()."""

_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_HARMLESS_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFF_FFFF)
"""PER_LINUX, PER_LINUX32, UNAME26, both, and the question which it is. READ_IMPLIES_EXEC and the like are out."""

_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_NETLINK_ROUTE = 0
_OTHER_FAMILY = NoneOf(0, (_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK))


class ArchitectureError(SandboxError):
    """This processor's system call numbers are not known here."""

    code = "sandbox-architecture-unknown"
    sentence = "Sandboxes work on x86_64 and aarch64 machines; this one is %(machine)s."


@dataclass(frozen=True, slots=True)
class _Call:
    """One system call: its numbers (None: does not exist there), the error, and the condition if it is refused in part."""

    name: str
    x86_64: int | None
    aarch64: int | None
    errno: int = errno.EPERM
    conditions: tuple[AnyBit | OneOf | NoneOf, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Calls refused for the same reason."""

    reason: str
    calls: tuple[_Call, ...]


def _same(name: str, number: int, code: int = errno.EPERM) -> _Call:
    """Calls since Linux 5.1 have one number everywhere."""
    return _Call(name, number, number, code)


GROUPS = (
    Group(
        "A namespace of one's own gives capabilities in it, and most ways out of containers began there.",
        (
            _Call("unshare", 272, 97),
            _Call("setns", 308, 268),
            _Call("clone", 56, 220, conditions=(AnyBit(0, _CLONE_NEW),)),
            # Its flags lie behind a pointer, which a filter cannot follow; glibc falls back to clone on ENOSYS.
            _same("clone3", 435, errno.ENOSYS),
        ),
    ),
    Group(
        "Mounting would uncover what is hidden; the newer calls need no path that an older filter would look at.",
        (
            _Call("mount", 165, 40),
            _Call("umount2", 166, 39),
            _Call("pivot_root", 155, 41),
            _Call("chroot", 161, 51),
            _same("open_tree", 428),
            _same("move_mount", 429),
            _same("fsopen", 430),
            _same("fsconfig", 431),
            _same("fsmount", 432),
            _same("fspick", 433),
            _same("mount_setattr", 442),
            _same("open_tree_attr", 467),
        ),
    ),
    Group(
        "Keyrings are not namespaced: as an ordinary user, all sandboxes share one with the person who runs the centre.",
        (_Call("keyctl", 250, 219), _Call("add_key", 248, 217), _Call("request_key", 249, 218)),
    ),
    Group(
        "Large kernel interfaces with a history of exploits that no course needs; programs that probe them expect ENOSYS.",
        (
            _Call("bpf", 321, 280),
            _Call("perf_event_open", 298, 241),
            _Call("userfaultfd", 323, 282, errno.ENOSYS),
            _same("io_uring_setup", 425, errno.ENOSYS),
            _same("io_uring_enter", 426, errno.ENOSYS),
            _same("io_uring_register", 427, errno.ENOSYS),
            _same("memfd_secret", 447, errno.ENOSYS),
            _Call("fanotify_init", 300, 262),
            _Call("modify_ldt", 154, None),
            _Call("lookup_dcookie", 212, 18),
            _Call("vhangup", 153, 58),
        ),
    ),
    Group(
        "Looking into other processes: the sandbox's init and kernels share the learner's uid.",
        (
            _Call("ptrace", 101, 117),
            _Call("process_vm_readv", 310, 270),
            _Call("process_vm_writev", 311, 271),
            _Call("kcmp", 312, 272),
            _same("pidfd_getfd", 438),
        ),
    ),
    Group(
        "A file handle opens a file by its inode number, past every mount.",
        (_Call("open_by_handle_at", 304, 265), _Call("name_to_handle_at", 303, 264)),
    ),
    Group(
        "The machine is everybody's: its kernel, modules, power, swap, accounting, quota, names, log and clock.",
        (
            _Call("kexec_load", 246, 104),
            _Call("kexec_file_load", 320, 294),
            _Call("create_module", 174, None),
            _Call("init_module", 175, 105),
            _Call("finit_module", 313, 273),
            _Call("delete_module", 176, 106),
            _Call("reboot", 169, 142),
            _Call("swapon", 167, 224),
            _Call("swapoff", 168, 225),
            _Call("acct", 163, 89),
            _Call("quotactl", 179, 60),
            _same("quotactl_fd", 443),
            _Call("sethostname", 170, 161),
            _Call("setdomainname", 171, 162),
            _Call("syslog", 103, 116),
            _Call("settimeofday", 164, 170),
            _Call("clock_settime", 227, 112),
            _Call("adjtimex", 159, 171),
            _Call("clock_adjtime", 305, 266),
            _Call("iopl", 172, None),
            _Call("ioperm", 173, None),
        ),
    ),
    Group(
        "Typing into the terminal that started the centre.",
        (_Call("ioctl", 16, 29, conditions=(OneOf(1, (_TIOCSTI, _TIOCLINUX)),)),),
    ),
    Group(
        "Personalities switch protections of memory off for programs started later.",
        (_Call("personality", 135, 92, conditions=(NoneOf(0, _HARMLESS_PERSONALITIES),)),),
    ),
    Group(
        "AF_VSOCK reaches the hypervisor from every network namespace, AF_ALG the kernel's cryptography; of netlink, "
        "listing the own addresses is what programs need.",
        (
            _Call("socket", 41, 198, errno.EAFNOSUPPORT, (_OTHER_FAMILY,)),
            _Call("socketpair", 53, 199, errno.EAFNOSUPPORT, (_OTHER_FAMILY,)),
            _Call("socket", 41, 198, errno.EPROTONOSUPPORT, (OneOf(0, (_AF_NETLINK,)), NoneOf(2, (_NETLINK_ROUTE,)))),
        ),
    ),
)

AFFINITY = Group(
    "Where an affinity is what holds a share of the processor, its process must not widen it again. Libraries look at it "
    "and set it only when told to (OMP_PROC_BIND, KMP_AFFINITY), and then go on without.",
    (_Call("sched_setaffinity", 203, 122),),
)

_ARCHITECTURES = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
"""AUDIT_ARCH_*. 32-bit programs are another architecture; x32 calls have numbers far above the newest known one."""


def filter_program(machine: str | None = None, *, affinity_holds: bool = False) -> bytes:
    """The filter for `machine` (default: this one), for `bwrap --seccomp`; raises `ArchitectureError`.

    `affinity_holds`: the sandbox's share of the processor is its affinity, which then stays as it is.
    """
    machine = machine or platform.machine()
    if machine not in _ARCHITECTURES:
        raise ArchitectureError(machine=machine)
    rules = []
    for group in (*GROUPS, AFFINITY) if affinity_holds else GROUPS:
        for call in group.calls:
            number = call.x86_64 if machine == "x86_64" else call.aarch64
            if number is not None:
                rules.append(Rule(number, call.errno, call.conditions))
    return assemble(_ARCHITECTURES[machine], _NEWEST_KNOWN, errno.ENOSYS, rules)

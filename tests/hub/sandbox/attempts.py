"""Run by a test inside a sandbox (and, as a control, outside): tries what must not work and says what came of it.

`python attempts.py FACTS` prints a JSON object: attempt name to "" if it was refused, else what it got. Each attempt
runs in a process of its own; one that raises or is killed was refused. Standard library only.
"""

# ruff: noqa: PTH108, PTH110, PTH115, PTH123, PTH208, SIM115, T201 -- a script for a bare interpreter

import contextlib
import ctypes
import fcntl
import json
import mmap
import os
import platform
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

libc = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"
SYS_CLONE, SYS_IOCTL, SYS_CLONE3 = (56, 16, 435) if X86 else (220, 29, 435)

FACTS: dict[str, Any] = {}
ATTEMPTS: dict[str, Callable[[], Any]] = {}


def attempt(function: Callable[[], Any]) -> Callable[[], Any]:
    ATTEMPTS[function.__name__] = function
    return function


def checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def syscall(number: int, *arguments: Any) -> int:
    return checked(libc.syscall(ctypes.c_long(number), *arguments))


def read(path: str) -> str:
    with open(path, "rb") as file:
        return repr(file.read(4096))


# Files


@attempt
def read_a_file_of_the_host() -> str:
    return read(FACTS["host_file"])


@attempt
def read_shadow() -> str:
    return read("/etc/shadow")


@attempt
def read_another_home() -> str:
    return read(FACTS["other_home"] + "/secret")


@attempt
def list_another_home() -> str:
    return repr(os.listdir(FACTS["other_home"]))


@attempt
def see_sysfs() -> str:
    return repr(os.listdir("/sys"))


@attempt
def write_software() -> str:
    return "; ".join(
        path for path in (sys.prefix, "/usr", "/usr/bin", "/etc", "/", "/dev", "/run/practicum") if _writes(path)
    )


def _writes(directory: str) -> bool:
    path = f"{directory}/practicum-attempt"
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        os.unlink(path)
    except OSError:
        return False
    return True


@attempt
def change_the_init() -> str:
    os.close(os.open("/run/practicum/init.py", os.O_WRONLY))
    return "opened"


@attempt
def change_passwd() -> str:
    os.close(os.open("/etc/passwd", os.O_WRONLY))
    return "opened"


@attempt
def make_a_device() -> str:
    os.mknod("device", 0o600 | 0o060000, os.makedev(254, 0))
    return "made"


@attempt
def open_by_file_handle() -> str:
    handle = ctypes.create_string_buffer(b"\x80\0\0\0", 136)
    checked(libc.name_to_handle_at(-100, b"/", handle, ctypes.byref(ctypes.c_int()), 0))
    return "handle"


# Processes


@attempt
def signal_a_process_of_the_host() -> str:
    os.kill(FACTS["host_pid"], 0)
    return (
        read(f"/proc/{FACTS['host_pid']}/cmdline")
        if FACTS["marker_backwards"][::-1] in read(f"/proc/{FACTS['host_pid']}/cmdline")
        else ""
    )


@attempt
def see_processes_of_the_host() -> str:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if FACTS["marker_backwards"][::-1] in read(f"/proc/{pid}/cmdline"):
                found.append(pid)
    return " ".join(found)


@attempt
def read_environment_of_init() -> str:
    return read("/proc/1/environ")


@attempt
def read_memory_of_init() -> str:
    return read("/proc/1/mem")


@attempt
def read_memory_map_of_init() -> str:
    return read("/proc/1/maps")


@attempt
def list_descriptors_of_init() -> str:
    return repr(os.listdir("/proc/1/fd"))


@attempt
def trace_init() -> str:
    checked(libc.ptrace(16, 1, 0, 0))
    return "attached"


@attempt
def trace_a_child() -> str:
    child = os.fork()
    if child == 0:
        time.sleep(5)
        os._exit(0)
    try:
        checked(libc.ptrace(16, child, 0, 0))
        return "attached"
    finally:
        os.kill(child, signal.SIGKILL)


@attempt
def read_memory_by_process_vm() -> str:
    here, there = ctypes.create_string_buffer(8), ctypes.create_string_buffer(b"secret")
    local = (ctypes.c_void_p * 2)(ctypes.addressof(here), 6)
    remote = (ctypes.c_void_p * 2)(ctypes.addressof(there), 6)
    checked(libc.process_vm_readv(os.getpid(), local, 1, remote, 1, 0))
    return here.value.decode()


@attempt
def take_a_descriptor_of_init() -> str:
    syscall(438, os.pidfd_open(1), 14, 0)
    return "taken"


@attempt
def kill_init() -> str:
    if os.getppid() == 1 or FACTS.get("outside"):
        return ""
    for number in (signal.SIGKILL, signal.SIGSTOP):
        os.kill(1, number)
    time.sleep(0.1)
    return "" if os.path.exists("/proc/1/stat") and " T " not in read("/proc/1/stat") else "init is gone or stopped"


@attempt
def inherit_a_descriptor() -> str:
    return "; ".join(FACTS["open_at_start"])


# Rights


@attempt
def gain_root_by_a_setuid_program() -> str:
    found = subprocess.run([FACTS["setuid_program"], "-u"], capture_output=True, text=True, check=True).stdout.strip()
    return found if found == "0" else ""


@attempt
def become_root() -> str:
    os.setuid(0)
    return "root"


@attempt
def hold_capabilities() -> str:
    lines = open("/proc/self/status").read().splitlines()
    return " ".join(line for line in lines if line.startswith("Cap") and int(line.split()[1], 16))


@attempt
def gain_privileges_later() -> str:
    return "" if "NoNewPrivs:\t1" in open("/proc/self/status").read() else "no_new_privs is off"


@attempt
def belong_to_other_groups() -> str:
    return repr(os.getgroups()) if set(os.getgroups()) - {os.getgid()} - {65534} else ""


def _unshare(flag: int) -> Callable[[], str]:
    def attempted() -> str:
        checked(libc.unshare(flag))
        return "new namespace"

    return attempted


for _name, _flag in {
    "user": 0x1000_0000,
    "mount": 0x0002_0000,
    "pid": 0x2000_0000,
    "network": 0x4000_0000,
    "ipc": 0x0800_0000,
    "uts": 0x0400_0000,
    "cgroup": 0x0200_0000,
    "time": 0x80,
}.items():
    ATTEMPTS[f"unshare_{_name}_namespace"] = _unshare(_flag)


@attempt
def clone_into_a_user_namespace() -> str:
    pid = syscall(SYS_CLONE, ctypes.c_ulong(0x1000_0000 | signal.SIGCHLD), 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    return "cloned"


@attempt
def clone3_into_a_user_namespace() -> str:
    arguments = (ctypes.c_uint64 * 8)(0x1000_0000, 0, 0, 0, signal.SIGCHLD)
    pid = syscall(SYS_CLONE3, arguments, ctypes.c_size_t(64))
    if pid == 0:
        os._exit(0)
    return "cloned"


@attempt
def enter_the_namespace_of_init() -> str:
    checked(libc.setns(os.open("/proc/self/ns/user", os.O_RDONLY), 0))
    return "entered"


@attempt
def mount_a_file_system() -> str:
    checked(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))
    return "mounted"


@attempt
def mount_with_the_new_calls() -> str:
    return f"fsopen {syscall(430, b'tmpfs', 0)}"


@attempt
def open_a_tree() -> str:
    return f"open_tree {syscall(428, -100, b'/', 1)}"


@attempt
def unmount() -> str:
    checked(libc.umount2(b"/tmp", 2))
    return "unmounted"


@attempt
def change_root() -> str:
    os.chroot("/tmp")
    return "changed"


# The kernel's own


@attempt
def add_a_key() -> str:
    return str(syscall(248 if X86 else 217, b"user", b"practicum", b"x", ctypes.c_size_t(1), -4))


@attempt
def list_keys() -> str:
    return read("/proc/keys")


@attempt
def read_the_kernel_log() -> str:
    return str(checked(libc.klogctl(10, None, 0)))


@attempt
def set_the_host_name() -> str:
    socket.sethostname("taken")
    return "set"


@attempt
def set_a_sysctl() -> str:
    os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))
    return "opened"


@attempt
def trigger_sysrq() -> str:
    os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY))
    return "opened"


@attempt
def set_the_clock() -> str:
    time.clock_settime(time.CLOCK_REALTIME, time.time())
    return "set"


@attempt
def use_io_uring() -> str:
    return str(syscall(425, 1, ctypes.create_string_buffer(120)))


@attempt
def use_userfaultfd() -> str:
    return str(syscall(323 if X86 else 282, 1))


@attempt
def use_bpf() -> str:
    return str(syscall(321 if X86 else 280, 0, (ctypes.c_uint32 * 32)(2, 4, 4, 1), 128))


@attempt
def use_perf_events() -> str:
    event = (ctypes.c_uint32 * 32)(1, 128)
    return str(syscall(298 if X86 else 241, event, 0, -1, -1, 0))


@attempt
def make_memory_executable_for_all_programs() -> str:
    checked(libc.personality(0x0400000))
    return "READ_IMPLIES_EXEC"


@attempt
def use_a_call_newer_than_known() -> str:
    # Answered ENOSYS by old kernels too; here it is the filter that says so.
    return str(syscall(470, 0))


@attempt
def make_a_32_bit_call() -> str:
    if not X86:
        raise OSError("only on x86_64")
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\0\0\0\xcd\x80\xc3")  # mov eax, 20 (getpid); int 0x80; ret
    entry = ctypes.addressof(ctypes.c_char.from_buffer(code))
    pid = ctypes.CFUNCTYPE(ctypes.c_int)(entry)()
    return str(pid) if pid > 0 else ""


# Terminals


def _type_into_terminal(request: int) -> str:
    _, terminal = pty.openpty()
    fcntl.ioctl(terminal, 0x540E, 0)  # TIOCSCTTY
    syscall(SYS_IOCTL, terminal, ctypes.c_ulong(request), ctypes.c_char_p(b"x"))
    return "typed"


@attempt
def type_into_a_terminal() -> str:
    os.setsid()
    return _type_into_terminal(0x5412)


@attempt
def type_into_a_terminal_with_high_bits() -> str:
    os.setsid()
    return _type_into_terminal(0x1_0000_5412)


@attempt
def keep_the_terminal_of_the_starter() -> str:
    return str(os.open("/dev/tty", os.O_RDWR))


# Sockets


def _connect(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        return repr(connection.recv(64))


@attempt
def reach_a_port_of_the_host() -> str:
    return _connect(FACTS["host_port"])


@attempt
def reach_another_sandbox_through_its_host_port() -> str:
    return _connect(FACTS["other_host_port"])


@attempt
def reach_another_sandbox_through_its_inside_port() -> str:
    return _connect(FACTS["other_inside_port"])


@attempt
def reach_an_abstract_socket_of_the_host() -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0" + FACTS["abstract"])
        return "connected"


@attempt
def reach_a_socket_file_of_the_host() -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(FACTS["socket_file"])
        return "connected"


@attempt
def reach_the_network() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return "routed"


@attempt
def have_other_interfaces() -> str:
    return " ".join(name for _, name in socket.if_nameindex() if name != "lo")


def _socket(family: int, kind: int, protocol: int = 0) -> Callable[[], str]:
    def attempted() -> str:
        socket.socket(family, kind, protocol).close()
        return "made"

    return attempted


for _name, _arguments in {
    "vsock": (40, 1),
    "alg": (38, 5),
    "packet": (17, 3),
    "raw_ip": (2, 3, 1),
    "netlink_netfilter": (16, 3, 12),
    "netlink_audit": (16, 3, 9),
    "can": (29, 3),
    "bluetooth": (31, 3),
}.items():
    ATTEMPTS[f"make_a_{_name}_socket"] = _socket(*_arguments)


@attempt
def make_a_vsock_socket_with_high_bits() -> str:
    return str(syscall(41 if X86 else 198, ctypes.c_ulong(0x1_0000_0028), 1, 0))


# Limits


@attempt
def raise_limits() -> str:
    import resource

    raised = []
    for name in ("RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_CORE"):
        limit = getattr(resource, name)
        _, hard = resource.getrlimit(limit)
        try:
            resource.setrlimit(limit, (hard + 1, hard + 1))
            raised.append(name)
        except (ValueError, OSError):
            continue
    return " ".join(raised)


def _open_descriptors() -> list[str]:
    found = []
    for fd in range(3, 4096):
        try:
            os.fstat(fd)
            found.append(f"{fd} {os.readlink(f'/proc/self/fd/{fd}')}")
        except OSError:
            continue
    return found


def _answer(function: Callable[[], Any]) -> str:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):  # whatever stopped it, it was stopped
            os.write(writer, (str(function()) or "").encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(pid, 0)
    return said


def main() -> None:
    FACTS.update(json.loads(sys.argv[1]), open_at_start=_open_descriptors())
    names = FACTS.get("only") or ATTEMPTS
    print(json.dumps({name: _answer(ATTEMPTS[name]) for name in names}))


if __name__ == "__main__":
    main()

"""Which process is meant: a pid alone comes back as somebody else's, a pid and its start time do not."""

import select
import signal
from os import close, pidfd_open


def start_time(pid: int) -> int | None:
    """When the process started, in clock ticks since boot (proc(5), stat, field 22); None if it is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            text = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in parentheses and may hold spaces and parentheses itself.
    fields = text[text.rindex(b")") + 2 :].split()
    return None if fields[0] in {b"Z", b"X"} else int(fields[19])


def is_running(pid: int, started: int) -> bool:
    """Whether that very process still runs."""
    return start_time(pid) == started


def open_end(pid: int, started: int) -> int | None:
    """A descriptor that means that very process for good and is readable once it has ended; None if it is gone."""
    try:
        fd = pidfd_open(pid)
    except ProcessLookupError:
        return None
    # Looked at after opening: had the number come back as another's before, the start time tells.
    if is_running(pid, started):
        return fd
    close(fd)
    return None


def send(pid: int, started: int, number: signal.Signals) -> bool:
    """Signal that very process; False if it is gone. Raises `PermissionError`."""
    fd = open_end(pid, started)
    if fd is None:
        return False
    try:
        signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        return False
    else:
        return True
    finally:
        close(fd)


def wait_gone(pid: int, started: int, timeout_s: float) -> bool:
    """Whether that very process has ended within `timeout_s`; it need not be a child."""
    fd = open_end(pid, started)
    if fd is None:
        return True
    try:
        # Not select(): a process with many files open may have a descriptor above its limit of 1024.
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(max(0.0, timeout_s) * 1000))
    finally:
        close(fd)

"""Whether a port is free for one of our processes, and who has it if not."""

import errno
import os
import socket

import psutil

from hub.supervisor.errors import AddressUnusableError, PortTakenError


def require_free(host: str, port: int, remedy: str) -> None:
    """Raise `PortTakenError` or `AddressUnusableError` unless a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the real servers do: connections of an ended process in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except (OSError, OverflowError) as exc:
            if isinstance(exc, OSError) and exc.errno == errno.EADDRINUSE:
                raise PortTakenError(host=host, port=port, owner=owner_of(port), remedy=remedy) from exc
            cause = os.strerror(exc.errno) if isinstance(exc, OSError) and exc.errno else str(exc)
            raise AddressUnusableError(host=host, port=port, cause=cause) from exc


def owner_of(port: int) -> str:
    """The program that listens on a TCP port, as far as this user may know."""
    try:
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port and each.pid:
                return f"{psutil.Process(each.pid).name()} (process {each.pid})"
    except psutil.Error:
        pass
    return "another program"

"""Tells systemd that the centre is ready, where systemd asked to be told (`Type=notify`)."""

import os
import socket


def notify(message: str) -> None:
    """Send one state (`READY=1`, `STOPPING=1`) to the service manager; nothing where there is none. See sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # An address that starts with @ is in the abstract namespace.
    target = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        try:
            out.sendto(message.encode(), target)
        except OSError:
            # A manager that went away is no reason to end a centre.
            return

"""Where the centre's own processes listen on this machine: chosen once, so that running servers find the hub again."""

import json
import random
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from hub.errors import StateError

_CHOICES = range(20_000, 30_000)
"""Below Linux's ephemeral range (32768 on): nobody's outgoing connection sits on one of these after a restart."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Loopback TCP ports."""

    hub: int
    practicum: int
    proxy_api: int

    @property
    def hub_api_url(self) -> str:
        return f"http://127.0.0.1:{self.hub}/hub/api"

    @property
    def practicum_url(self) -> str:
        return f"http://127.0.0.1:{self.practicum}"

    @property
    def proxy_api_url(self) -> str:
        return f"http://127.0.0.1:{self.proxy_api}"


def load_or_choose_addresses(path: Path) -> Addresses:
    """The ports in `path`, chosen free and written there on first use."""
    try:
        return Addresses(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        pass
    except (OSError, ValueError, TypeError) as exc:
        raise StateError("%(path)s is damaged; delete it while the centre is stopped.", path=path) from exc
    chosen = Addresses(*_free_ports(3))
    path.write_text(json.dumps(asdict(chosen)) + "\n", encoding="utf-8")
    return chosen


def _free_ports(count: int) -> list[int]:
    # Held open together until all are found, so that no port is found twice.
    held: list[socket.socket] = []
    try:
        for port in random.sample(_CHOICES, len(_CHOICES)):
            probe = socket.socket()
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                probe.close()
                continue
            held.append(probe)
            if len(held) == count:
                return [each.getsockname()[1] for each in held]
        raise StateError("No free port between 20000 and 29999 on this machine.")
    finally:
        for probe in held:
            probe.close()

"""Where the centre's own processes listen on this machine: chosen once, so that running servers find the hub again."""

import json
import random
import socket
from dataclasses import asdict, dataclass, fields
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
    grader: int

    @property
    def hub_api_url(self) -> str:
        return f"http://127.0.0.1:{self.hub}/hub/api"

    @property
    def practicum_url(self) -> str:
        return f"http://127.0.0.1:{self.practicum}"

    @property
    def grader_url(self) -> str:
        return f"http://127.0.0.1:{self.grader}"

    @property
    def proxy_api_url(self) -> str:
        return f"http://127.0.0.1:{self.proxy_api}"


def load_or_choose_addresses(path: Path) -> Addresses:
    """The ports in `path`. Those an older version did not know, at first all, are chosen free and written there."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        stored = {}
    except (OSError, ValueError) as exc:
        raise _damaged(path) from exc
    if not isinstance(stored, dict) or not all(type(port) is int for port in stored.values()):
        raise _damaged(path)
    missing = [each.name for each in fields(Addresses) if each.name not in stored]
    try:
        found = Addresses(**stored, **dict(zip(missing, _free_ports(len(missing)), strict=True)))
    except TypeError as exc:
        raise _damaged(path) from exc
    if missing:
        part = path.with_suffix(".part")
        part.write_text(json.dumps(asdict(found)) + "\n", encoding="utf-8")
        part.replace(path)
    return found


def _damaged(path: Path) -> StateError:
    return StateError("%(path)s is damaged; delete it while the centre is stopped.", path=path)


def _free_ports(count: int) -> list[int]:
    # Held open together until all are found, so that no port is found twice.
    held: list[socket.socket] = []
    if not count:
        return []
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

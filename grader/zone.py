"""The time zone of the centre's deadlines."""

import os
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def zone_of(name: str) -> ZoneInfo:
    """The zone of that IANA name; for no name this machine's own, UTC where it has none."""
    candidates = [name] if name else [os.environ.get("TZ", "").removeprefix(":"), _machines_zone(), "UTC"]
    for each in filter(None, candidates):
        try:
            return ZoneInfo(each)
        except (ZoneInfoNotFoundError, ValueError):
            continue
    return ZoneInfo("UTC")


def _machines_zone() -> str:
    try:
        return str(Path("/etc/localtime").resolve()).partition("/zoneinfo/")[2]
    except OSError:
        return ""

"""Demands and placements as text, for one column each: they are stored to be read back whole, never searched."""

import json
from dataclasses import fields
from functools import lru_cache

from hub.gpu.model import Demand, Engine, Placement, Share

_SETS = ("models", "pools", "engines")


@lru_cache(maxsize=1024)
def demand_to_text(demand: Demand) -> str:
    """JSON without the fields that stand at their defaults."""
    found: dict[str, object] = {}
    for each in fields(Demand):
        value = getattr(demand, each.name)
        if value != each.default:
            found[each.name] = sorted(value) if each.name in _SETS else value
    return json.dumps(found, sort_keys=True, separators=(",", ":"))


@lru_cache(maxsize=1024)
def demand_from_text(text: str) -> Demand:
    found = json.loads(text)
    for name in _SETS:
        if name in found:
            kind = Engine if name == "engines" else str
            found[name] = frozenset(kind(value) for value in found[name])
    return Demand(**found)


def placement_to_text(placement: Placement) -> str:
    shares = [
        [share.device, share.compute_milli, share.memory_mib, share.sms, share.mig, share.start]
        for share in placement.shares
    ]
    found = [placement.node, placement.cpu_milli, placement.memory_mib, shares]
    return json.dumps(found, separators=(",", ":"))


def placement_from_text(text: str) -> Placement:
    node, cpu_milli, memory_mib, shares = json.loads(text)
    return Placement(node, cpu_milli, memory_mib, tuple(Share(*share) for share in shares))

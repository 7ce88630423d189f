"""Devices as people see them, and what another look at them makes of the offers. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from hub.gpu.inventory import Changes, look_again
from hub.gpu.model import Node
from hub.leases.model import DeviceView, Lease
from hub.leases.offers import Offers


def device_views(offers: Offers, leases: Iterable[Lease]) -> list[DeviceView]:
    """Every device with the leases on it; a node's CPUs are one where CPU shares are on offer."""
    on_device: defaultdict[str, list[Lease]] = defaultdict(list)
    for lease in leases:
        if lease.placement is not None:
            devices = [share.device for share in lease.placement.shares] or [f"{lease.placement.node}/cpu"]
            for device in devices:
                on_device[device].append(lease)
    shown = [
        device
        for node in offers.nodes
        for device in (*node.devices, *((node.cpus(),) if node.pool in offers.pools else ()))
    ]
    return [DeviceView(device, tuple(on_device[device.id])) for device in shown]


def seen_again(offers: Offers, seen: Node) -> Offers:
    """The offers after another look at one node; the same object if nothing changed."""
    known = next((node for node in offers.nodes if node.id == seen.id), None)
    if known is None:
        return replace(offers, nodes=(*offers.nodes, seen))
    node, changes = look_again(known, seen)
    if changes == Changes() and replace(node, devices=known.devices) == known:
        return offers
    return replace(offers, nodes=tuple(node if one is known else one for one in offers.nodes))

"""What JupyterHub's side understands of a server plan, with shares and from a service that knows none."""

import asyncio
import json
from typing import Any

import pytest

from hub.roster_client import RosterClient, ServerPlan, ServerShare, ShareDevice
from tests.centre import free_port

PLAN = {"name": "lin.na", "uid": 200_001, "language": "zh-CN", "lessons": []}
SHARE: dict[str, Any] = {
    "lease": "l-17",
    "fence": 41,
    "profile": "h100.half",
    "pool": "h100",
    "engine": "slice",
    "node": "this",
    "cpu_milli": 1500,
    "memory_mib": 3072,
    "devices": [{"id": "GPU-1", "compute_milli": 500, "memory_mib": 40_000, "simulated": True}],
}


async def planned(answer: dict[str, Any]) -> ServerPlan:
    """The plan that the client makes of the service's answer, over a real connection."""
    body = json.dumps(answer).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    port = free_port()
    async with await asyncio.start_server(serve, "127.0.0.1", port):
        return await RosterClient(f"http://127.0.0.1:{port}", "t").plan_server("lin.na")


async def test_a_plan_carries_its_share() -> None:
    device = ShareDevice("GPU-1", 500, 40_000, simulated=True)
    share = ServerShare("l-17", 41, "h100.half", "h100", "slice", "this", 1500, 3072, (device,))
    assert (await planned(PLAN | {"share": SHARE})).share == share


async def test_what_a_newer_service_adds_is_passed_over() -> None:
    newer = SHARE | {"later": 1, "devices": [SHARE["devices"][0] | {"sms": 66}]}
    assert (await planned(PLAN | {"share": newer})).share == (await planned(PLAN | {"share": SHARE})).share


@pytest.mark.parametrize("answer", [PLAN, PLAN | {"share": None}], ids=["absent", "null"])
async def test_a_plan_without_a_share_has_none(answer: dict[str, Any]) -> None:
    assert (await planned(answer)).share is None

"""Event streams of pages that show devices, shares and places: a look at once, and again whenever something has changed."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol

from starlette.responses import StreamingResponse

STREAM_S = 60.0
"""After it the browser connects again by itself, and is asked again who it is."""
PAUSE_S = 0.7
"""Least time between two looks of one stream: at the start of a lesson every second brings many changes."""
LOOK_S = 5.0
"""Most time between two looks: estimates grow shorter, and devices busier, without anything being written."""


class Changing(Protocol):
    """What `hub.leases.desk.LeaseDesk` is to a page that watches it: `version` is another one after each change."""

    @property
    def version(self) -> int: ...

    async def changed(self, version: int, timeout_s: float) -> int: ...


class EveryTime:
    """Where nobody says that something has changed: every look comes after the same time."""

    version = 0

    async def changed(self, version: int, timeout_s: float) -> int:
        """Wait, and have seen nothing."""
        await asyncio.sleep(timeout_s)
        return version


Look = Callable[[], Awaitable[Mapping[str, object] | None]]
"""What the page is to be told now; None when there is nothing more to tell."""


def stream(watched: Changing, look: Look, *, pause_s: float = PAUSE_S, look_s: float = LOOK_S) -> StreamingResponse:
    """Server-sent events: the answer of `look`, each time it is another one, until it is None or a minute is over."""
    return StreamingResponse(
        _events(watched, look, pause_s, look_s), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


async def _events(watched: Changing, look: Look, pause_s: float, look_s: float) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + STREAM_S
    yield "retry: 1000\n\n"
    told = ""
    while loop.time() < deadline:
        version = watched.version  # before the look: what changes during it is looked at again
        found = await look()
        if found is None:
            return
        text = json.dumps(found)
        if text != told:
            told = text
            yield f"data: {text}\n\n"
        await asyncio.sleep(pause_s)
        await watched.changed(version, look_s)

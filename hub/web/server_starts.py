"""Servers being started for people who are watching a page, and what became of each start."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

from hub.errors import HubError
from hub.web.errors import HubRefusedError, HubUnreachableError
from hub.web.jupyterhub_api import JupyterHubApi, Progress, Server, ServerStatus

log = logging.getLogger(__name__)

POLL_S = 0.4
PATIENCE_S = 180.0
"""How long one event stream watches; JupyterHub itself gives up on a server after 60 s twice."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The server runs."""

    server: Server


@dataclass(frozen=True, slots=True)
class Failed:
    """The server will not run; `error` says why."""

    error: HubError


class ServerStarts:
    """Starts servers in the background and tells how far each is.

    Nothing here must survive: after a restart of this service a start goes on in JupyterHub, and `watch` finds it there.
    """

    def __init__(self, jupyterhub: JupyterHubApi) -> None:
        self._jupyterhub = jupyterhub
        self._running: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, HubError] = {}

    def begin(self, name: str) -> None:
        """Ask JupyterHub for the person's server, without waiting. A second call while one is under way does nothing."""
        if name in self._running:
            return
        self._failures.pop(name, None)
        task = asyncio.create_task(self._start(name), name=f"start {name}")
        self._running[name] = task
        task.add_done_callback(lambda _: self._running.pop(name, None))

    async def close(self) -> None:
        """Leave what is under way to JupyterHub."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def watch(self, name: str) -> AsyncIterator[Progress | Ready | Failed]:
        """Steps of the person's start, the last one `Ready` or `Failed`. A restart of JupyterHub is waited out."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while asyncio.get_running_loop().time() < deadline:
            failure = self._failures.pop(name, None)
            if failure is not None:
                yield Failed(failure)
                return
            try:
                server = await self._jupyterhub.server(name)
                if server.status is ServerStatus.RUNNING:
                    yield Ready(server)
                    return
                if server.status is ServerStatus.STARTING:
                    async for step in self._jupyterhub.progress(name):
                        if not step.failed:
                            yield step
                        elif name not in self._running:
                            yield Failed(_failure(step.message))
                            return
                elif server.status is ServerStatus.STOPPED and not self._is_under_way(name):
                    yield Failed(HubRefusedError())
                    return
            except HubUnreachableError:
                yield Progress(0, HubUnreachableError.sentence)
            await asyncio.sleep(POLL_S)
        yield Failed(HubRefusedError())

    def _is_under_way(self, name: str) -> bool:
        return name in self._running or name in self._failures

    async def _start(self, name: str) -> None:
        try:
            await self._jupyterhub.start(name)
        except HubError as exc:
            if len(self._failures) >= 1000:  # nobody came to look
                self._failures.pop(next(iter(self._failures)))
            self._failures[name] = exc
            log.warning("the server of %s did not start: %s", name, exc)


def _failure(message: str) -> HubRefusedError:
    return HubRefusedError("%(message)s", message=message) if message.endswith((".", "。")) else HubRefusedError()

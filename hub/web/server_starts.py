"""Servers being started for people who are watching a page, and what became of each start."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from hub.errors import HubError
from hub.web.errors import HubRefusedError, HubUnreachableError
from hub.web.i18n import N_
from hub.web.jupyterhub_api import JupyterHubApi, Progress, Server, ServerStatus

log = logging.getLogger(__name__)

POLL_S = 0.4
STOP_S = 60.0
"""How long a server may take to stop before it is started again; JupyterHub itself ends it the hard way sooner."""
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
        self._leases: dict[str, str] = {}
        """Of the starts under way: the lease each was asked for with."""
        self._stopping: set[str] = set()
        self._failures: dict[str, HubError] = {}

    def begin(self, name: str, *, lease: str | None = None, restart: bool = False) -> None:
        """Ask JupyterHub for the person's server, without waiting. A second call while one is under way does nothing.

        Unless it is for a `lease` the first knew nothing of: that one's plan may be made already, so it is broken off for this one.
        `restart` stops a running server first: a share takes effect only when a server starts.
        """
        current = self._running.get(name)
        if current is not None:
            if lease is None or lease == self._leases.get(name):
                return
            current.cancel()
            restart = True
        self._failures.pop(name, None)
        self._leases.pop(name, None)
        if lease is not None:
            self._leases[name] = lease
        if restart:
            self._stopping.add(name)
        task = asyncio.create_task(self._start(name), name=f"start {name}")
        self._running[name] = task
        task.add_done_callback(lambda done: self._end(name, done))

    async def abandon(self, name: str) -> None:
        """Break off a start that is under way, and forget how the last one went: the server is to be stopped."""
        self._failures.pop(name, None)
        task = self._running.get(name)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def is_stopping_first(self, name: str) -> bool:
        """Whether the server is on its way to a restart, so that one which still runs is not what was asked for."""
        return name in self._stopping

    def is_under_way(self, name: str) -> bool:
        """Whether a start was asked for whose end nobody has been told yet."""
        return name in self._running or name in self._failures

    def is_running(self, name: str) -> bool:
        """Whether a start is under way at this moment."""
        return name in self._running

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
            try:
                async with aclosing(self._look(name)) as steps:
                    async for step in steps:
                        yield step
                        if not isinstance(step, Progress):
                            return
            except HubUnreachableError:
                yield Progress(0, HubUnreachableError.sentence)
            await asyncio.sleep(POLL_S)
        yield Failed(HubRefusedError())

    async def _look(self, name: str) -> AsyncGenerator[Progress | Ready | Failed, None]:
        """What is to be seen of the start now."""
        failure = self._failures.pop(name, None)
        if failure is not None:
            yield Failed(failure)
            return
        if name in self._stopping:
            yield Progress(0, N_("Your server is stopped first. Files stay as they are."))
            return
        server = await self._jupyterhub.server(name)
        if server.status is ServerStatus.RUNNING:
            yield Ready(server)
        elif server.status is ServerStatus.STARTING:
            async for step in self._jupyterhub.progress(name):
                if not step.failed:
                    yield step
                elif name not in self._running:
                    yield Failed(_failure(step.message))
        elif server.status is ServerStatus.STOPPED and not self.is_under_way(name):
            yield Failed(HubRefusedError())

    def _end(self, name: str, done: asyncio.Task[None]) -> None:
        if self._running.get(name) is done:  # else it was broken off for another
            del self._running[name]
            self._leases.pop(name, None)
            self._stopping.discard(name)

    async def _stop_first(self, name: str) -> None:
        await self._jupyterhub.stop(name)
        deadline = asyncio.get_running_loop().time() + STOP_S
        while (await self._jupyterhub.server(name)).status is not ServerStatus.STOPPED:
            if asyncio.get_running_loop().time() > deadline:
                raise HubRefusedError
            await asyncio.sleep(POLL_S)
        self._stopping.discard(name)

    async def _start(self, name: str) -> None:
        try:
            if name in self._stopping:
                await self._stop_first(name)
            await self._jupyterhub.start(name)
        except HubError as exc:
            if len(self._failures) >= 1000:  # nobody came to look
                self._failures.pop(next(iter(self._failures)))
            self._failures[name] = exc
            log.warning("the server of %s did not start: %s", name, exc)


def _failure(message: str) -> HubRefusedError:
    return HubRefusedError("%(message)s", message=message) if message.endswith((".", "。")) else HubRefusedError()

"""The one-machine spawner: thin, so that what a server may do stands in the plan and the sandbox, not here."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from jupyterhub.spawner import Spawner, SpawnException
from markupsafe import escape
from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from hub.errors import HubError
from hub.roster_client import RosterClient, ServerPlan
from hub.sandbox.errors import SandboxError
from hub.sandbox.launch import begin_async
from hub.sandbox.running import RunningSandbox
from hub.spawn.server import INSIDE_HUB_PORT, INSIDE_SERVER_PORT, ServerHost

STOP_GRACE_S = 10.0
"""JupyterLab saves and ends its kernels on SIGTERM in well under this."""


_LOOK_S = 0.05
_LOOK_TIMEOUT_S = 2.0
_SPARE_S = 5.0
"""Less than JupyterHub's own time-out, which would count as a failure of the hub."""


class ServerSilentError(HubError):
    """The server ended, or did not answer, while it was starting."""

    code = "server-silent"
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    sentence = "Your server did not come up. Try again; if it stays so, your administrator finds the reason in its log."


class SandboxUnusableError(HubError):
    """The sandbox could not be built."""

    code = "sandbox-unusable"
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    sentence = "The centre cannot start servers at the moment. Tell your administrator: `practicum doctor` says why."


class PracticumSpawner(Spawner):
    """Starts each server in its own sandbox; the server outlives JupyterHub and is found again by pid and start time."""

    roster: RosterClient
    server_host: ServerHost
    in_words: Callable[[HubError, str | None], str] = staticmethod(lambda error, _language: str(error))
    """An error's sentence in a language, None for the centre's own. All three are set once by hub.web.hub_wiring."""

    _running: RunningSandbox | None = None
    _lease: str | None = None
    _fence: int | None = None
    _language: str | None = None
    _end: int | None = None
    """Becomes readable when the server has ended."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.port = INSIDE_SERVER_PORT
        self.ip = "127.0.0.1"
        self.hub_connect_url = f"http://127.0.0.1:{INSIDE_HUB_PORT}"
        # Nothing of the hub's own environment reaches a learner.
        self.env_keep: list[str] = []

    async def start(self) -> tuple[str, int]:
        """The host address of the new server; refuses with a sentence, never with a traceback."""
        try:
            plan = await self.roster.plan_server(self.user.name)
            self._language = plan.language
            self._running = await self._begin(plan)
        except HubError as exc:
            raise refusal(self.in_words(exc, self._language), exc.code) from exc
        except (SandboxError, OSError) as exc:
            # Its words are for the operator: they name paths of this machine.
            self.log.exception("the server of %s", self.user.name)
            raise refusal(self.in_words(SandboxUnusableError(), self._language), SandboxUnusableError.code) from exc
        host_port = self._running.host_port
        assert host_port is not None  # the spec asks for a network
        await self._until_it_answers(self._running, f"http://127.0.0.1:{host_port}{self.server.base_url}api")
        return "127.0.0.1", host_port

    async def _begin(self, plan: ServerPlan) -> RunningSandbox:
        """The plan's server, which from now on outlives this process."""
        try:
            cpus = self.server_host.reserve_cpus(plan)
            spec = self.server_host.prepare(plan, self.get_env(), cpus)
            with await begin_async(spec) as newborn:
                self._running = newborn.running
                self._lease, self._fence = (plan.share.lease, plan.share.fence) if plan.share else (None, None)
                # Before it is kept: a hub that is killed in between leaves no server, one killed later finds it again.
                self.server_host.note(plan, spec, newborn.running)
                self._store_state()
                return newborn.keep()
        except (HubError, SandboxError, OSError):
            if self._running is None and plan.share is not None:  # later, whoever ends the server gives it back
                await self._release(plan.share.lease, plan.share.fence)
            raise
        finally:
            self.server_host.release_cpus(plan)

    async def _until_it_answers(self, running: RunningSandbox, url: str) -> None:
        # JupyterHub's own look for it comes at random, ever longer steps: about a second is lost to them.
        deadline = time.monotonic() + self.start_timeout - _SPARE_S
        while running.is_served():
            # Until it listens, the keeper has nobody to connect to and drops the connection; on a machine under load it
            # may take the question and be slow to answer, which Tornado raises whatever `raise_error` says.
            with contextlib.suppress(OSError, HTTPClientError):
                answer = await AsyncHTTPClient().fetch(url, raise_error=False, request_timeout=_LOOK_TIMEOUT_S)
                if answer.code < 500:
                    return
            if time.monotonic() > deadline:
                await asyncio.to_thread(running.stop, 0)
                break
            await asyncio.sleep(_LOOK_S)
        self.log.error("the server of %s did not come up; its log: %s", self.user.name, running.log_file)
        raise refusal(self.in_words(ServerSilentError(), self._language), ServerSilentError.code)

    async def get_url(self) -> str:
        """Where the server is found, also when the hub was killed before JupyterHub stored its port."""
        if self._running is None:
            return str(self.server.url)
        return f"http://127.0.0.1:{self._running.host_port}{self.server.base_url}"

    async def poll(self) -> int | None:
        """None while the server can be reached, else 0; then nothing of it is left."""
        if self._running is not None and self._running.is_served():
            return None
        # Without its keeper nobody reaches it; it is ending by itself, and the home must be free before that is said.
        await self._conclude(STOP_GRACE_S)
        return 0

    def add_poll_callback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Tell `callback` when the server has ended: at once, not at JupyterHub's next look 30 s later."""
        super().add_poll_callback(callback, *args, **kwargs)
        self._watch_end()

    def start_polling(self) -> None:
        watching = self._end is not None
        super().start_polling()  # which stops it first
        if watching:
            self._watch_end()

    def stop_polling(self) -> None:
        super().stop_polling()
        self._stop_watching()

    def _watch_end(self) -> None:
        self._stop_watching()
        loop = asyncio.get_running_loop()
        self._end = self._running.end_descriptor() if self._running is not None else None
        if self._end is None:
            loop.call_soon(self._ended)
        else:
            loop.add_reader(self._end, self._ended)

    def _ended(self) -> None:
        self._stop_watching()
        self._ending = asyncio.ensure_future(self.poll_and_notify())

    def _stop_watching(self) -> None:
        if self._end is not None:
            asyncio.get_running_loop().remove_reader(self._end)
            os.close(self._end)
            self._end = None

    async def stop(self, now: bool = False) -> None:
        """End the server: gracefully, or at once when `now`."""
        await self._conclude(0 if now else STOP_GRACE_S)

    async def _conclude(self, grace_s: float) -> None:
        """End what is left of the server, and forget it.

        A look that finds it dead and somebody's Stop may both be at it: each goes by the server it began with, and neither forgets one
        that was started meanwhile.
        """
        running, lease, fence = self._running, self._lease, self._fence
        if running is not None:
            await asyncio.to_thread(running.stop, grace_s)
            await self._give_back(running, lease, fence)
        if self._running is running:
            self.clear_state()

    async def _give_back(self, running: RunningSandbox, lease: str | None, fence: int | None) -> None:
        """Let go of its share and its note. Only when nothing of it is left: the share may be another's in a moment."""
        if lease is not None and fence is not None:
            await self._release(lease, fence)
        await asyncio.to_thread(self.server_host.forget, self.user.name, running)

    async def _release(self, lease: str, fence: int) -> None:
        """Only a courtesy, for whoever waits: what is not given back here is found by whoever compares leases with what runs."""
        try:
            await self.roster.release_lease(lease, fence)
        except HubError:
            self.log.warning("the share of %s was not given back; it is when the service looks", self.user.name)

    def _store_state(self) -> None:
        # As JupyterHub does once `start` has returned, which is seconds later.
        self.orm_spawner.state = self.get_state()
        self.db.commit()

    def cut_connections(self) -> None:
        """Break what browsers hold open to the server, web sockets too: their owner has signed out."""
        if self._running is not None:
            self._running.cut_connections()

    def get_state(self) -> dict[str, Any]:
        state: dict[str, Any] = super().get_state()
        if self._running is not None:
            state["sandbox"] = self._running.to_dict()
            state |= {"lease": self._lease, "fence": self._fence}
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        if "sandbox" in state:
            # A server started by a version that wrote other facts cannot be found again; it ends with its keeper.
            with contextlib.suppress(SandboxError):
                self._running = RunningSandbox.from_dict(state["sandbox"])
                self._lease, self._fence = state.get("lease"), state.get("fence")

    def clear_state(self) -> None:
        super().clear_state()
        self._running = self._lease = self._fence = None


def refusal(sentence: str, code: str) -> SpawnException:
    """The sentence as JupyterHub shows it, with an ASCII reason and no traceback."""
    refused = SpawnException(sentence.replace("%", "%%"), reason=code)
    # JupyterHub 6 shows these two attributes; the constructor's message_html is ignored by its pages.
    refused.jupyterhub_message = sentence
    refused.jupyterhub_html_message = str(escape(sentence))
    return refused

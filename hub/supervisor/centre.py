"""One life of the centre: everything started, watched until told to end, ended in order."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field

from hub.errors import HubError
from hub.supervisor import first_start
from hub.supervisor.errors import PagesSilentError, ProcessesLeftError
from hub.supervisor.first_start import DemoSignIn
from hub.supervisor.health import answers
from hub.supervisor.notify import notify
from hub.supervisor.prepare import Plan, local_url
from hub.supervisor.servers import end_servers
from hub.supervisor.supervisor import Supervisor

_PAGES = ("/hub/login", "/services/practicum/health", "/services/grader/health")
_PAGES_WITHIN_S = 60.0
_SERVER_GRACE_S = 6.0
"""JupyterLab ends in one or two seconds; one with many kernels is not waited for longer."""


@dataclass
class Centre:
    """The centre of one state directory, as the terminal that runs it sees it."""

    plan: Plan
    demo: bool
    keep_servers: bool
    say: Callable[[str], None]
    began_s: float
    """`time.monotonic()` when the operator asked for it."""
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _hurry: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Until SIGINT, SIGTERM or a closed terminal; a second signal ends everything at once.

        Raises a `HubError` when the centre does not start, or when something of it is left at the end.
        """
        state = self.plan.state
        supervisor = Supervisor(self.plan.table, state.processes, state.logs, self.say)
        with self._signals():
            try:
                supervisor.start()
                await self._until_stopping(self._live(supervisor))
            finally:
                notify("STOPPING=1")
                left = await self._end(supervisor)
        if left:
            raise ProcessesLeftError(names=", ".join(left))

    async def _live(self, supervisor: Supervisor) -> None:
        people = await self._start(supervisor)
        await self._pages_answer()
        for line in _welcome(people, self.plan.url):
            self.say(line)
        if people:
            with contextlib.suppress(OSError):  # shown once more then
                first_start.note_demo(self.plan.state, shown=True)
        self.say(f"Ready after {time.monotonic() - self.began_s:.1f} s: {self.plan.url} (Ctrl-C ends the centre)")
        notify("READY=1")
        await supervisor.run_until(asyncio.Event())

    async def _start(self, supervisor: Supervisor) -> list[DemoSignIn] | None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._say_as_they_answer(supervisor))
                first = group.create_task(self._first_start())
        except* HubError as failures:
            raise failures.exceptions[0] from None
        return first.result()

    async def _first_start(self) -> list[DemoSignIn] | None:
        """The demo cohort's people; None where no demo is to be made, or was made long ago."""
        state = self.plan.state
        try:
            if await first_start.release_lessons(state):
                self.say("  Lessons released")
            if not self.demo:
                first_start.note_demo(state, shown=True)
            if first_start.demo_is_settled(state):
                return None
            return await first_start.make_demo_cohort(state)
        except (HubError, OSError) as exc:
            # A centre without them is still a centre, and its people's work is in it.
            self.say(f"  {exc}")
            return []

    async def _say_as_they_answer(self, supervisor: Supervisor) -> None:
        ready = asyncio.create_task(supervisor.wait_ready())
        waiting = dict(supervisor.watches)
        try:
            while waiting:
                await asyncio.wait({ready}, timeout=0.05)
                for name, watch in list(waiting.items()):
                    if watch.ready.is_set():
                        del waiting[name]
                        how = "runs on" if watch.adopted else "answers"
                        self.say(f"  {watch.spec.title} {how} ({time.monotonic() - self.began_s:.1f} s)")
                if ready.done():
                    ready.result()
        finally:
            ready.cancel()

    async def _pages_answer(self) -> None:
        url = local_url(self.plan.settings)
        try:
            async with asyncio.timeout(_PAGES_WITHIN_S):
                for page in _PAGES:
                    while not await answers(url + page, 5.0):  # noqa: ASYNC110 - nobody would set an event
                        await asyncio.sleep(0.1)
        except TimeoutError as exc:
            raise PagesSilentError(url=url, logs=self.plan.state.logs) from exc

    async def _until_stopping(self, living: Coroutine[None, None, None]) -> None:
        life, stop = asyncio.create_task(living), asyncio.create_task(self._stopping.wait())
        done, _ = await asyncio.wait({life, stop}, return_when=asyncio.FIRST_COMPLETED)
        for task in (life, stop):
            task.cancel()
        await asyncio.gather(life, stop, return_exceptions=True)
        if life in done:
            life.result()

    async def _end(self, supervisor: Supervisor) -> list[str]:
        self.say("Ending the centre." if self.keep_servers else "Ending the centre and its learners' servers.")
        left: list[str] = []

        async def servers() -> None:
            if not self.keep_servers:
                grace_s = 0.0 if self._hurry.is_set() else _SERVER_GRACE_S
                keepers = await asyncio.to_thread(end_servers, self.plan.state, grace_s)
                left.extend(f"a server's keeper (process {each.pid})" for each in keepers)

        left += await supervisor.stop(self._hurry, before_last=servers)
        self.plan.state.effective_settings_file.unlink(missing_ok=True)
        return left

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()

        def asked() -> None:
            if self._stopping.is_set():
                self._hurry.set()
            self._stopping.set()

        signals = [signal.SIGINT, signal.SIGTERM]
        # A terminal that closes means the end too, unless `nohup` said that it does not.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signals.append(signal.SIGHUP)
        for each in signals:
            loop.add_signal_handler(each, asked)
        try:
            yield
        finally:
            for each in signals:
                loop.remove_signal_handler(each)


def _welcome(people: list[DemoSignIn] | None, url: str) -> list[str]:
    if people is None:
        return ["Everything from before is there. A fresh link for somebody: `practicum invite NAME`."]
    if not people:
        return []
    names = max(len(each.name) for each in people)
    roles = max(len(each.role) for each in people)
    lines = [
        f"  {each.name:<{names}}  {each.role:<{roles}}  {url}/services/practicum/invitations/{each.token}  {each.display_name}"
        for each in people
    ]
    return ["The demo cohort. Each of them sets a password by their own link, once, within seven days:", *lines]

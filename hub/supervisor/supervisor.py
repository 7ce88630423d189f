"""All of the centre's processes together: started in order, watched each alone, ended in reverse order."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hub.supervisor import logs
from hub.supervisor.identity import OrphanReaper, become_subreaper
from hub.supervisor.process import ProcessRecords, ProcessSpec
from hub.supervisor.watch import Watch

ROTATE_EVERY_S = 30.0
REAP_EVERY_S = 5.0

_log = logging.getLogger(__name__)


@dataclass
class Supervisor:
    """Owns a table of processes, given in the order in which they end last to first.

    Guarantees: each is restarted alone, with back-off; one that survived an earlier supervisor and was started from the
    same configuration is adopted, any other is ended first; after `stop` none of them is left.
    """

    table: Sequence[ProcessSpec]
    run_dir: Path
    log_dir: Path
    report: Callable[[str], None]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    watches: dict[str, Watch] = field(init=False)

    def __post_init__(self) -> None:
        self.records = ProcessRecords(self.run_dir)
        self.watches = {
            spec.name: Watch(spec, self.records, self.log_dir / f"{spec.name}.log", self.report, self.sleep)
            for spec in self.table
        }
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to keep every process; `wait_ready` says when they answer."""
        become_subreaper()
        self._tasks = [asyncio.create_task(self._keep(watch), name=name) for name, watch in self.watches.items()]
        self._tasks += [
            asyncio.create_task(self._rotate_logs(), name="rotate logs"),
            asyncio.create_task(self._reap(), name="reap orphans"),
        ]

    async def wait_ready(self) -> None:
        """Until every process is well; raises the `HubError` that keeps one from starting."""
        await self._unless_one_fails(asyncio.create_task(self._all_ready()))

    async def run_until(self, stopping: asyncio.Event) -> None:
        """Until `stopping` is set; raises what ends the supervision itself, should it fail."""
        await self._unless_one_fails(asyncio.create_task(_waited(stopping)))

    async def _all_ready(self) -> None:
        for watch in self.watches.values():
            await watch.ready.wait()

    async def _unless_one_fails(self, wanted: "asyncio.Task[None]") -> None:
        done, _ = await asyncio.wait({wanted, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        if wanted in done:
            return
        wanted.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await wanted
        for task in done:
            task.result()

    async def stop(self, hurry: asyncio.Event, before_last: Callable[[], Awaitable[None]] | None = None) -> list[str]:
        """End every process in reverse order of the table; names of those the kernel would not let go.

        `before_last` runs when all but the table's first process (the proxy) have ended. While `hurry` is set, nothing
        is given time to end by itself.
        """
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        left = []
        for name, watch in reversed(self.watches.items()):
            if before_last is not None and name == self.table[0].name:
                await before_last()
            if not await _with_hurry(watch, hurry):
                left.append(name)
        left += await asyncio.to_thread(self._end_unrecorded)
        return left

    def _end_unrecorded(self) -> list[str]:
        # A start that was cancelled between fork and record.
        left = []
        for identity, _ in self.records.marked():
            identity.end(1.0)
            if identity.is_alive():
                left.append(f"process {identity.pid}")
        return left

    async def _keep(self, watch: Watch) -> None:
        for name in watch.spec.after:
            await self.watches[name].ready.wait()
        await watch.keep()

    async def _rotate_logs(self) -> None:
        while True:
            for watch in self.watches.values():
                try:
                    await asyncio.to_thread(logs.rotate, watch.log_file)
                except OSError as exc:
                    _log.warning("cannot rotate %s: %s", watch.log_file, exc)
            await asyncio.sleep(ROTATE_EVERY_S)

    async def _reap(self) -> None:
        reaper = OrphanReaper()
        while True:
            await asyncio.to_thread(reaper.sweep)
            await asyncio.sleep(REAP_EVERY_S)


async def _with_hurry(watch: Watch, hurry: asyncio.Event) -> bool:
    if hurry.is_set():
        return await watch.stop(0.0)
    stopping = asyncio.create_task(watch.stop())
    hurried = asyncio.create_task(hurry.wait())
    await asyncio.wait({stopping, hurried}, return_when=asyncio.FIRST_COMPLETED)
    hurried.cancel()
    if not stopping.done() and watch.identity is not None:
        watch.identity.send(signal.SIGKILL)
    return await stopping


async def _waited(event: asyncio.Event) -> None:
    await event.wait()

"""One process of the centre over time: adopted or started, watched, started again when it ends."""

import asyncio
import logging
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from hub.errors import HubError
from hub.supervisor import health, logs, ports
from hub.supervisor.backoff import Backoff
from hub.supervisor.errors import StartFailedError
from hub.supervisor.identity import ProcessIdentity
from hub.supervisor.process import MARK, ProcessRecords, ProcessSpec, inherited_environment

CHECK_EVERY_S = 5.0
CHECK_WHILE_STARTING_S = 0.1
CHECK_TIMEOUT_S = 5.0
HUNG_AFTER_S = 60.0
"""Without one answer for so long a live process counts as hung. Long, because on a machine under load a healthy process
can be silent for many seconds, and ending it then makes things worse."""
TRIES_AT_FIRST = 3
"""Ends before ever being well after which a start is given up: repeating would only hide the reason."""

_log = logging.getLogger(__name__)


@dataclass
class Watch:
    """Keeps one process of the centre running until told to stop."""

    spec: ProcessSpec
    records: ProcessRecords
    log_file: Path
    report: Callable[[str], None]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    identity: ProcessIdentity | None = None
    adopted: bool = False
    starts: int = 0
    _child: subprocess.Popen[bytes] | None = None
    _was_ready: bool = False

    async def keep(self) -> None:
        """Run for ever; raises a `HubError` when the very first start fails for a reason that will not go away."""
        backoff = Backoff()
        failures = 0
        await self._adopt()
        while True:
            healthy_s = 0.0
            try:
                if self.identity is None:
                    # Not in a thread: a cancellation between start and note would lose the process.
                    self.identity = self._start()
                healthy_s = await self._watch(self.identity)
            except HubError as exc:
                if not self._was_ready:
                    raise
                self.report(str(exc))
            finally:
                self.ready.clear()
            self._collect()
            failures += 1
            if not self._was_ready and failures >= TRIES_AT_FIRST:
                words = " ".join(logs.last_lines(self.log_file, 1)) or "it said nothing"
                raise StartFailedError(title=self.spec.title, words=words, log=self.log_file)
            delay_s = backoff.delay_s(healthy_s)
            if self._was_ready:
                self.report(f"{self.spec.title} ended; starting it again.")
            await self.sleep(delay_s)

    async def stop(self, grace_s: float | None = None) -> bool:
        """End the process; whether it is gone. `keep` must have been cancelled before."""
        self.ready.clear()
        if self.identity is not None:
            await asyncio.to_thread(self.identity.end, self.spec.stop_grace_s if grace_s is None else grace_s)
        self._collect()
        if self.identity is not None and self.identity.is_alive():
            return False
        self.identity = None
        self.records.forget(self.spec.name)
        return True

    async def _adopt(self) -> None:
        survivors = self.records.survivors(self.spec)
        self.identity = survivors.adoptable
        if self.identity is not None:
            self.adopted = True
            self.records.write(self.spec, self.identity)
        for stray in survivors.others:
            await asyncio.to_thread(stray.end, self.spec.stop_grace_s)

    def _start(self) -> ProcessIdentity:
        for each in self.spec.listens:
            ports.require_free(each.host, each.port, each.remedy)
        environment = {**inherited_environment(), **self.spec.environment, MARK: self.records.mark(self.spec)}
        log = logs.open_log(self.log_file)
        try:
            self._child = subprocess.Popen(
                self.spec.argv,
                env=environment,
                cwd=self.log_file.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Its own session: Ctrl-C in the operator's terminal reaches us alone, and we end them in order.
                start_new_session=True,
                umask=0o077,
            )
        except OSError as exc:
            raise StartFailedError(title=self.spec.title, words=str(exc), log=self.log_file) from exc
        finally:
            os.close(log)
        identity = ProcessIdentity.of(self._child.pid)
        self.starts += 1
        self.adopted = False
        if identity is None:
            # Ended before we could look; an identity that is not alive says so to whoever waits for it.
            return ProcessIdentity(self._child.pid, 0, "")
        self.records.write(self.spec, identity)
        return identity

    async def _watch(self, identity: ProcessIdentity) -> float:
        """Until the process has ended: seconds for which it was well."""
        ended = asyncio.create_task(_until_ended(identity))
        try:
            ready_s = await self._until_well(ended, time.monotonic())
            while ready_s is not None and not ended.done():
                await asyncio.wait({ended}, timeout=CHECK_EVERY_S)
                await self._until_well(ended, time.monotonic())
        finally:
            ended.cancel()
        self.identity = None
        return 0.0 if ready_s is None else time.monotonic() - ready_s

    async def _until_well(self, ended: "asyncio.Task[None]", began_s: float) -> float | None:
        """When it answered; None when it ended before, by itself or by us because it stayed silent for too long."""
        assert self.identity is not None
        patience_s = HUNG_AFTER_S if self.ready.is_set() else self.spec.ready_within_s
        while not ended.done():
            check = asyncio.create_task(self._is_well())
            await asyncio.wait({check, ended}, return_when=asyncio.FIRST_COMPLETED)
            check.cancel()
            if check.done() and not check.cancelled() and check.result():
                self._was_ready = True
                self.ready.set()
                return time.monotonic()
            if time.monotonic() - began_s > patience_s:
                self.report(f"{self.spec.title} has not answered for {patience_s:.0f} s; ending it.")
                await asyncio.to_thread(self.identity.end, self.spec.stop_grace_s)
                await ended
            await asyncio.wait({ended}, timeout=CHECK_WHILE_STARTING_S)
        return None

    async def _is_well(self) -> bool:
        return self.spec.health_url is None or await health.answers(self.spec.health_url, CHECK_TIMEOUT_S)

    def _collect(self) -> None:
        if self._child is None:
            return
        try:
            status = self._child.wait(1.0)
        except subprocess.TimeoutExpired:
            return
        _log.info("%s ended: %s", self.spec.name, _describe(status))
        self._child = None


async def _until_ended(identity: ProcessIdentity) -> None:
    handle = identity.open()
    if handle is None:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    # A pidfd becomes readable at the end of any process, our child or not, so adopted ones are watched alike.
    loop.add_reader(handle, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)


def _describe(status: int) -> str:
    return f"exit status {status}" if status >= 0 else signal.Signals(-status).name

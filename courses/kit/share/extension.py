"""The server extension that ends a share decently: the kernels start afresh and the learner is told why; the server runs on.

It enforces nothing. Whoever runs this server may switch it off; what a share allows is held, and taken back, outside.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from courses.kit.share.notice import ShareNotice, notice_file, read_notice

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""A learner should not go on for long on compute that is no longer theirs; the file is one page in the kernel's cache."""

SCHEMA_ID = "urn:practicum:share:v1"
_SCHEMA = {
    "$id": SCHEMA_ID,
    "version": "1",
    "title": "The share of this server has changed",
    "personal-data": True,
    "type": "object",
    "properties": {"notice": {"type": "object", "additionalProperties": {"type": "string"}}},
    "required": ["notice"],
}


class ShareWatch:
    """Looks at the notice and calls `ended` once for each share that has ended."""

    def __init__(self, path: Path, ended: Callable[[ShareNotice], Awaitable[None]]) -> None:
        self._path = path
        self._ended = ended
        self.notice = read_notice(path) or ShareNotice()

    async def look(self) -> None:
        """One look. A file that cannot be read changes nothing."""
        seen = await asyncio.to_thread(read_notice, self._path)
        if seen is None or seen == self.notice:
            return
        before, self.notice = self.notice, seen
        if before.lease is not None and seen.lease != before.lease:
            await self._ended(seen)

    async def run(self) -> None:
        """Look for as long as the server runs."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except Exception:  # one kernel that will not restart must not end the watch
                log.exception("the share's end could not be told")


class ShareHandler(APIHandler):
    """`GET /practicum/share`: the share and the notice, for a page that was opened after it was said."""

    auth_resource = "practicum-share"

    def initialize(self, watch: ShareWatch) -> None:
        self.watch = watch

    @web.authenticated
    @authorized
    def get(self) -> None:
        notice = self.watch.notice
        self.finish(json.dumps({"lease": notice.lease, "profile": notice.profile, "notice": dict(notice.sentences)}))


async def end_kernels(server: Any, notice: ShareNotice) -> None:
    """Tell open pages, then start every kernel afresh: nothing of what it held on the device may stay."""
    server.event_logger.emit(schema_id=SCHEMA_ID, data={"notice": dict(notice.sentences)})
    manager = server.kernel_manager
    await asyncio.gather(*(manager.restart_kernel(kernel_id, now=True) for kernel_id in manager.list_kernel_ids()))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "courses.kit.share.extension"}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Called by Jupyter Server once at its start."""
    server.event_logger.register_event_schema(_SCHEMA)
    watch = ShareWatch(notice_file(), lambda notice: end_kernels(server, notice))
    address = url_path_join(server.web_app.settings["base_url"], "practicum", "share")
    server.web_app.add_handlers(".*$", [(address, ShareHandler, {"watch": watch})])
    server.io_loop.add_callback(_start, server, watch)


async def _start(server: Any, watch: ShareWatch) -> None:
    server.practicum_share_watch = asyncio.create_task(watch.run(), name="share")

"""A small real process in place of one of the centre's: `standin.py PORT [slow-end] [ends-at-once]`, or as a supervisor.

`standin.py supervise RUN_DIR LOG_DIR PORT…` supervises one such process per port, in the order given, until SIGTERM.
"""

import asyncio
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from hub.supervisor.process import Listen, ProcessSpec
from hub.supervisor.supervisor import Supervisor


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201 - this is its log


class Answer(BaseHTTPRequestHandler):
    """Answers every GET with this process's pid; `/quit` ends it."""

    def do_GET(self) -> None:
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        say("asked", self.path)


def spec(port: int, *options: str, name: str = "", after: tuple[str, ...] = (), **changed: object) -> ProcessSpec:
    """A process that listens on `port` and is well when it answers there."""
    values = {
        "name": name or f"standin-{port}",
        "title": name or f"Stand-in {port}",
        "argv": (sys.executable, __file__, str(port), *options),
        "environment": {"SECRET": "not-in-argv"},
        "health_url": f"http://127.0.0.1:{port}/",
        "listens": (Listen("127.0.0.1", port, "Choose another."),),
        "after": after,
        "stop_grace_s": 1.0,
        "ready_within_s": 20.0,
        **changed,
    }
    return ProcessSpec(**values)  # type: ignore[arg-type]


async def supervise(run_dir: Path, log_dir: Path, ports: list[int]) -> None:
    stopping, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    table = [spec(port) for port in ports]
    supervisor = Supervisor(table, run_dir, log_dir, say)
    supervisor.start()
    await supervisor.wait_ready()
    say("ready")
    await supervisor.run_until(stopping)
    left = await supervisor.stop(hurry)
    say("left", left)


def main() -> None:
    if sys.argv[1] == "supervise":
        asyncio.run(supervise(Path(sys.argv[2]), Path(sys.argv[3]), [int(port) for port in sys.argv[4:]]))
        return
    port, options = int(sys.argv[1]), sys.argv[2:]
    if "ends-at-once" in options:
        say("no configuration for me")
        sys.exit(3)
    if "slow-end" in options:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "late" in options:
        time.sleep(1)
    ThreadingHTTPServer(("127.0.0.1", port), Answer).serve_forever()


if __name__ == "__main__":
    main()

"""A real centre for tests: `practicum up` as its own process group, on a free port and a fresh state directory."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

READY_S = 60.0
"""How long `up` may take on a busy test machine; the promise of 10 s is measured in bench/, not here."""

_INVITATION = re.compile(r"https?://\S+/services/practicum/invitations/\S+")


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Centre:
    """One running centre and what its terminal said."""

    state_dir: Path
    port: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None
    output: str = ""
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.state_dir.parent / f"{self.state_dir.name}-up.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def invitations(self) -> dict[str, str]:
        """Invitation link by user name, as printed at the first start."""
        found = {}
        for line in self.output.splitlines():
            if link := _INVITATION.search(line):
                name = next(word for word in line.split() if re.fullmatch(r"[a-z][a-z0-9._-]*", word))
                found[name] = link.group()
        return found

    def start(self) -> "Centre":
        """Start and wait until the sign-in page answers."""
        self.launch()
        self.wait_until_whole()
        return self

    def launch(self) -> None:
        """Start without waiting."""
        with self.log.open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "hub.cli",
                    "up",
                    "--port",
                    str(self.port),
                    "--state-dir",
                    str(self.state_dir),
                    *list(self.options),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def wait_until_whole(self, timeout_s: float = READY_S) -> float:
        """Wait until every part answers; seconds it took."""
        began = time.monotonic()
        while time.monotonic() - began < timeout_s:
            if self.is_ready() and self.answers():
                return time.monotonic() - began
            time.sleep(0.1)
        raise AssertionError(f"the centre was not whole after {timeout_s} s:\n{self.output}")

    def is_ready(self) -> bool:
        """Whether `up` has said so; fails the test when it has ended."""
        self.output = self.log.read_text(encoding="utf-8")
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"`up` ended with {self.process.returncode}:\n{self.output}")
        return "Ready" in self.output

    def kill(self) -> None:
        """End `up` alone, without a chance to end anything else."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def answers(self) -> bool:
        """Whether sign-in page, hub API and our own service all answer through the proxy."""
        try:
            return all(
                httpx.get(self.url + path, timeout=5, headers={"Sec-Fetch-Mode": "navigate"}).status_code == 200
                for path in ("/hub/login", "/hub/api/", "/services/practicum/health", "/services/grader/health")
            )
        except httpx.HTTPError:
            return False

    def stop(self, timeout_s: float = 40.0) -> int:
        """End it as Ctrl-C does; its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(timeout_s)
        self.output = self.log.read_text(encoding="utf-8")
        return status

    def end(self) -> None:
        """Stop it if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.stop()


@contextmanager
def running_centre(state_dir: Path, *options: str) -> Iterator[Centre]:
    """A started centre that is stopped, with every process of it, at the end."""
    centre = Centre(state_dir, free_port(), options)
    try:
        yield centre.start()
    finally:
        centre.end()

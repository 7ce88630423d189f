"""A learner's JupyterLab without a hub: the real server, the configuration learners get, a home of its own."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

import courses.kit
from tests.courses.handin.grader_double import TOKEN

CONFIG = Path(courses.kit.__file__).parent / "jupyter"
BASE = "/user/lin.na/"


def environment(home: Path, runtime: Path, grader_url: str | None, language: str = "en", **more: str) -> dict[str, str]:
    """What a learner's processes see. `runtime` must be a short path: sockets lie in it."""
    at_centre = {"PRACTICUM_GRADER_URL": grader_url, "JUPYTERHUB_API_TOKEN": TOKEN} if grader_url else {}
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "JUPYTER_CONFIG_PATH": str(CONFIG),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "IPYTHONDIR": str(runtime / "ipython"),
        "PRACTICUM_LANGUAGE": language,
        **at_centre,
        **more,
    }


@dataclass
class LabServer:
    """A running server; `http` is signed in as a script with the token would be."""

    url: str
    token: str
    http: httpx.Client
    log: Path

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A call of the server extension below the assignment's address, or of `path` beginning with a slash."""
        inside = path[1:] if path.startswith("/") else f"courses/data-processing/assignments/quality-audit/{path}"
        return self.http.request(method, f"{self.url}practicum/handin/{inside}", **options)


@contextmanager
def lab_server(
    home: Path, runtime: Path, grader_url: str | None, language: str = "en", **more: str
) -> Iterator[LabServer]:
    """JupyterLab on a free port, until it answers; ended gracefully."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token, log = secrets.token_hex(16), runtime / "lab.log"
    options = (
        f"--port={port}",
        "--no-browser",
        "--allow-root",
        f"--ServerApp.base_url={BASE}",
        f"--ServerApp.root_dir={home}",
    )
    with log.open("wb") as file:
        process = subprocess.Popen(
            (
                sys.executable,
                "-m",
                "jupyterlab",
                *options,
                "--ServerApp.port_retries=0",
                "--KernelManager.transport=ipc",
            ),
            env=environment(home, runtime, grader_url, language, JUPYTER_TOKEN=token, **more),
            cwd=home,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}{BASE}"
    try:
        with httpx.Client(headers={"Authorization": f"token {token}"}, timeout=120) as http:
            _wait(process, http, url, log)
            yield LabServer(url, token, http, log)
    finally:
        process.terminate()
        process.wait(20)


def _wait(process: "subprocess.Popen[bytes]", http: httpx.Client, url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if http.get(f"{url}api").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def user_settings(home: Path, locale: str) -> None:
    """Choose JupyterLab's language, as the centre does at the start of a server."""
    folder = home / ".jupyter/lab/user-settings/@jupyterlab/translation-extension"
    folder.mkdir(parents=True)
    (folder / "plugin.jupyterlab-settings").write_text(f'{{"locale": "{locale}"}}')


def processes_in(runtime: Path) -> list[int]:
    """Processes that were started with this runtime folder: the server, kernels, validations."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if f"JUPYTER_RUNTIME_DIR={runtime}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return [pid for pid in found if pid != os.getpid()]

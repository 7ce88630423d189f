"""The two hubs that are compared: a centre as `practicum up` starts it, and JupyterHub alone with its own local spawner.

Both are JupyterHub of this environment behind Traefik of this environment with one configuration; people sign in with
JupyterHub's own `dummy` authenticator on either, so that a benchmark talks to both in the same words.
"""

import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from hub.addresses import load_or_choose_addresses
from hub.secrets import load_or_create_secrets
from hub.settings import Settings
from hub.state import StateDir
from hub.supervisor.process import ProcessRecords
from hub.supervisor.table import traefik_static_file
from hub.supervisor.traefik import traefik_binary, write_configuration

LEARNER = "lin.na"
"""Somebody of the demo cohort; JupyterHub alone takes any name."""

OUR_ROLES = ("jupyterhub", "traefik", "practicum", "grader", "grader-worker", "culler")
"""What the supervisor of a centre keeps up."""

READY_WITHIN_S = 180.0
_LOOK_S = 0.02
_PLAIN_CONFIG = Path(__file__).with_name("plain_hub_config.py")


@dataclass(frozen=True, slots=True)
class RunningHub:
    """One running hub and the processes it consists of."""

    state: StateDir
    url: str
    """Of the proxy, as people see it."""
    password: str
    process_ids: dict[str, int]
    """Of everything that idles while nobody works, by role."""
    answered_after_s: float
    """From the start of its first process until its sign-in page answered."""


@contextmanager
def our_centre(state_dir: Path) -> Iterator[RunningHub]:
    """A centre, from nothing or from what `state_dir` holds, once its sign-in page answers; ended afterwards."""
    state = StateDir(state_dir)
    state.prepare()
    if not state.settings_file.exists():
        login = {"authenticator": {"name": "dummy", "config": {"password": secrets.token_hex(16)}}}
        state.settings_file.write_text(yaml.safe_dump(login), encoding="utf-8")
    password = yaml.safe_load(state.settings_file.read_text(encoding="utf-8"))["authenticator"]["config"]["password"]
    port = _free_port()
    up = [sys.executable, "-m", "hub.cli", "up", "--port", str(port), "--state-dir", str(state_dir)]
    said = state_dir.parent / "up.log"
    url = f"http://127.0.0.1:{port}"
    began = time.perf_counter()
    with _process(up, {**os.environ}, said) as supervisor:
        _wait_until_sign_in_page(url, [supervisor], said)
        answered_after_s = time.perf_counter() - began
        # The first start goes on releasing lessons and making the demo cohort.
        while "Ready after" not in said.read_text(encoding="utf-8"):
            if supervisor.poll() is not None:
                raise RuntimeError(said.read_text(encoding="utf-8"))
            time.sleep(_LOOK_S)
        records = ProcessRecords(state.processes)
        found = {role: records.read(role) for role in OUR_ROLES}
        pids = {role: record[0].pid for role, record in found.items() if record is not None}
        yield RunningHub(state, url, password, {"supervisor": supervisor.pid, **pids}, answered_after_s)


@contextmanager
def plain_jupyterhub(directory: Path) -> Iterator[RunningHub]:
    """JupyterHub alone with SimpleLocalProcessSpawner, once its sign-in page answers; ended afterwards."""
    state = StateDir(directory)
    state.prepare()
    own_secrets, addresses = load_or_create_secrets(state.secrets_file), load_or_choose_addresses(state.addresses_file)
    settings = Settings(port=_free_port())
    static_file = traefik_static_file(state)
    write_configuration(settings, addresses, own_secrets, static_file, state.proxy_rules_file.parent)
    environment = {
        **os.environ,
        "BENCH_STATE_DIR": str(directory),
        "BENCH_PORT": str(settings.port),
        "JUPYTERHUB_CRYPT_KEY": own_secrets.crypt_key,
    }
    hub = [sys.executable, "-m", "jupyterhub", "-f", str(_PLAIN_CONFIG)]
    proxy = [traefik_binary(), "--configfile", str(static_file)]
    url = f"http://127.0.0.1:{settings.port}"
    began = time.perf_counter()
    with (
        _process(proxy, environment, directory / "traefik.log") as traefik,
        _process(hub, environment, directory / "hub.log") as jupyterhub,
    ):
        _wait_until_sign_in_page(url, [traefik, jupyterhub], directory / "hub.log")
        answered_after_s = time.perf_counter() - began
        pids = {"jupyterhub": jupyterhub.pid, "traefik": traefik.pid}
        yield RunningHub(state, url, own_secrets.hub_token, pids, answered_after_s)


class Learner:
    """Somebody signed in to a hub, who starts, asks and stops their server with a token of their own."""

    def __init__(self, hub: RunningHub, name: str = LEARNER) -> None:
        self._name = name
        self._http = httpx.Client(base_url=hub.url, timeout=60, headers={"Authorization": f"token {_token(hub, name)}"})

    def close(self) -> None:
        """Close the connections; the server runs on."""
        self._http.close()

    def start_server(self) -> float:
        """Seconds from asking for a server until it answers by itself through the proxy."""
        began = time.perf_counter()
        asked = self._http.post(f"/hub/api/users/{self._name}/server")
        _require(asked, 201, 202)
        while self._http.get(f"/user/{self._name}/api/status").status_code != 200:
            if time.perf_counter() - began > READY_WITHIN_S:
                raise TimeoutError(f"the server of {self._name} does not answer")
            time.sleep(_LOOK_S)
        return time.perf_counter() - began

    def stop_server(self) -> None:
        """Stop the server and wait until the hub says that it has stopped."""
        _require(self._http.delete(f"/hub/api/users/{self._name}/server"), 202, 204)
        while self._http.get(f"/hub/api/users/{self._name}").json()["servers"]:
            time.sleep(_LOOK_S)


def _wait_until_sign_in_page(url: str, processes: list[subprocess.Popen[bytes]], said: Path) -> None:
    """Return once the proxy at `url` answers with the sign-in page. Raises RuntimeError with the last of what they `said`."""
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        with contextlib.suppress(httpx.TransportError):
            page = httpx.get(f"{url}/hub/login", timeout=5, headers={"Sec-Fetch-Mode": "navigate"})
            if page.status_code == 200:
                return
        if any(each.poll() is not None for each in processes) or time.monotonic() > deadline:
            raise RuntimeError(f"{url} does not answer: {said.read_text(encoding='utf-8')[-2000:]}")
        time.sleep(_LOOK_S)


def _token(hub: RunningHub, name: str) -> str:
    with httpx.Client(base_url=hub.url, timeout=60, headers={"Sec-Fetch-Mode": "navigate"}) as browser:
        page = browser.get("/hub/login")
        hidden = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
        assert hidden is not None, page.text
        form = {"username": name, "password": hub.password, "_xsrf": hidden[1]}
        browser.post("/hub/login", data=form, headers={"Origin": hub.url})
        xsrf = next(cookie.value for cookie in browser.cookies.jar if (cookie.name, cookie.path) == ("_xsrf", "/hub/"))
        headers = {"X-XSRFToken": xsrf or "", "Sec-Fetch-Mode": "cors", "Referer": f"{hub.url}/hub/home"}
        answer = browser.post(f"/hub/api/users/{name}/tokens", json={"note": "bench"}, headers=headers)
        _require(answer, 201)
        return str(answer.json()["token"])


@contextmanager
def _process(argv: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out, env=environment, start_new_session=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _require(answer: httpx.Response, *statuses: int) -> None:
    if answer.status_code not in statuses:
        raise RuntimeError(f"{answer.request.url}: {answer.status_code} {json.dumps(answer.text)}")

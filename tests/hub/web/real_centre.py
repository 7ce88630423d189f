"""A real JupyterHub with a real Traefik and our service behind it; only the learner's servers are toys.

A toy server answers `/user/NAME/hostile` with a page that tries what a learner's server could try against whoever opens
it, and anything else with a line of text.
"""

import json
import os
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

from hub.addresses import load_or_choose_addresses
from hub.cohorts.demo import DemoPerson, make_demo
from hub.secrets import load_or_create_secrets
from hub.settings import Settings, write_effective_settings
from hub.state import StateDir
from hub.wiring import open_service

_CONFIG = """
import json, os, sys
c = get_config()
facts = json.loads(os.environ["TEST_CENTRE"])
c.JupyterHub.bind_url = facts["url"]
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{facts['hub']}"
c.JupyterHub.db_url = f"sqlite:///{facts['folder']}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = f"{facts['folder']}/cookie_secret"
c.JupyterHub.default_url = "/services/practicum/"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "open sesame"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.Spawner.cmd = [sys.executable, facts["toy"]]
c.Spawner.start_timeout = 15
c.JupyterHub.proxy_class = "traefik_file"
c.TraefikFileProviderProxy.traefik_api_username = "hub"
c.TraefikFileProviderProxy.traefik_api_password = "hub"
c.TraefikFileProviderProxy.traefik_api_url = f"http://127.0.0.1:{facts['proxy_api']}"
c.TraefikFileProviderProxy.static_config_file = f"{facts['folder']}/traefik.toml"
c.TraefikFileProviderProxy.dynamic_config_file = f"{facts['folder']}/rules.toml"
c.JupyterHub.load_roles = [
    {"name": "user", "scopes": ["self", "access:services!service=practicum"]},
    {"name": "practicum", "scopes": ["read:users", "list:users", "servers", "tokens"], "services": ["practicum"]},
]
c.JupyterHub.services = [{
    "name": "practicum", "url": facts["service"], "api_token": facts["token"],
    "oauth_client_id": "service-practicum", "oauth_redirect_uri": "/services/practicum/oauth_callback",
    "oauth_no_confirm": True,
}]
"""

_TOY = """
import os, pathlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PAGE = pathlib.Path(__file__).with_name("hostile.html").read_bytes()

class Toy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = PAGE if self.path.endswith("/hostile") else b"a learner's server: " + self.path.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Cross-Origin-Opener-Policy", "noopener-allow-popups" if "match" in self.path else "unsafe-none")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

where = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
ThreadingHTTPServer((where.hostname, where.port), Toy).serve_forever()
"""


@dataclass
class RealCentre:
    """One running centre. Every name on the roster signs in with the password `open sesame`."""

    url: str
    folder: Path
    people: tuple[DemoPerson, ...]
    service: subprocess.Popen[bytes]
    facts: dict[str, object]

    def restart_service(self) -> None:
        """End our service as a crash would and start it again."""
        self.service.kill()
        self.service.wait(10)
        self.service = _start_service(self.folder / "state", self.folder)
        wait_for(f"{self.url}/services/practicum/health")


@contextmanager
def running_centre(folder: Path, hostile_page: str = "") -> Iterator[RealCentre]:
    """A centre with the demo cohort and one released lesson."""
    state = StateDir(folder / "state")
    state.prepare()
    (port,) = free_ports(1)
    write_effective_settings(state, Settings(port=port))
    addresses = load_or_choose_addresses(state.addresses_file)
    secrets = load_or_create_secrets(state.secrets_file)
    service = open_service(state)
    people = make_demo(service, ["data-processing"])
    service.close()
    for language in ("en", "zh-CN"):
        (state.courses / "data-processing/release" / language / "quality-audit").mkdir(parents=True)
    _write_catalogue(state)
    (folder / "toy.py").write_text(_TOY, encoding="utf-8")
    (folder / "hostile.html").write_text(hostile_page, encoding="utf-8")
    (folder / "config.py").write_text(_CONFIG, encoding="utf-8")
    facts: dict[str, object] = {
        "url": f"http://127.0.0.1:{port}",
        "hub": addresses.hub,
        "proxy_api": addresses.proxy_api,
        "service": addresses.practicum_url,
        "token": secrets.practicum_token,
        "folder": str(folder),
        "toy": str(folder / "toy.py"),
    }
    own = _start_service(state.root, folder)
    with (folder / "hub.log").open("wb") as log:
        hub = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(folder / "config.py")],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={
                **os.environ,
                "TEST_CENTRE": json.dumps(facts),
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            },
        )
    centre = RealCentre(str(facts["url"]), folder, people, own, facts)
    try:
        wait_for(f"{centre.url}/hub/login", log=folder / "hub.log")
        wait_for(f"{centre.url}/services/practicum/health")
        yield centre
    finally:
        centre.service.terminate()
        hub.terminate()
        try:
            hub.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(hub.pid, signal.SIGKILL)
        centre.service.wait(10)


def _write_catalogue(state: StateDir) -> None:
    lesson = {
        "name": "quality-audit",
        "title": {"en": "Quality audit: may we use this table?", "zh-CN": "数据质量审核：这张表能不能用？"},
        "summary": {
            "en": "Find out what is in a table, what is missing and why, and write its contract.",
            "zh-CN": "弄清表里有什么、缺了什么、为什么缺，再写一份数据契约。",
        },
        "minutes": 90,
    }
    course = {
        "name": "data-processing",
        "title": {"en": "Data processing", "zh-CN": "数据处理"},
        "summary": {
            "en": "From a raw table to data a model may be trained on.",
            "zh-CN": "从一张原始表格，到可以放心用于训练的数据。",
        },
        "assignments": [lesson],
    }
    (state.courses / "catalogue.json").write_text(json.dumps([course]), encoding="utf-8")


def _start_service(state: Path, folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "service.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "hub.wiring", "--state-dir", str(state)], stdout=log, stderr=subprocess.STDOUT
        )


def wait_for(url: str, log: Path | None = None, timeout_s: float = 60) -> None:
    """Return once the address answers 200."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{url} did not answer:\n{log.read_text(encoding='utf-8') if log else ''}")


def free_ports(count: int) -> list[int]:
    """Ports nobody listened on a moment ago."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports

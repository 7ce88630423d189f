"""The real Traefik with our configuration, in front of a backend that sends what a hostile learner would."""

import asyncio
import dataclasses
import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import toml
import yaml
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from hub.addresses import Addresses
from hub.secrets import Secrets, load_or_create_secrets
from hub.settings import Settings
from hub.supervisor import traefik
from hub.supervisor.health import answers
from hub.supervisor.process import Listen, ProcessSpec
from hub.web import door
from tests.hub.supervisor import toy_backend
from tests.hub.supervisor.conftest import Workshop, free_ports, until


@dataclass
class Front:
    """One configured Traefik and the backend behind it."""

    workshop: Workshop
    settings: Settings
    addresses: Addresses
    secrets: Secrets
    backend_port: int
    watched: Path
    static_file: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.port}"

    @property
    def api(self) -> str:
        return self.addresses.proxy_api_url

    def configure(self) -> ProcessSpec:
        static = traefik.write_configuration(
            self.settings, self.addresses, self.secrets, self.static_file, self.watched
        )
        return ProcessSpec(
            name="traefik",
            title="Traefik",
            argv=(traefik.traefik_binary(), "--configfile", str(self.static_file)),
            environment={},
            health_url=f"{self.api}/ping",
            listens=(Listen("127.0.0.1", self.settings.port), Listen("127.0.0.1", self.addresses.proxy_api)),
            configuration=static,
            stop_grace_s=2.0,
        )

    def route(self, prefix: str, port: int) -> None:
        """As JupyterHub's Traefik proxy class writes its routes."""
        name = "router_" + re.sub(r"\W", "_", prefix)
        rules = {
            "http": {
                "routers": {name: {"service": name, "rule": f"PathPrefix(`{prefix}`)", "entryPoints": ["web"]}},
                "services": {name: {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{port}"}]}}},
            },
            "jupyterhub": {"routes": {name: {"routespec": prefix, "target": f"http://127.0.0.1:{port}"}}},
        }
        part = self.watched / "rules.toml-tmp-1"
        part.write_text(toml.dumps(rules))
        part.replace(self.watched / "rules.toml")


def start_backend(port: int, name: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, toy_backend.__file__, str(port), name])


@pytest.fixture
def backend() -> Iterator[int]:
    (port,) = free_ports(1)
    process = start_backend(port, "first")
    yield port
    process.kill()
    process.wait()


@pytest.fixture
async def front(workshop: Workshop, backend: int) -> Front:
    port, api, *_ = free_ports(2)
    made = Front(
        workshop,
        Settings(port=port),
        Addresses(hub=1, practicum=2, proxy_api=api, grader=3),
        load_or_create_secrets(workshop.root / "secrets.json"),
        backend,
        workshop.root / "traefik.d",
        workshop.root / "traefik.yaml",
    )
    spec = made.configure()
    made.route("/", backend)
    supervisor = workshop.supervise([spec])
    await supervisor.wait_ready()
    await backend_answers(made)
    return made


async def backend_answers(front: Front) -> None:
    async with asyncio.timeout(10):
        while not await answers(front.url + "/", 1.0):  # noqa: ASYNC110 - nobody would set an event
            await asyncio.sleep(0.02)


async def test_no_header_that_acts_on_the_whole_origin_passes_and_others_do(front: Front) -> None:
    answer = httpx.get(front.url + "/page")
    present = {name.lower() for name in answer.headers}
    assert not present & {name.lower() for name in traefik.ORIGIN_WIDE_HEADERS}
    assert answer.headers["X-Kept"] == "yes"
    assert answer.headers["Set-Cookie"] == "kept=1"
    # Not a test of nothing: the backend did send them.
    direct = httpx.get(f"http://127.0.0.1:{front.backend_port}/page")
    assert direct.headers["Service-Worker-Allowed"] == "hostile, again"


OPEN_DOOR = f"{traefik.DOOR_COOKIE}=open"


class TestTheDoor:
    """Where servers share our origin, only browsers that JupyterHub has let in reach one (hub/web/door.py)."""

    OPENS = (
        {"Cookie": OPEN_DOOR},
        {"Cookie": f"a=b; {OPEN_DOOR}; c=d"},
        {"Cookie": f"a=b;{OPEN_DOOR}"},
        {"Authorization": "token 0123"},
        {"Authorization": "Bearer 0123"},
    )
    STAYS_SHUT: tuple[dict[str, str], ...] = (
        {},
        {"Cookie": f"x{OPEN_DOOR}"},
        {"Cookie": f"x={OPEN_DOOR}"},
        {"Cookie": f"{OPEN_DOOR}er"},
        {"Cookie": traefik.DOOR_COOKIE},
        {"Authorization": "Basic dG9rZW4gOg=="},
        {"Authorization": "token"},
        {"X-Authorization": "token 0123"},
    )

    @pytest.fixture
    async def behind(self, front: Front) -> AsyncIterator[str]:
        """The address of a learner's server, which says "first"; what stands for the hub says "hub"."""
        (port,) = free_ports(1)
        hub = start_backend(port, "hub")
        try:
            front.addresses = dataclasses.replace(front.addresses, hub=port)
            front.configure()
            front.route("/user/lin.na/", front.backend_port)
            url = front.url + "/user/lin.na/x"
            async with httpx.AsyncClient(timeout=20) as client, asyncio.timeout(20):
                for headers, name in (({"Cookie": OPEN_DOOR}, "first"), ({}, "hub")):
                    while not (await client.get(url, headers=headers)).text.startswith(name):  # noqa: ASYNC110 - as above
                        await asyncio.sleep(0.05)
            yield url
        finally:
            hub.kill()
            hub.wait()

    async def test_the_cookie_or_a_token_opens_it_and_nothing_else(self, behind: str) -> None:
        for headers in self.OPENS:
            assert httpx.get(behind, headers=headers).text.startswith("first\n"), headers
        for headers in self.STAYS_SHUT:
            assert httpx.get(behind, headers=headers).text.startswith("hub\n"), headers

    def test_a_server_with_a_host_name_of_its_own_has_none(self) -> None:
        addresses = Addresses(hub=1, practicum=2, proxy_api=3, grader=4)
        own_hosts = Settings(public_url="https://train.example.org", server_subdomains=True)
        routers = traefik.dynamic_configuration(own_hosts, addresses, "x")["http"]["routers"]
        assert set(routers) == {"practicum-api"}

    def test_its_cookie_is_the_one_the_hub_gives(self) -> None:
        assert f"{door.COOKIE}={door.OPEN}" == OPEN_DOOR


async def test_text_is_compressed_and_packed_files_are_not(front: Front) -> None:
    text = httpx.get(front.url + "/page", headers={"Accept-Encoding": "gzip"})
    assert text.headers["Content-Encoding"] == "gzip"
    assert len(text.content) > 5000
    packed = httpx.get(front.url + "/packed", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in packed.headers


async def test_events_arrive_as_they_are_sent_and_uncompressed(front: Front) -> None:
    began = time.monotonic()
    async with (
        httpx.AsyncClient() as client,
        client.stream("GET", front.url + "/events", headers={"Accept-Encoding": "gzip"}) as answer,
    ):
        assert "Content-Encoding" not in answer.headers
        arrivals = [time.monotonic() - began async for line in answer.aiter_lines() if line]
    assert len(arrivals) == 4
    # Half a second apart at the source: held back, they would come together.
    assert all(later - earlier > 0.3 for earlier, later in itertools.pairwise(arrivals))


async def test_a_web_socket_carries_both_ways_and_outlives_a_change_of_routes(front: Front) -> None:
    url = front.url.replace("http", "ws") + "/socket"
    socket = await websocket_connect(HTTPRequest(url, headers={"Origin": front.url}))
    await socket.write_message("one")
    assert await socket.read_message() == "one"
    front.route("/", front.backend_port)
    (front.watched / "rules.toml").touch()
    await asyncio.sleep(0.5)
    await socket.write_message("two")
    assert await socket.read_message() == "two"
    socket.close()


async def test_routes_survive_the_hubs_absence_and_the_proxys_own_death_on_the_same_port(front: Front) -> None:
    (supervisor,) = front.workshop.made
    (watch,) = supervisor.watches.values()
    for _ in range(3):
        assert watch.identity is not None
        killed = watch.identity
        killed.send(signal.SIGKILL)
        await until(lambda killed=killed: watch.ready.is_set() and watch.identity not in {None, killed})  # type: ignore[misc]
        await backend_answers(front)
        assert httpx.get(front.url + "/page").text.startswith("first")


async def test_a_changed_route_is_followed_within_a_second(front: Front) -> None:
    (port,) = free_ports(1)
    second = start_backend(port, "second")
    try:
        front.route("/", port)
        await until(lambda: httpx.get(front.url + "/page").text.startswith("second"), timeout_s=5)
    finally:
        second.kill()
        second.wait()


async def test_whoever_asks_while_a_backend_restarts_waits_for_it(front: Front) -> None:
    (port,) = free_ports(1)
    front.route("/", port)
    await until(lambda: _target(front) == port, timeout_s=5)
    async with httpx.AsyncClient(timeout=20) as client:
        page = asyncio.create_task(client.get(front.url + "/page"))
        sent = asyncio.create_task(client.post(front.url + "/body", content=b"x" * 200_000))
        await asyncio.sleep(1.5)
        assert not page.done()
        back = start_backend(port, "back")
        try:
            assert (await page).text.startswith("back")
            assert (await sent).text == "200000"
        finally:
            back.kill()
            back.wait()


async def test_patience_ends_before_people_think_that_nothing_happens(front: Front) -> None:
    (port,) = free_ports(1)
    front.route("/", port)
    await until(lambda: _target(front) == port, timeout_s=5)
    began = time.monotonic()
    async with httpx.AsyncClient(timeout=30) as client:
        assert (await client.get(front.url + "/page")).status_code == 502
    assert 5 < time.monotonic() - began < 20


async def test_what_was_sent_once_is_never_sent_again(front: Front) -> None:
    """A backend that takes a request and dies has perhaps done it."""
    taken = 0

    async def take_and_die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        await reader.readuntil(b"\r\n\r\n")
        taken += 1
        writer.transport.abort()

    (port,) = free_ports(1)
    async with await asyncio.start_server(take_and_die, "127.0.0.1", port), httpx.AsyncClient(timeout=30) as client:
        front.route("/", port)
        await until(lambda: _target(front) == port, timeout_s=5)
        for content in (b"", b"x" * 5000):
            taken = 0
            assert (await client.post(front.url + "/page", content=content)).status_code == 502
            assert taken == 1


def _target(front: Front) -> int:
    """The port Traefik now sends everything to."""
    right = (traefik.API_USER, front.secrets.proxy_password)
    service = httpx.get(front.api + "/api/http/services/router__@file", auth=right).json()
    return int(service["loadBalancer"]["servers"][0]["url"].rpartition(":")[2])


async def test_the_api_wants_its_password_and_is_not_on_the_public_port(front: Front) -> None:
    assert httpx.get(front.api + "/api/overview").status_code == 401
    assert httpx.get(front.api + "/api/overview", auth=("jupyterhub", "wrong")).status_code == 401
    right = (traefik.API_USER, front.secrets.proxy_password)
    assert httpx.get(front.api + "/api/entrypoints/web", auth=right).status_code == 200
    names = {each["name"] for each in httpx.get(front.api + "/api/http/routers", auth=right).json()}
    assert "router__@file" in names
    for path in ("/api/overview", "/dashboard/", "/ping"):
        # The backend's catch-all route answers, not Traefik.
        assert httpx.get(front.url + path, auth=right).text.startswith("first")
    assert httpx.get(front.api + "/dashboard/", auth=right).status_code == 404


async def test_what_reaches_the_backend_about_the_client_is_ours_to_say(front: Front) -> None:
    said = httpx.get(
        front.url + "/page",
        headers={"X-Forwarded-Proto": "https", "X_Forwarded_Proto": "https", "X-Forwarded-For": "6.6.6.6"},
    ).text
    assert "X-Forwarded-Proto: http\r\n" in said
    assert "6.6.6.6" not in said
    assert "X_Forwarded_Proto" not in said


async def test_behind_a_tls_proxy_servers_are_told_https(front: Front) -> None:
    front.settings = front.settings.model_copy(update={"public_url": "https://train.example.org"})
    front.configure()
    await until(lambda: "X-Forwarded-Proto: https\r\n" in httpx.get(front.url + "/page").text, timeout_s=5)


@pytest.mark.parametrize("name", ["a%2Fb", "a%5Cb", "a%3Bb", "a%25b", "a%3Fb", "a%23b", "%E6%95%B0%E6%8D%AE"])
async def test_every_file_name_jupyter_can_have_passes_unchanged(front: Front, name: str) -> None:
    page = httpx.get(f"{front.url}/user/x/files/{name}", headers={"Cookie": OPEN_DOOR})
    assert f"GET /user/x/files/{name} HTTP/1.1" in page.text


async def test_a_nul_in_a_path_does_not_pass(front: Front) -> None:
    assert httpx.get(f"{front.url}/user/x/a%00b").status_code == 400


async def test_large_bodies_pass(front: Front) -> None:
    assert httpx.post(front.url + "/body", content=b"x" * 20_000_000, timeout=60).text == str(20_000_000)


async def test_configuration_files_are_private_and_hold_no_password(front: Front) -> None:
    files = [front.static_file, front.watched / "centre.yaml"]
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}
    assert all(front.secrets.proxy_password not in each.read_text() for each in files)


async def test_a_second_start_changes_nothing_a_running_traefik_was_started_with(front: Front) -> None:
    before = (front.watched / "centre.yaml").stat()
    assert front.configure().fingerprint() == front.workshop.made[0].table[0].fingerprint()
    assert (front.watched / "centre.yaml").stat().st_mtime_ns == before.st_mtime_ns


async def test_its_log_is_free_of_errors_and_it_asks_nobody_outside(front: Front) -> None:
    log = (front.workshop.log_dir / "traefik.log").read_text()
    assert " ERR " not in log
    static = yaml.safe_load(front.static_file.read_text())
    assert static["global"] == {"checkNewVersion": False, "sendAnonymousUsage": False}


async def test_it_ends_at_once_though_a_web_socket_is_open(front: Front) -> None:
    socket = await websocket_connect(front.url.replace("http", "ws") + "/socket")
    began = time.monotonic()
    assert await front.workshop.made[0].stop(asyncio.Event()) == []
    assert time.monotonic() - began < 3
    assert await socket.read_message() is None
    socket.close()


def test_ipv6_addresses_are_bracketed() -> None:
    static = traefik.static_configuration(Settings(bind="::1"), Addresses(1, 2, 3, 4), Path("/d"))
    assert static["entryPoints"]["web"]["address"] == "[::1]:8000"


def test_the_binary_is_the_wheels() -> None:
    assert os.access(traefik.traefik_binary(), os.X_OK)

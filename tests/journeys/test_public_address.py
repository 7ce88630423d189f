"""A centre behind a public address: with a host name for every server, as recommended, and without; by TLS and without."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
import yaml
from playwright.sync_api import Browser, BrowserContext, Page

from tests.centre import READY_S, Centre, free_port
from tests.chromium import sign_in
from tests.tls import tls_in_front_of
from tests.visitor import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

HOST = "centre.localhost"
"""Chromium takes every name that ends so for this machine."""
NAME = "lin.na"
OURS = "/services/practicum/"


@dataclass
class Public:
    """A centre at its public address, and lin.na in JupyterLab there."""

    url: str
    is_https: bool
    own_hosts: bool
    context: BrowserContext
    lab: Page

    def cookies(self) -> dict[str, tuple[str, str]]:
        """Host or domain and path of each cookie of the browser, by its name."""
        return {each["name"]: (each["domain"], each["path"]) for each in self.context.cookies()}


@pytest.fixture(
    scope="module",
    params=[(True, True), (False, True), (True, False)],
    ids=["https, own host names", "http, own host names", "https, one origin"],
)
def public(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, browser: Browser
) -> Iterator[Public]:
    is_https, own_hosts = request.param
    state_dir = tmp_path_factory.mktemp("public") / "state"
    state_dir.mkdir(mode=0o700)
    centre = Centre(state_dir, free_port())
    port = free_port() if is_https else centre.port
    url = f"{'https' if is_https else 'http'}://{HOST}:{port}"
    settings = {"public_url": url, "server_subdomains": own_hosts}
    (state_dir / "settings.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    context = browser.new_context(locale="en", ignore_https_errors=True)
    context.set_default_timeout(60_000)
    with ExitStack() as stack:
        stack.callback(context.close)
        if is_https:
            stack.enter_context(tls_in_front_of(centre.port, port, HOST, state_dir.parent))
        stack.callback(centre.end)
        centre.launch()
        deadline = time.monotonic() + READY_S
        while not centre.is_ready():
            assert time.monotonic() < deadline, centre.output
            time.sleep(0.1)
        yield Public(url, is_https, own_hosts, context, first_visit(context, centre, url))


def first_visit(context: BrowserContext, centre: Centre, url: str) -> Page:
    """lin.na sets a password, signs in, and starts the server on the home page."""
    page = context.new_page()
    page.goto(centre.invitations[NAME])
    page.fill("#password", PASSWORD)
    page.fill("#password_again", PASSWORD)
    page.click("main button")
    page.wait_for_selector("main a.button")
    sign_in(page, url, NAME)
    page.click("text=Start my server")
    page.wait_for_url(f"**/user/{NAME}/lab**")
    page.wait_for_selector("#jp-top-panel")
    return page


def test_the_server_has_the_origin_that_the_settings_say(public: Public) -> None:
    at, ours = urlsplit(public.lab.url), urlsplit(public.url)
    assert at.scheme == ours.scheme
    if public.own_hosts:
        assert at.hostname != HOST
        assert str(at.hostname).endswith(f".{HOST}")
    else:
        assert at.netloc == ours.netloc
    assert public.lab.evaluate("document.cookie.includes('_xsrf')")  # JupyterLab works: it has its own


def test_no_cookie_of_ours_or_the_hubs_reaches_the_server(public: Public) -> None:
    held = public.cookies()
    prefix = "__Host-" if public.is_https and public.own_hosts else ""
    session = f"{prefix or ('__Secure-' if public.is_https else '')}practicum-session"
    if public.own_hosts:
        assert held[f"{prefix}jupyterhub-hub-login"][0] == held[session][0] == HOST
        assert held[f"{prefix}jupyterhub-user-{NAME}"][0] == urlsplit(public.lab.url).hostname
    else:
        assert held["jupyterhub-hub-login"] == (HOST, "/hub/")
        assert held[session] == (HOST, OURS)
    sent = {each["name"] for each in public.context.cookies(public.lab.url)}
    assert f"{prefix}jupyterhub-user-{NAME}" in sent
    assert not {name for name in sent if "hub-login" in name or "practicum-session" in name}
    if public.is_https:
        secret = [each for each in public.context.cookies() if "login" in each["name"] or "practicum-s" in each["name"]]
        assert all(each["secure"] and each["httpOnly"] for each in secret)


def test_the_servers_page_cannot_reach_ours(public: Public) -> None:
    for path in (OURS, "/hub/api/user", "/hub/token"):
        found = public.lab.evaluate(
            "(url) => fetch(url, {credentials: 'include'}).then((a) => a.text().then((t) => `${a.status} ${t}`), () => 'blocked')",
            public.url + path,
        )
        # On one origin the answer is a refusal; on another the browser does not even give that.
        assert (found == "blocked") if public.own_hosts else found.startswith("403")


def test_a_cookie_planted_from_the_server_signs_nobody_out_or_in(public: Public) -> None:
    """Host-prefixed names: that needs TLS. Without it a neighbour host name may plant one, as the documentation says."""
    if not (public.is_https and public.own_hosts):
        pytest.skip("needs TLS and host names of their own")
    page = public.context.new_page()
    at = urlsplit(public.lab.url)
    page.goto(f"{at.scheme}://{at.netloc}/user/{NAME}/api")  # a page of that origin on which nothing else goes on
    for name in (
        "__Host-practicum-session",
        "practicum-session",
        "__Host-jupyterhub-hub-login",
        "jupyterhub-hub-login",
    ):
        page.evaluate(f"document.cookie = '{name}=planted; Domain={HOST}; Path=/; Secure'")
    planted = [each for each in public.context.cookies() if each["value"] == "planted"]
    assert {each["name"] for each in planted} == {"practicum-session", "jupyterhub-hub-login"}  # the control
    page.goto(public.url + OURS)
    assert page.inner_text("h1").startswith("Hello")
    page.close()


def test_signing_out_ends_the_open_server(public: Public) -> None:
    """Last here, for it ends what the others look at."""
    page = public.context.new_page()
    page.goto(public.url + OURS)
    page.click("text=Sign out")
    page.wait_for_url("**/hub/login**")
    page.goto(public.url + OURS)
    assert "/hub/login" in page.url

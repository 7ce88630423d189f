"""Signing out ends what the browser can do at the own server, though the server runs on and other tabs are still open."""

import time
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page

from hub.spawn.server import SIGN_IN_KEPT_S
from tests.centre import Centre
from tests.chromium import sign_in
from tests.visitor import signed_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

NAME = "wang.wei"
OPEN_A_KERNEL = """async () => {
  const xsrf = document.cookie.match(/_xsrf=([^;]+)/)[1];
  const made = await fetch("/user/wang.wei/api/kernels", {
    method: "POST", headers: { "X-XSRFToken": xsrf, "Content-Type": "application/json" }, body: '{"name": "python3"}' });
  const kernel = await made.json();
  window.socket = new WebSocket(`ws://${location.host}/user/wang.wei/api/kernels/${kernel.id}/channels`);
  socket.onclose = () => { window.wasCut = true; };  // not the title, which JupyterLab sets as well
  await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = reject; });
  return made.status;
}"""
STATUS = """() => fetch("/user/wang.wei/api/status", {
  headers: { "X-XSRFToken": (document.cookie.match(/_xsrf=([^;]+)/) || [])[1] } }).then((answer) => answer.status)"""


@pytest.fixture(scope="module")
def running(centre: Centre) -> Centre:
    """The centre in which this person's server runs."""
    with signed_in(centre.url, NAME, centre.invitations[NAME]) as visitor:
        visitor.start_server(NAME)
    return centre


@pytest.fixture
def lab(running: Centre, new_page: Callable[..., Page]) -> Page:
    """JupyterLab in the browser of somebody who signed in at our page, with a kernel's web socket open."""
    page = sign_in(new_page(), running.url, NAME)
    page.goto(f"{running.url}/user/{NAME}/lab")
    page.wait_for_selector("#jp-top-panel")
    assert page.evaluate(OPEN_A_KERNEL) == 201
    return page


def cookies_of_the_server(context: BrowserContext) -> dict[str, str]:
    """Those the browser holds for the path of the server."""
    return {each["name"]: each["value"] for each in context.cookies() if each["path"].startswith(f"/user/{NAME}")}


def copied(context: BrowserContext) -> dict[str, str]:
    """Headers of a request to the server by whoever copied the browser's cookies."""
    held = cookies_of_the_server(context)
    held |= {each["name"]: each["value"] for each in context.cookies() if each["path"] == "/"}
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in held.items()), "X-XSRFToken": held["_xsrf"]}


def test_signing_out_in_one_tab_ends_the_server_in_the_other_at_once(centre: Centre, lab: Page) -> None:
    assert lab.evaluate(STATUS) == 200
    home = lab.context.new_page()
    home.goto(f"{centre.url}/services/practicum/")
    home.click("text=Sign out")
    home.wait_for_url("**/hub/login**")
    lab.wait_for_function("window.wasCut === true", timeout=5_000, polling=100)
    assert lab.evaluate(STATUS) == 403
    assert set(cookies_of_the_server(lab.context)) <= {"_xsrf"}
    lab.reload()
    assert "/hub/login" in lab.url


def test_copied_cookies_end_within_seconds(centre: Centre, lab: Page) -> None:
    headers = copied(lab.context)
    status = f"{centre.url}/user/{NAME}/api/status"
    assert httpx.get(status, headers=headers).status_code == 200
    lab.goto(f"{centre.url}/hub/logout")
    began = time.monotonic()
    while httpx.get(status, headers=headers).status_code == 200:
        assert time.monotonic() - began < SIGN_IN_KEPT_S + 2
        time.sleep(0.2)


def test_the_server_and_its_kernels_run_on(centre: Centre, lab: Page) -> None:
    lab.goto(f"{centre.url}/hub/logout")
    with signed_in(centre.url, NAME) as visitor:
        token = visitor.server_token(NAME)
    kernels = httpx.get(f"{centre.url}/user/{NAME}/api/kernels", headers={"Authorization": f"token {token}"}).json()
    assert kernels

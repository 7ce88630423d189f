"""The same pages behind a real JupyterHub and a real Traefik, in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from hub.cohorts.errors import UnknownPersonError
from hub.state import StateDir
from hub.wiring import open_service
from tests.hub.web.real_centre import RealCentre, running_centre

CHROMIUM = Path("/usr/bin/chromium")
HOME = "/services/practicum/"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium here: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCentre]:
    hostile = Path(__file__).with_name("hostile.html").read_text(encoding="utf-8")
    with running_centre(tmp_path_factory.mktemp("centre"), hostile) as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    playwright: Playwright
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", "--no-first-run"]
        )
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(locale="en", viewport={"width": 1280, "height": 900})
    yield made
    made.close()


def sign_in(context: BrowserContext, centre: RealCentre, name: str) -> Page:
    """Somebody who types the centre's address and signs in on JupyterHub's page."""
    page = context.new_page()
    page.goto(centre.url + HOME)
    page.fill("#username_input", name)
    page.fill("#password_input", "open sesame")
    page.click("#login_submit")
    page.wait_for_url(f"**{HOME}")
    return page


def test_signing_in_lands_on_the_own_home_page_without_a_question(context: BrowserContext, centre: RealCentre) -> None:
    page = sign_in(context, centre, "lin.na")
    assert page.inner_text("h1") == "Hello, 林娜 Lin Na"
    (cookie,) = [each for each in context.cookies() if each.get("name") == "practicum-session"]
    assert (cookie.get("path"), cookie.get("httpOnly"), cookie.get("sameSite")) == (HOME, True, "Lax")


def test_a_lesson_opens_with_two_clicks_and_the_server_stops_again(context: BrowserContext, centre: RealCentre) -> None:
    page = sign_in(context, centre, "wang.wei")
    page.get_by_role("button", name="Open").click()
    page.get_by_role("button", name="Start").click()  # what one had last is chosen: at first, no share
    page.wait_for_url("**/user/wang.wei/lab/tree/data-processing/quality-audit/quality-audit.ipynb", timeout=30_000)
    page.goto(centre.url + HOME)
    assert page.get_by_text("Your server is running").is_visible()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Your server is stopped").wait_for(timeout=20_000)


def test_signing_out_here_ends_jupyterhubs_sign_in_too(context: BrowserContext, centre: RealCentre) -> None:
    page = sign_in(context, centre, "lin.na")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/hub/login**")
    page.goto(centre.url + HOME)
    assert "/hub/login" in page.url


def test_signing_out_at_jupyterhub_ends_the_session_here_at_once(context: BrowserContext, centre: RealCentre) -> None:
    page = sign_in(context, centre, "lin.na")
    other = context.new_page()
    other.goto(f"{centre.url}/hub/logout")
    page.goto(centre.url + HOME)
    assert "/hub/login" in page.url


def test_signing_out_everywhere_ends_the_sign_in_of_another_browser_here(
    context: BrowserContext, chromium: Browser, centre: RealCentre
) -> None:
    elsewhere = chromium.new_context()
    other = sign_in(elsewhere, centre, "lin.na")
    session = next(each.get("value") for each in elsewhere.cookies() if each.get("name") == "practicum-session")
    page = sign_in(context, centre, "lin.na")
    page.goto(f"{centre.url}{HOME}account")
    page.get_by_role("button", name="Sign out everywhere").click()
    page.wait_for_url("**/hub/login**")
    other.goto(centre.url + HOME)  # JupyterHub's own cookie may let it in again, with a new session
    sessions = [each.get("value") for each in elsewhere.cookies() if each.get("name") == "practicum-session"]
    assert session not in sessions
    elsewhere.close()


def test_a_session_outlives_a_crash_of_the_service(context: BrowserContext, centre: RealCentre) -> None:
    page = sign_in(context, centre, "lin.na")
    centre.restart_service()
    page.reload()
    assert page.inner_text("h1") == "Hello, 林娜 Lin Na"


def test_an_invitation_can_be_made_copied_and_redeemed_by_keyboard(
    context: BrowserContext, chromium: Browser, centre: RealCentre
) -> None:
    page = sign_in(context, centre, "chen.min")
    page.goto(f"{centre.url}{HOME}people")
    page.focus("#name")
    for text, key in (
        ("zhou.jie", "Tab"),
        ("周杰", "Tab"),
        ("青禾数据", "Tab"),
        ("", "Tab"),
        ("", "Tab"),
        ("", "Enter"),
    ):
        page.keyboard.type(text)
        page.keyboard.press(key)
    page.wait_for_selector("#link")
    link = page.input_value("#link")
    assert link.startswith(f"{centre.url}{HOME}invitations/")
    newcomer = chromium.new_context(locale="zh-CN")
    welcome = newcomer.new_page()
    welcome.goto(link)
    assert welcome.inner_text("h1") == "欢迎，周杰"
    welcome.keyboard.type("correct horse staple")
    welcome.keyboard.press("Tab")
    welcome.keyboard.type("correct horse staple")
    welcome.keyboard.press("Enter")
    welcome.wait_for_selector("text=密码已设置")
    newcomer.close()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize(
    "path", ["", "people", "account", "server", "server/share", "devices", "usage", "quotas", "nothing"]
)
def test_no_page_is_wider_than_the_window(chromium: Browser, centre: RealCentre, path: str, width: int) -> None:
    context = chromium.new_context(locale="zh-CN", viewport={"width": width, "height": 844})
    page = sign_in(context, centre, "chen.min")
    page.goto(centre.url + HOME + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    unlabelled = page.evaluate(
        "[...document.querySelectorAll('input:not([type=hidden]):not([hidden]), select, button, a')]"
        ".filter(e => !(e.labels?.length || e.getAttribute('aria-label') || e.innerText?.trim())).map(e => e.outerHTML)"
    )
    assert unlabelled == []
    context.close()


@pytest.mark.parametrize("variant", ["hostile", "match/hostile"])
def test_a_hostile_page_of_a_learners_server_gets_nothing_from_an_administrator(
    context: BrowserContext, centre: RealCentre, variant: str
) -> None:
    mallory = sign_in(context, centre, "maria.silva")
    start = mallory.get_by_role("button", name="Start my server")
    if start.count():
        start.click()
        mallory.wait_for_url("**/user/maria.silva/**", timeout=30_000)
    mallory.goto(f"{centre.url}/hub/logout")
    victim = sign_in(context, centre, "chen.min")
    victim.goto(f"{centre.url}/user/maria.silva/{variant}")
    victim.wait_for_function("document.title === 'quiet'", timeout=20_000)
    victim.click("#windows")
    victim.wait_for_function("document.title === 'done'", timeout=20_000)
    results: dict[str, Any] = victim.evaluate("results")
    for attempt in ("fetch post", "events"):
        assert results.pop(attempt) == 403
    assert results.pop("beacon") == "sent"
    assert len(results) >= 14
    assert set(results.values()) <= {
        "nothing",
        "out of reach",
        "threw SecurityError",
        "threw TypeError",
        "threw NotSupportedError",
    }, results
    victim.goto(f"{centre.url}{HOME}people")  # still signed in: the beacon ended nothing
    assert victim.inner_text("h1") == "People"
    service = open_service(StateDir(centre.folder / "state"))
    with pytest.raises(UnknownPersonError):
        service.roster.person("eve")
    service.close()

"""A real Chromium for tests, and pictures of what it shows."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.visitor import PASSWORD

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}

_PICTURES = Path(__file__).parent.parent / "test-output" / "screenshots"

# Chromium's own sandbox cannot be used by root, and its background services look for hosts that are not there.
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-sync"]


def chromium_path() -> str | None:
    """An installed Chromium or Chrome, if there is one."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return os.environ.get("CHROMIUM") or next((path for name in names if (path := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser; the test is skipped where none is installed."""
    path = chromium_path()
    if path is None:
        pytest.skip("no Chromium on this machine: `apt-get install chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


def picture(page: Page, name: str) -> Path:
    """Save what the page shows as test-output/screenshots/NAME.png."""
    _PICTURES.mkdir(parents=True, exist_ok=True)
    path = _PICTURES / f"{name}.png"
    page.screenshot(path=path)
    return path


def redeem(page: Page, invitation: str) -> None:
    """Choose a password at the person's own link."""
    page.goto(invitation)
    page.fill("#password", PASSWORD)
    page.fill("#password_again", PASSWORD)
    page.click("main button")
    page.wait_for_selector("main a.button")


def sign_in(page: Page, base_url: str, name: str) -> Page:
    """The page, with the person signed in and on their home page."""
    page.goto(f"{base_url}/services/practicum/")
    page.fill("#username", name)
    page.fill("#password", PASSWORD)
    page.click("main button")
    page.wait_for_url("**/services/practicum/")
    return page

"""How much a visit transfers, headers included, as Chromium counts it behind the real proxy: small, compressed, kept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.centre import Centre
from tests.visitor import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

MOST_BYTES = 150 * 1024
MOST_BYTES_AGAIN = 20 * 1024
"""Of a second visit: the page itself, and nothing that it needs."""
WORTH_COMPRESSING_BYTES = 1500
"""Less fits into one packet either way."""


@dataclass
class Visit:
    """What one page load transferred."""

    byte_count: int = 0
    plain: list[str] = field(default_factory=list)
    """Addresses of texts that came uncompressed though they are not short."""


@contextmanager
def watched(page: Page) -> Iterator[Visit]:
    """Counts what the page transfers inside the block and until its network is quiet."""
    visit = Visit()
    answers: dict[str, dict[str, Any]] = {}
    session = page.context.new_cdp_session(page)
    session.on("Network.responseReceived", lambda event: answers.update({event["requestId"]: event["response"]}))

    def finished(event: dict[str, Any]) -> None:
        visit.byte_count += int(event["encodedDataLength"])
        answer = answers[event["requestId"]]
        headers = {name.lower(): value for name, value in answer["headers"].items()}
        is_text = "image/" not in answer["mimeType"] or "svg" in answer["mimeType"]
        if is_text and event["encodedDataLength"] > WORTH_COMPRESSING_BYTES and "content-encoding" not in headers:
            visit.plain.append(answer["url"])

    def followed(event: dict[str, Any]) -> None:
        visit.byte_count += int(event.get("redirectResponse", {}).get("encodedDataLength", 0))

    session.on("Network.requestWillBeSent", followed)
    session.on("Network.loadingFinished", finished)
    session.send("Network.enable")
    yield visit
    page.wait_for_load_state("networkidle")
    session.detach()


def test_signing_in_and_home_are_light_compressed_and_kept(own_centre: Centre, new_page: Callable[..., Page]) -> None:
    centre = own_centre  # whose invitations nobody has used
    page = new_page()
    page.goto(centre.invitations["maria.silva"])
    page.fill("#password", PASSWORD)
    page.fill("#password_again", PASSWORD)
    page.click("main button")
    page.wait_for_selector("main a.button")

    stranger = new_page()
    with watched(stranger) as sign_in:
        stranger.goto(f"{centre.url}/hub/login")
    with watched(stranger) as sign_in_again:
        stranger.goto(f"{centre.url}/hub/login")
    with watched(stranger) as home:
        stranger.fill("#username", "maria.silva")
        stranger.fill("#password", PASSWORD)
        stranger.click("main button")
        stranger.wait_for_url("**/services/practicum/")
    with watched(stranger) as home_again:
        stranger.goto(centre.url)

    assert 0 < sign_in.byte_count <= MOST_BYTES
    assert 0 < home.byte_count <= MOST_BYTES
    assert 0 < sign_in_again.byte_count <= MOST_BYTES_AGAIN
    assert 0 < home_again.byte_count <= MOST_BYTES_AGAIN
    assert not [*sign_in.plain, *home.plain]

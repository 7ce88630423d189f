"""One running centre and one browser for all journeys that do not end the centre themselves."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.centre import Centre, running_centre
from tests.chromium import DESKTOP, chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Not for the whole session: while it runs, no other event loop can, and asynchronous tests may come next.
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """A centre with its demo cohort, as `practicum up` makes it."""
    with running_centre(tmp_path_factory.mktemp("centre") / "state") as centre:
        yield centre


@pytest.fixture
def own_centre(tmp_path: Path) -> Iterator[Centre]:
    """A centre that the test may break."""
    with running_centre(tmp_path / "state") as centre:
        yield centre


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Makes pages of people who do not share cookies: `new_page(language="zh-CN", viewport=PHONE)`."""
    contexts = []

    def make(language: str = "en", viewport: dict[str, int] = DESKTOP) -> Page:
        context = browser.new_context(viewport=viewport, locale=language)  # type: ignore[arg-type]
        context.set_default_timeout(30_000)
        contexts.append(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()

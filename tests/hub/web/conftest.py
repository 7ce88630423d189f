"""The whole application in process: real roster on SQLite, real pages, a JupyterHub in memory."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from hub.clock import ManualClock
from hub.cohorts.lessons import CourseShelf
from hub.cohorts.model import Role
from hub.cohorts.service import CohortService
from hub.cohorts.uids import UidRange
from hub.database import Database, sqlite_url
from hub.gpu.model import Node
from hub.leases.desk import LeaseDesk
from hub.leases.offers import make_offers
from hub.migrations import migrate
from hub.settings import DevicesSettings, Settings
from hub.state import StateDir
from hub.web.app import create_app
from hub.web.centre import Centre
from hub.web.i18n import load_translators
from hub.web.jupyterhub_api import JupyterHubApi
from hub.web.rendering import Renderer
from hub.web.room import Rooms
from tests.hub.web.browser import Browser
from tests.hub.web.fake_jupyterhub import SERVICE_TOKEN, FakeJupyterHub

HUB_TOKEN = "the hub's token"
GRADER_TOKEN = "the grader's token"
METRICS_TOKEN = "the token of Prometheus"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def cohorts(tmp_path: Path, clock: ManualClock) -> Iterator[CohortService]:
    """Cohort `spring`: ada administers, ian instructs, lin.na and wang.wei learn; `autumn`: bob administers. olga operates."""
    database = Database(sqlite_url(tmp_path / "practicum.sqlite"))
    migrate(database)
    shelf = CourseShelf(tmp_path / "courses")
    service = CohortService(database, clock, shelf, default_language="en", uids=UidRange(200_000, 10))
    service.roster.add_cohort("spring", "Spring 2026", ["data-processing"])
    service.roster.add_cohort("autumn", "Autumn 2026", ["data-labeling"])
    for name, shown, cohort, role in (
        ("ada", "Ada", "spring", Role.ADMINISTRATOR),
        ("ian", "Ian", "spring", Role.INSTRUCTOR),
        ("lin.na", "林娜", "spring", Role.LEARNER),
        ("wang.wei", "王伟", "spring", Role.LEARNER),
        ("bob", "Bob", "autumn", Role.ADMINISTRATOR),
    ):
        service.roster.add_person(name, shown, cohort, role)
    service.roster.add_operator("olga", "Olga")
    for language in ("en", "zh-CN"):
        (tmp_path / "courses/data-processing/release" / language / "quality-audit").mkdir(parents=True)
    yield service
    service.close()


@pytest.fixture
def jupyterhub() -> FakeJupyterHub:
    return FakeJupyterHub()


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    made = StateDir(tmp_path / "state")
    made.prepare()
    return made


@pytest.fixture
def leases(tmp_path: Path, cohorts: CohortService, clock: ManualClock) -> Iterator[LeaseDesk]:
    """Shares of four CPUs and of two simulated H100, on the database of `cohorts`; the application starts it."""
    database = Database(sqlite_url(tmp_path / "practicum.sqlite"))
    here = Node("machine", "cpu", 4000, 8192)
    yield LeaseDesk(database, make_offers(DevicesSettings(simulate="2xH100-80GB"), here), clock)
    database.close()


@pytest.fixture
async def app(
    cohorts: CohortService, jupyterhub: FakeJupyterHub, settings: Settings, state: StateDir, leases: LeaseDesk
) -> AsyncIterator[FastAPI]:
    """The running application."""
    transport = httpx.ASGITransport(jupyterhub.app())
    made = create_app(
        Centre(
            settings,
            cohorts,
            JupyterHubApi("http://hub/hub/api", SERVICE_TOKEN, settings.public_url, transport),
            Renderer(load_translators(), settings.language, shows_insecure_banner=False),
            Rooms(state, settings.sandbox, own_uids=False),
            leases,
            HUB_TOKEN,
            GRADER_TOKEN,
            metrics_token=METRICS_TOKEN,
        )
    )
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def visit(app: FastAPI, jupyterhub: FakeJupyterHub) -> AsyncIterator[Callable[..., Browser]]:
    """Makes browsers: `visit("lin.na")` is signed in as soon as it opens a page, `visit()` is nobody's."""
    async with AsyncExitStack() as stack:
        made: list[Browser] = []

        def browser(name: str = "", language: str = "en") -> Browser:
            one = Browser(app, jupyterhub, language)
            one.signs_in_as = name
            made.append(one)
            stack.push_async_callback(one.aclose)
            return one

        yield browser

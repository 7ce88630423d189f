"""The grader's whole application in process: real SQLite, real roster behind its real API, real worker; a JupyterHub in memory."""

import io
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI

from grader.assignments.catalogue import listing
from grader.assignments.course import load_course
from grader.exchange import bundle
from grader.exchange.terms import Terms
from grader.grading import Grading, open_grading
from grader.people import PeopleClient
from grader.store.model import Work
from grader.titles import Titles
from grader.web.app import create_app
from grader.web.desk import SERVICE, Desk
from grader.web.lesson_maker import LessonMaker
from grader.web.release_bundles import ReleaseBundles
from grader.wiring import make_renderer
from hub.clock import ManualClock
from hub.cohorts.lessons import CourseShelf
from hub.cohorts.model import Role
from hub.cohorts.service import CohortService
from hub.cohorts.uids import UidRange
from hub.database import Database, sqlite_url
from hub.migrations import migrate as migrate_roster
from hub.settings import Settings
from hub.state import StateDir
from hub.web.app import create_app as create_practicum
from hub.web.centre import Centre
from hub.web.i18n import load_translators
from hub.web.jupyterhub_api import JupyterHubApi
from hub.web.page_session import SessionCookie
from hub.web.rendering import Renderer
from hub.web.room import Rooms
from tests.grader.autograde.conftest import LIMITS
from tests.grader.autograde.samples import Birds, encoded
from tests.hub.web.browser import Browser
from tests.hub.web.fake_jupyterhub import SERVICE_TOKEN, FakeJupyterHub

GRADER_TOKEN = "token-of-the-grader"
API = "/services/grader/api/v1"
TEACH = "/services/grader/teach/birds/weigh"
MINE = "/services/grader/mine/birds/weigh"


@dataclass
class School:
    """Cohort `spring` takes `birds`: ian teaches, lin.na and wang.wei learn; cohort `autumn` takes it too: lea learns.
    ada administers spring."""

    app: FastAPI
    grading: Grading
    worker_side: Grading
    """As the worker's process has it: it records in gradebooks."""
    roster: CohortService
    jupyterhub: FakeJupyterHub
    birds: Birds
    clock: ManualClock
    state: StateDir

    def token(self, name: str, *scopes: str) -> str:
        """A token as the person's own server has one."""
        token = f"server-token-of-{name}"
        self.jupyterhub.tokens[token] = name
        self.jupyterhub.scopes[token] = list(scopes or ["access:services!service=grader"])
        return token

    def api(self, name: str) -> httpx.AsyncClient:
        """That learner's server talking to us."""
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
            base_url=f"http://127.0.0.1:1{API}",
            headers={"authorization": f"token {self.token(name)}"},
        )

    def offer(self, **terms: Any) -> None:
        self.grading.offers.put("birds", "weigh", Terms(**terms), offered_by="ian")

    def submit(self, learner: str, notebook: object) -> str:
        """The receipt's id."""
        work, files = Work("birds", "weigh", learner), {"weigh.ipynb": encoded(notebook)}
        terms = self.grading.rules.terms(work)
        return self.grading.intake.accept_whole(work, terms, files, frozenset(files), "en").id

    def drain(self) -> int:
        """Grade what is queued, and write the gradebooks."""
        worker, count = self.worker_side.worker(LIMITS), 0
        while worker.step():
            count += 1
        self.worker_side.recorder.record_rest()
        return count


def packed(notebook: object, **changes: Any) -> tuple[bytes, str]:
    """A hand-in as a learner's server sends it: bytes and SHA-256."""
    sink = io.BytesIO()
    values = {"course": "birds", "assignment": "weigh", "language": "en", **changes}
    contents = values.pop("contents", None) or {"weigh.ipynb": encoded(notebook)}
    written = bundle.pack_contents(contents, sink, **values)
    return sink.getvalue(), written.sha256


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def roster(tmp_path: Path, clock: ManualClock) -> Iterator[CohortService]:
    database = Database(sqlite_url(tmp_path / "practicum.sqlite"))
    migrate_roster(database)
    shelf = CourseShelf(tmp_path / "state" / "courses")
    service = CohortService(database, clock, shelf, default_language="en", uids=UidRange(200_000, 10))
    service.roster.add_cohort("spring", "Spring 2026", ["birds"])
    service.roster.add_cohort("autumn", "Autumn 2026", ["birds"])
    service.roster.add_cohort("other", "Other", ["fish"])
    for name, shown, cohort, role in (
        ("ada", "Ada", "spring", Role.ADMINISTRATOR),
        ("ian", "Ian", "spring", Role.INSTRUCTOR),
        ("lin.na", "林娜", "spring", Role.LEARNER),
        ("wang.wei", "王伟", "spring", Role.LEARNER),
        ("lea", "Léa", "autumn", Role.LEARNER),
        ("bob", "Bob", "other", Role.INSTRUCTOR),
        ("eve", "Eve", "other", Role.LEARNER),
    ):
        service.roster.add_person(name, shown, cohort, role)
    yield service
    service.close()


@pytest.fixture
def jupyterhub() -> FakeJupyterHub:
    return FakeJupyterHub()


@pytest.fixture
async def school(
    tmp_path: Path, clock: ManualClock, roster: CohortService, jupyterhub: FakeJupyterHub
) -> AsyncIterator[School]:
    birds = Birds(tmp_path)
    state = StateDir(tmp_path / "state")
    state.prepare()
    state.courses.rmdir()
    birds.state_courses.rename(state.courses)
    birds.state_courses = state.courses
    courses = tmp_path / "distribution"
    (state.courses / "catalogue.json").write_text(
        json.dumps(listing((load_course(courses / "birds"),))), encoding="utf-8"
    )
    settings = Settings(time_zone="Asia/Shanghai")
    grading = open_grading(state, clock=clock, courses=courses, records_later=True)
    worker_side = open_grading(state, clock=clock, courses=courses)
    hub_transport = httpx.ASGITransport(jupyterhub.app())
    practicum = create_practicum(
        Centre(
            settings,
            roster,
            JupyterHubApi("http://hub/hub/api", SERVICE_TOKEN, transport=hub_transport),
            Renderer(load_translators(), "en", shows_insecure_banner=False),
            Rooms(state, settings.sandbox, own_uids=False),
            "the hub's token",
            GRADER_TOKEN,
        )
    )
    desk = Desk(
        grading=grading,
        people=PeopleClient("http://practicum", GRADER_TOKEN, httpx.ASGITransport(practicum)),
        jupyterhub=JupyterHubApi("http://hub/hub/api", SERVICE_TOKEN, transport=hub_transport, service=SERVICE),
        renderer=make_renderer(settings, grading),
        cookie=SessionCookie(is_https=False, service=SERVICE),
        titles=Titles(state.courses),
        bundles=ReleaseBundles(state.processes / "bundles"),
        lessons=LessonMaker(state.root),
        zone=ZoneInfo("Asia/Shanghai"),
        practicum_token=GRADER_TOKEN,
    )
    app = create_app(desk)
    async with app.router.lifespan_context(app):
        yield School(app, grading, worker_side, roster, jupyterhub, birds, clock, state)
    grading.close()
    worker_side.close()


@pytest.fixture
async def visit(school: School, jupyterhub: FakeJupyterHub) -> AsyncIterator[Callable[..., Browser]]:
    """Makes browsers: `visit("lin.na")` is signed in as soon as it opens a page, `visit()` is nobody's."""
    async with AsyncExitStack() as stack:

        def browser(name: str = "", language: str = "en") -> Browser:
            one = Browser(school.app, jupyterhub, language)
            one.signs_in_as = name
            stack.push_async_callback(one.aclose)
            return one

        yield browser


DAY = timedelta(days=1)

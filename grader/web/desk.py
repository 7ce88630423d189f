"""The parts of the running grader that its request handlers share, and what stands behind the frame of its pages."""

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import cast
from zoneinfo import ZoneInfo

from anyio import to_thread
from starlette.requests import Request

from grader.grading import Grading
from grader.overview import Overview
from grader.people import PeopleClient, Person
from grader.roll import Roll
from grader.store.sessions import Sessions
from grader.titles import Titles
from grader.web.lesson_maker import LessonMaker
from grader.web.release_bundles import ReleaseBundles
from hub.errors import NotActiveError
from hub.settings import PAGE_SESSION_LIFETIME
from hub.web.front import OpenSession
from hub.web.jupyterhub_api import JupyterHubApi
from hub.web.page_session import PagePerson, SessionCookie
from hub.web.rendering import Renderer

SERVICE = "grader"
HOME = f"/services/{SERVICE}/"


@dataclass(frozen=True)
class Desk:
    """Made once, in wiring. It is also what stands behind the frame of the pages (`hub.web.front.Front`)."""

    grading: Grading
    people: PeopleClient
    jupyterhub: JupyterHubApi
    renderer: Renderer
    cookie: SessionCookie
    titles: Titles
    bundles: ReleaseBundles
    lessons: LessonMaker
    zone: ZoneInfo
    """In which dates are typed and shown."""
    practicum_token: str = field(repr=False)
    """What the `practicum` service shows when it asks about a learner."""
    service: str = SERVICE

    @property
    def overview(self) -> Overview:
        return Overview(self.grading.database)

    @property
    def roll(self) -> Roll:
        return Roll(self.grading.database, self.grading.service)

    async def open_session(self, name: str, hub_token: str) -> tuple[str, Person]:
        """A session of this person, if they may come in."""
        person = await self.people.person(name)
        if not person.active:
            raise NotActiveError
        session_id = secrets.token_urlsafe(32)
        now = self.grading.clock.now()

        def store() -> None:
            with self.grading.database.writing() as connection:
                Sessions(connection).add(_digest(session_id), name, hub_token, now, now + PAGE_SESSION_LIFETIME)

        await to_thread.run_sync(store)
        return session_id, person

    async def find_session(self, session_id: str) -> OpenSession | None:
        """The session with its person as of now; None when it has ended."""

        def find() -> tuple[str, str] | None:
            with self.grading.database.reading() as connection:
                return Sessions(connection).find(_digest(session_id), self.grading.clock.now())

        found = await to_thread.run_sync(find)
        return OpenSession(await self.people.person(found[0]), found[1]) if found else None

    async def close_session(self, session_id: str) -> None:
        """End this one session."""

        def remove() -> None:
            with self.grading.database.writing() as connection:
                Sessions(connection).remove(_digest(session_id))

        await to_thread.run_sync(remove)

    async def remember_language(self, person: PagePerson, language: str) -> None:
        """Keep the person's choice on the roster."""
        await self.people.set_language(person.name, language)


def desk_of(request: Request) -> Desk:
    """The grader this request came to."""
    return cast(Desk, request.app.state.front)


def _digest(session_id: str) -> str:
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()

"""The roster as one thing: what the web pages, the API and the terminal use."""

import os

from hub.clock import Clock, SystemClock
from hub.cohorts.invitations import Invitations
from hub.cohorts.lessons import CourseShelf
from hub.cohorts.roster import Roster
from hub.cohorts.sessions import PageSessions
from hub.cohorts.sign_ins import SignIns
from hub.cohorts.uids import UidRange
from hub.database import Database, sqlite_url
from hub.migrations import migrate
from hub.settings import Settings
from hub.state import StateDir


class CohortService:
    """People, links, sign-ins and page sessions on one database. Safe to share between threads; close it at the end."""

    def __init__(
        self, database: Database, clock: Clock, shelf: CourseShelf, *, default_language: str, uids: UidRange | None
    ) -> None:
        self._database = database
        self.roster = Roster(database, clock, shelf, default_language=default_language, uids=uids)
        self.invitations = Invitations(database, clock)
        self.sign_ins = SignIns(database, clock)
        self.sessions = PageSessions(database, clock)

    def close(self) -> None:
        self._database.close()


def practicum_url(state: StateDir, settings: Settings) -> str:
    """Where the practicum service's database is."""
    return settings.database.practicum_url or sqlite_url(state.databases / "practicum.sqlite")


def open_cohorts(state: StateDir, settings: Settings, clock: Clock | None = None) -> CohortService:
    """The service on the centre's database, brought to this version first; raises `DatabaseTooNewError`.

    Uids are given out only where the centre runs as root: nobody else could start a server under one.
    """
    sandbox = settings.sandbox
    database = Database(practicum_url(state, settings))
    try:
        migrate(database)
    except BaseException:
        database.close()
        raise
    return CohortService(
        database,
        clock or SystemClock(),
        CourseShelf(state.courses),
        default_language=settings.language,
        uids=UidRange(sandbox.first_uid, sandbox.uid_count) if os.geteuid() == 0 else None,
    )

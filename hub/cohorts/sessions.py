"""Signed-in browsers at our own pages."""

import hashlib
import secrets

from hub.clock import Clock
from hub.cohorts.model import PageSession, Person
from hub.cohorts.store import People, Sessions
from hub.database import Database
from hub.settings import PAGE_SESSION_LIFETIME


class PageSessions:
    """Opens, finds and closes page sessions. The id is in the browser's cookie only; here is its SHA-256."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def open(self, person: Person, hub_token: str) -> str:
        """The id of a new session, 32 random bytes as text. `hub_token` can only tell whose it is, nothing more."""
        session_id = secrets.token_urlsafe(32)
        now = self._clock.now()
        with self._database.writing() as connection:
            # Whoever vouched for this person, a password of ours or another authenticator, this is when they came.
            People(connection).set_last_sign_in(person.id, now)
            Sessions(connection).add(_digest(session_id), person.id, hub_token, now, now + PAGE_SESSION_LIFETIME)
        return session_id

    def find(self, session_id: str) -> PageSession | None:
        """The session with its person as of now; None when it is unknown or has ended."""
        with self._database.reading() as connection:
            found = Sessions(connection).find(_digest(session_id), self._clock.now())
            person = People(connection).get(found[0]) if found else None
        return PageSession(person, found[1]) if person and found else None

    def close(self, session_id: str) -> None:
        """End this one session."""
        with self._database.writing() as connection:
            Sessions(connection).remove(_digest(session_id))


def _digest(session_id: str) -> str:
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()

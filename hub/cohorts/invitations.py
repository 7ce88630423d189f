"""One-time links that set a password: the invitation to a new person, the reset of a forgotten password."""

import hashlib
import secrets
from datetime import timedelta

from hub.clock import Clock
from hub.cohorts.errors import (
    LinkExpiredError,
    LinkUnknownError,
    LinkUsedError,
    NotPermittedError,
    UnknownPersonError,
)
from hub.cohorts.model import IssuedLink, Link, LinkKind, Person
from hub.cohorts.names import is_name
from hub.cohorts.passwords import check_password_rules, hash_password
from hub.cohorts.store import Credentials, People
from hub.cohorts.throttle import account_of
from hub.database import Database
from hub.errors import NotActiveError

LIFETIMES = {LinkKind.INVITATION: timedelta(days=7), LinkKind.RESET: timedelta(days=1)}
"""An invitation waits for the first day of a course; a reset is asked for by somebody who is waiting."""


class Invitations:
    """Makes, shows and redeems links. A token is 32 random bytes, shown once, stored as its SHA-256."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def issue(self, name: str, *, actor: Person | None = None) -> IssuedLink:
        """A new link for that person; earlier unused ones stop working.

        It is an invitation until the person has a password, then a reset. An `actor` of None is the centre's terminal.
        Raises `UnknownPersonError`, `NotPermittedError`, `NotActiveError`.
        """
        token = secrets.token_urlsafe(32)
        now = self._clock.now()
        with self._database.writing() as connection:
            person = People(connection).find(name) if is_name(name) else None
            if person is None:
                raise UnknownPersonError
            if actor is not None and not actor.may_manage(person):
                raise NotPermittedError
            if not person.active:
                raise NotActiveError
            kind = LinkKind.RESET if person.has_password else LinkKind.INVITATION
            expires_at = now + LIFETIMES[kind]
            Credentials(connection).add_link(
                _digest(token),
                person.id,
                kind,
                created_by_id=actor.id if actor else None,
                now=now,
                expires_at=expires_at,
            )
        return IssuedLink(person.name, person.display_name, kind, expires_at, token)

    def read(self, token: str) -> Link:
        """The link, still usable; raises `LinkUnknownError`, `LinkUsedError` or `LinkExpiredError`."""
        with self._database.reading() as connection:
            return self._usable(Credentials(connection).find_link(_digest(token)))

    def redeem(self, token: str, password: str) -> Person:
        """The person, whose password this is now; every earlier sign-in has ended.

        A password that breaks the rules does not use the link up. Takes a core for about 20 ms: call it in a thread.
        Raises what `read` and `check_password_rules` raise, and `NotActiveError`.
        """
        check_password_rules(self.read(token).person_name, password)
        password_hash = hash_password(password)
        with self._database.writing() as connection:
            people, credentials = People(connection), Credentials(connection)
            link = self._usable(credentials.find_link(_digest(token)))
            person = people.find(link.person_name)
            if person is None or not person.active:
                raise NotActiveError
            if not credentials.use_link(_digest(token), self._clock.now()):
                raise LinkUsedError
            credentials.set_password_hash(person.id, password_hash)
            credentials.clear_attempts(account_of(person.id, person.name))
            credentials.end_sign_ins(person.id)
        return person

    def _usable(self, link: Link | None) -> Link:
        if link is None:
            raise LinkUnknownError
        if link.used_at is not None:
            raise LinkUsedError
        if link.expires_at <= self._clock.now():
            raise LinkExpiredError
        return link


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

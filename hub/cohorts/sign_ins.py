"""Signing in with name and password, and changing the password."""

from hub.clock import Clock
from hub.cohorts.errors import ThrottledError, WrongPasswordError
from hub.cohorts.model import Person
from hub.cohorts.names import is_name
from hub.cohorts.passwords import check_password_rules, hash_password, needs_rehash, verify_password
from hub.cohorts.store import Credentials, People
from hub.cohorts.throttle import account_of, judge
from hub.database import Database
from hub.errors import NotActiveError
from hub.settings import LANGUAGES


class SignIns:
    """Checks passwords. Each call takes a core for about 20 ms unless it is throttled: call it in a thread."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def sign_in(self, name: str, password: str, language: str | None = None) -> Person:
        """The person, if this is their password; `language` is kept if they have chosen none before.

        An unknown name costs the same statements and the same hashing as a known one. A throttled attempt is not
        hashed. Raises `WrongPasswordError`, `ThrottledError`, and `NotActiveError` after the right password only.
        """
        name = name.strip().lower()
        person, stored = self._admit(name)
        if not verify_password(stored, password) or person is None:
            raise WrongPasswordError
        with self._database.writing() as connection:
            people, credentials = People(connection), Credentials(connection)
            current = people.get(person.id)
            # The account or its password may have changed while we were hashing.
            if current is None or credentials.password_hash(person.id) != stored:
                raise WrongPasswordError
            credentials.clear_attempts(account_of(person.id, name))
            if not current.active:
                raise NotActiveError
            people.set_last_sign_in(person.id, self._clock.now())
            if current.language is None and language in LANGUAGES:
                people.set_language(person.id, language)
            if stored is not None and needs_rehash(stored):
                credentials.set_password_hash(person.id, hash_password(password))
            found = people.get(person.id)
            assert found is not None
            return found

    def change_password(self, person: Person, current: str, new: str) -> None:
        """Set a new password, which ends every sign-in of that person.

        Raises `WrongPasswordError` and `ThrottledError` for the current one, and what `check_password_rules` raises.
        """
        check_password_rules(person.name, new)
        known, stored = self._admit(person.name)
        if not verify_password(stored, current) or known is None:
            raise WrongPasswordError
        password_hash = hash_password(new)
        with self._database.writing() as connection:
            credentials = Credentials(connection)
            if credentials.password_hash(known.id) != stored:
                raise WrongPasswordError
            credentials.clear_attempts(account_of(known.id, known.name))
            credentials.set_password_hash(known.id, password_hash)
            credentials.end_sign_ins(known.id)

    def end_all(self, person: Person) -> None:
        """End every sign-in of that person at our own pages and make those at JupyterHub stale."""
        with self._database.writing() as connection:
            Credentials(connection).end_sign_ins(person.id)

    def _admit(self, name: str) -> tuple[Person | None, str | None]:
        """The person and the stored hash, with this attempt already counted; raises `ThrottledError`."""
        with self._database.writing() as connection:
            people, credentials = People(connection), Credentials(connection)
            person = people.find(name if is_name(name) else "")
            account = account_of(person.id if person else None, name)
            now = self._clock.now()
            verdict = judge(credentials.lock_attempts(account, now), now)
            if verdict.attempts is not None:
                credentials.set_attempts(account, verdict.attempts)
            stored = credentials.password_hash(person.id if person else 0)
        # Raised outside the block, which would roll the count back.
        if verdict.wait_s:
            raise ThrottledError(wait_s=verdict.wait_s)
        return person, stored

"""All SQL of the roster. Each class works inside a transaction that its caller, a service, owns."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, Select, delete, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from hub.cohorts.errors import CohortTakenError, NameTakenError, UidsExhaustedError
from hub.cohorts.model import Attempts, Cohort, Link, LinkKind, Membership, Person, Role
from hub.cohorts.tables import (
    cohort,
    cohort_course,
    invitation,
    membership,
    page_session,
    person,
    sign_in_attempts,
    uid_grant,
)

_PERSON: Select[tuple[object, ...]] = select(
    person.c.id,
    person.c.name,
    person.c.display_name,
    person.c.language,
    person.c.active,
    person.c.operator,
    person.c.password_hash.is_not(None).label("has_password"),
    person.c.credentials_version,
    person.c.created_at,
    person.c.last_sign_in_at,
    person.c.organisation,
    uid_grant.c.uid,
).select_from(person.outerjoin(uid_grant, uid_grant.c.person_id == person.c.id))


class People:
    """Cohorts, people, memberships."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def is_empty(self) -> bool:
        """Whether nobody has been put on the roster yet."""
        return not self._connection.execute(select(exists(select(person.c.id)))).scalar()

    def add_cohort(self, slug: str, name: str, now: datetime) -> Cohort:
        """The new cohort, without courses; raises `CohortTakenError`."""
        statement = insert(cohort).values(slug=slug, name=name, created_at=now).returning(cohort.c.id)
        try:
            with self._connection.begin_nested():
                return Cohort(self._connection.execute(statement).scalar_one(), slug, name)
        except IntegrityError as exc:
            raise CohortTakenError(name=slug) from exc

    def cohorts(self) -> tuple[Cohort, ...]:
        """Every cohort with its courses, by name."""
        courses: dict[int, list[str]] = {}
        for row in self._connection.execute(select(cohort_course).order_by(cohort_course.c.course)):
            courses.setdefault(row.cohort_id, []).append(row.course)
        found = self._connection.execute(select(cohort.c.id, cohort.c.slug, cohort.c.name).order_by(cohort.c.name))
        return tuple(Cohort(row.id, row.slug, row.name, tuple(courses.get(row.id, ()))) for row in found)

    def set_courses(self, cohort_id: int, courses: Sequence[str]) -> None:
        """Make these the cohort's courses."""
        self._connection.execute(delete(cohort_course).where(cohort_course.c.cohort_id == cohort_id))
        if courses:
            rows = [{"cohort_id": cohort_id, "course": course} for course in dict.fromkeys(courses)]
            self._connection.execute(insert(cohort_course), rows)

    def add_person(
        self, name: str, display_name: str, operator: bool, now: datetime, organisation: str | None = None
    ) -> int:
        """The id of the new person, active and without a password; raises `NameTakenError`."""
        statement = (
            insert(person)
            .values(
                name=name,
                display_name=display_name,
                active=True,
                operator=operator,
                credentials_version=1,
                created_at=now,
                organisation=organisation,
            )
            .returning(person.c.id)
        )
        try:
            with self._connection.begin_nested():
                person_id: int = self._connection.execute(statement).scalar_one()
                return person_id
        except IntegrityError as exc:
            raise NameTakenError(name=name) from exc

    def add_membership(self, person_id: int, cohort_id: int, role: Role) -> None:
        self._connection.execute(insert(membership).values(person_id=person_id, cohort_id=cohort_id, role=role.value))

    def delete_person(self, person_id: int) -> None:
        """Forget the person. Their uid stays recorded and is never given again."""
        self._connection.execute(delete(person).where(person.c.id == person_id))

    def find(self, name: str) -> Person | None:
        found = self._people(_PERSON.where(person.c.name == name))
        return found[0] if found else None

    def get(self, person_id: int) -> Person | None:
        found = self._people(_PERSON.where(person.c.id == person_id))
        return found[0] if found else None

    def in_cohorts(self, cohort_ids: Iterable[int]) -> list[Person]:
        """People with any role in any of these cohorts, by name."""
        members = select(membership.c.person_id).where(membership.c.cohort_id.in_(list(cohort_ids)))
        return self._people(_PERSON.where(person.c.id.in_(members)).order_by(person.c.name))

    def everybody(self) -> list[Person]:
        return self._people(_PERSON.order_by(person.c.name))

    def set_language(self, person_id: int, language: str) -> None:
        self._connection.execute(update(person).where(person.c.id == person_id).values(language=language))

    def set_active(self, person_id: int, active: bool) -> None:
        self._connection.execute(update(person).where(person.c.id == person_id).values(active=active))

    def set_last_sign_in(self, person_id: int, now: datetime) -> None:
        self._connection.execute(update(person).where(person.c.id == person_id).values(last_sign_in_at=now))

    def grant_uid(self, person_id: int, name: str, first: int, count: int, now: datetime) -> int:
        """The next uid of the range, recorded for that person; raises `UidsExhaustedError`.

        1. Two servers of one person may be planned at once: the second finds the first one's grant.
        2. Two people may be given the same number at once: the primary key refuses the second, which looks again.
        3. The highest number is read first: were it read last, it could be this person's own, granted in between, and
           a full range would be told to somebody who has a number.
        """
        last = first + count - 1
        own = select(uid_grant.c.uid).where(uid_grant.c.person_id == person_id)
        highest = select(func.max(uid_grant.c.uid)).where(uid_grant.c.uid.between(first, last))
        for _ in range(100):
            given: int | None = self._connection.execute(highest).scalar()
            already: int | None = self._connection.execute(own).scalar()
            if already is not None:
                return already
            uid = first if given is None else given + 1
            if uid > last:
                break
            row = {"uid": uid, "person_id": person_id, "person_name": name, "granted_at": now}
            try:
                with self._connection.begin_nested():
                    self._connection.execute(insert(uid_grant), row)
            except IntegrityError:
                continue
            return uid
        raise UidsExhaustedError

    def _people(self, query: Select[tuple[object, ...]]) -> list[Person]:
        rows = self._connection.execute(query).all()
        memberships = self._memberships([row.id for row in rows])
        return [_person(row, memberships.get(row.id, ())) for row in rows]

    def _memberships(self, person_ids: Sequence[int]) -> dict[int, tuple[Membership, ...]]:
        if not person_ids:
            return {}
        cohorts = {each.id: each for each in self.cohorts()}
        query = select(membership).join(cohort, cohort.c.id == membership.c.cohort_id).order_by(cohort.c.name)
        if len(person_ids) <= 500:  # SQLite and PostgreSQL both limit the parameters of one statement
            query = query.where(membership.c.person_id.in_(person_ids))
        found: dict[int, tuple[Membership, ...]] = {}
        for row in self._connection.execute(query):
            found[row.person_id] = (*found.get(row.person_id, ()), Membership(cohorts[row.cohort_id], Role(row.role)))
        return found


class Credentials:
    """Passwords, one-time links, and failed attempts. Only hashes of secrets are stored."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def password_hash(self, person_id: int) -> str | None:
        found: str | None = self._connection.execute(
            select(person.c.password_hash).where(person.c.id == person_id)
        ).scalar()
        return found

    def set_password_hash(self, person_id: int, password_hash: str) -> None:
        self._connection.execute(update(person).where(person.c.id == person_id).values(password_hash=password_hash))

    def end_sign_ins(self, person_id: int) -> None:
        """Make every sign-in made so far stale: the version grows, page sessions go."""
        statement = update(person).where(person.c.id == person_id)
        self._connection.execute(statement.values(credentials_version=person.c.credentials_version + 1))
        self._connection.execute(delete(page_session).where(page_session.c.person_id == person_id))

    def add_link(
        self,
        token_sha256: str,
        person_id: int,
        kind: LinkKind,
        *,
        created_by_id: int | None,
        now: datetime,
        expires_at: datetime,
    ) -> None:
        """Store a new link; unused older ones of that person stop working."""
        unused = (invitation.c.person_id == person_id) & invitation.c.used_at.is_(None)
        self._connection.execute(delete(invitation).where(unused))
        self._connection.execute(
            insert(invitation).values(
                token_sha256=token_sha256,
                person_id=person_id,
                kind=kind.value,
                created_by_id=created_by_id,
                created_at=now,
                expires_at=expires_at,
            )
        )

    def find_link(self, token_sha256: str) -> Link | None:
        query = (
            select(invitation, person.c.name, person.c.display_name)
            .join(person, person.c.id == invitation.c.person_id)
            .where(invitation.c.token_sha256 == token_sha256)
        )
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return None
        return Link(row.name, row.display_name, LinkKind(row.kind), row.expires_at, row.used_at)

    def use_link(self, token_sha256: str, now: datetime) -> bool:
        """Whether it was this call that used the link up: of two at the same instant one gets True."""
        unused = (invitation.c.token_sha256 == token_sha256) & invitation.c.used_at.is_(None)
        return self._connection.execute(update(invitation).where(unused).values(used_at=now)).rowcount == 1

    def lock_attempts(self, account: str, now: datetime) -> Attempts | None:
        """Earlier attempts on the account, which no other transaction can judge until this one ends; None at first."""
        query = select(sign_in_attempts).where(sign_in_attempts.c.account == account).with_for_update()
        row = self._connection.execute(query).one_or_none()
        if row is None:
            try:
                with self._connection.begin_nested():
                    self._connection.execute(insert(sign_in_attempts).values(account=account, failures=0, last_at=now))
            except IntegrityError:
                # Another transaction was first with this account; it has ended, or the insert would still wait for it.
                row = self._connection.execute(query).one_or_none()
        return None if row is None else Attempts(row.failures, row.last_at)

    def set_attempts(self, account: str, attempts: Attempts) -> None:
        statement = update(sign_in_attempts).where(sign_in_attempts.c.account == account)
        self._connection.execute(statement.values(failures=attempts.failures, last_at=attempts.last_at))

    def clear_attempts(self, account: str) -> None:
        self._connection.execute(delete(sign_in_attempts).where(sign_in_attempts.c.account == account))


class Sessions:
    """Signed-in browsers at our own pages, found by the hash of the id in their cookie."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, id_sha256: str, person_id: int, hub_token: str, now: datetime, expires_at: datetime) -> None:
        """Store a new session; expired ones of everybody go on this occasion."""
        self._connection.execute(delete(page_session).where(page_session.c.expires_at <= now))
        self._connection.execute(
            insert(page_session).values(
                id_sha256=id_sha256, person_id=person_id, hub_token=hub_token, created_at=now, expires_at=expires_at
            )
        )

    def find(self, id_sha256: str, now: datetime) -> tuple[int, str] | None:
        """Person id and JupyterHub token of a session that has not expired."""
        alive = (page_session.c.id_sha256 == id_sha256) & (page_session.c.expires_at > now)
        row = self._connection.execute(
            select(page_session.c.person_id, page_session.c.hub_token).where(alive)
        ).one_or_none()
        return None if row is None else (row.person_id, row.hub_token)

    def remove(self, id_sha256: str) -> None:
        self._connection.execute(delete(page_session).where(page_session.c.id_sha256 == id_sha256))


def _person(row: Row[tuple[object, ...]], memberships: tuple[Membership, ...]) -> Person:
    return Person(
        id=row.id,
        name=row.name,
        display_name=row.display_name,
        language=row.language,
        active=row.active,
        operator=row.operator,
        has_password=row.has_password,
        credentials_version=row.credentials_version,
        created_at=row.created_at,
        last_sign_in_at=row.last_sign_in_at,
        uid=row.uid,
        memberships=memberships,
        organisation=row.organisation or "",
    )

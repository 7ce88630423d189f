"""Who is on the roster, in which cohorts, with which roles; who may change whom."""

from collections.abc import Sequence

from hub.clock import Clock
from hub.cohorts.errors import (
    NotPermittedError,
    SelfDeactivationError,
    UnknownCohortError,
    UnknownPersonError,
)
from hub.cohorts.lessons import CourseShelf
from hub.cohorts.model import Cohort, Course, Person, Role, ServerPlan
from hub.cohorts.names import checked_display_name, checked_name, is_name
from hub.cohorts.store import Credentials, People
from hub.cohorts.uids import UidRange
from hub.database import Database
from hub.errors import NotActiveError
from hub.settings import LANGUAGES


class Roster:
    """People and cohorts. An `actor` of None is the centre itself: its terminal, its demo."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        shelf: CourseShelf,
        *,
        default_language: str,
        uids: UidRange | None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._shelf = shelf
        self._default_language = default_language
        self._uids = uids

    def is_empty(self) -> bool:
        """Whether nobody has been put on the roster yet."""
        with self._database.reading() as connection:
            return People(connection).is_empty()

    def add_cohort(self, slug: str, name: str, courses: Sequence[str] = ()) -> Cohort:
        """The new cohort; raises `NameInvalidError` or `CohortTakenError`."""
        slug, name = checked_name(slug), checked_display_name(name)
        with self._database.writing() as connection:
            people = People(connection)
            made = people.add_cohort(slug, name, self._clock.now())
            people.set_courses(made.id, courses)
            return Cohort(made.id, slug, name, tuple(dict.fromkeys(courses)))

    def add_person(
        self,
        name: str,
        display_name: str,
        cohort: str,
        role: Role,
        *,
        organisation: str = "",
        actor: Person | None = None,
    ) -> Person:
        """The new person, without a password; an existing name is refused, never taken over.

        `organisation` is who sends them; it may be empty. Raises `NameInvalidError`, `DisplayNameInvalidError` (also for the
        organisation's name), `NameTakenError`, `UnknownCohortError` (also for a cohort the actor does not administer).
        """
        name, display_name = checked_name(name), checked_display_name(display_name)
        sender = checked_display_name(organisation) if organisation.strip() else None
        with self._database.writing() as connection:
            people = People(connection)
            wanted = next((each for each in people.cohorts() if each.slug == cohort), None)
            may = actor is None or actor.operator or wanted in actor.administered
            if wanted is None or not may:
                raise UnknownCohortError
            now = self._clock.now()
            person_id = people.add_person(name, display_name, operator=False, now=now, organisation=sender)
            people.add_membership(person_id, wanted.id, role)
            return _found(people.get(person_id))

    def add_operator(self, name: str, display_name: str) -> Person:
        """The new operator of the whole centre; only the centre's own terminal calls this."""
        name, display_name = checked_name(name), checked_display_name(display_name)
        with self._database.writing() as connection:
            people = People(connection)
            return _found(people.get(people.add_person(name, display_name, operator=True, now=self._clock.now())))

    def person(self, name: str) -> Person:
        """The person as of now; raises `UnknownPersonError`."""
        with self._database.reading() as connection:
            return _found(People(connection).find(name) if is_name(name) else None)

    def managed_cohorts(self, actor: Person) -> tuple[Cohort, ...]:
        """Cohorts whose people the actor may see and add to."""
        if not actor.operator:
            return actor.administered
        with self._database.reading() as connection:
            return People(connection).cohorts()

    def managed_people(self, actor: Person) -> list[Person]:
        """People of the actor's cohorts, by name; everybody for an operator. Raises `NotPermittedError`."""
        if not actor.administers:
            raise NotPermittedError
        with self._database.reading() as connection:
            people = People(connection)
            if actor.operator:
                return people.everybody()
            return people.in_cohorts(cohort.id for cohort in actor.administered)

    def people_of_course(self, course: str) -> list[Person]:
        """Everybody who learns or teaches the course in any cohort that takes it, by name."""
        with self._database.reading() as connection:
            people = People(connection)
            found = people.in_cohorts(each.id for each in people.cohorts() if course in each.courses)
        groups = {f"nbgrader-{course}", f"formgrade-{course}"}
        return [person for person in found if not groups.isdisjoint(person.groups)]

    def set_active(self, name: str, active: bool, *, actor: Person | None = None) -> Person:
        """The person, switched on or off. Switching off ends every sign-in.

        Raises `UnknownPersonError`, `NotPermittedError`, `SelfDeactivationError`.
        """
        with self._database.writing() as connection:
            people = People(connection)
            person = _found(people.find(name) if is_name(name) else None)
            if actor is not None:
                _check_may_manage(actor, person)
                if person.id == actor.id and not active:
                    raise SelfDeactivationError
            people.set_active(person.id, active)
            if not active:
                Credentials(connection).end_sign_ins(person.id)
            return _found(people.get(person.id))

    def set_language(self, person: Person, language: str) -> None:
        """Remember the person's choice; anything but a known language is ignored."""
        if language in LANGUAGES:
            with self._database.writing() as connection:
                People(connection).set_language(person.id, language)

    def language_of(self, person: Person) -> str:
        """The person's choice, else the centre's language."""
        return person.language or self._default_language

    def courses_of(self, person: Person) -> tuple[Course, ...]:
        """The person's courses with their released lessons; a course nobody has released yet has none."""
        return self._shelf.courses(person.courses)

    def plan_server(self, name: str) -> ServerPlan:
        """What to start for that person now; gives the person a uid first if the centre runs as root.

        Raises `UnknownPersonError`, `NotActiveError`, `UidsExhaustedError`.
        """
        person = self.person(name)
        if not person.active:
            raise NotActiveError
        uid = person.uid
        if self._uids is None:
            uid = None
        elif uid is None:
            with self._database.writing() as connection:
                uid = People(connection).grant_uid(
                    person.id, person.name, self._uids.first, self._uids.count, self._clock.now()
                )
        lessons = tuple(lesson for course in self.courses_of(person) for lesson in course.lessons)
        return ServerPlan(person.name, uid, self.language_of(person), lessons)

    def delete_person(self, name: str) -> None:
        """Forget the person; raises `UnknownPersonError`. Their uid stays recorded and is never given again."""
        with self._database.writing() as connection:
            people = People(connection)
            people.delete_person(_found(people.find(name) if is_name(name) else None).id)


def _found(person: Person | None) -> Person:
    if person is None:
        raise UnknownPersonError
    return person


def _check_may_manage(actor: Person, person: Person) -> None:
    if not actor.may_manage(person):
        raise NotPermittedError

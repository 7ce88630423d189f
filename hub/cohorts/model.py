"""What the roster holds, as values: people, memberships, one-time links, lessons."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a person is in one cohort. The operator's role is not among them: it spans all cohorts."""

    ADMINISTRATOR = "administrator"
    INSTRUCTOR = "instructor"
    LEARNER = "learner"


@dataclass(frozen=True, slots=True)
class Cohort:
    """An intake of learners and the courses it takes."""

    id: int
    slug: str
    name: str
    courses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Membership:
    """One person's role in one cohort."""

    cohort: Cohort
    role: Role


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on the roster as of one moment. Never kept from one request to the next."""

    id: int
    name: str
    display_name: str
    language: str | None
    active: bool
    operator: bool
    has_password: bool
    credentials_version: int
    """Grows whenever every sign-in made so far must end: a new password, "sign out everywhere", deactivation."""
    created_at: datetime
    last_sign_in_at: datetime | None
    uid: int | None = None
    memberships: tuple[Membership, ...] = ()
    organisation: str = ""
    """Who sends this person to learn; usage is reported by it. Empty: not known."""

    @property
    def roles(self) -> tuple[str, ...]:
        """Distinct roles, the widest first."""
        held = {membership.role for membership in self.memberships}
        return (*(("operator",) if self.operator else ()), *(role.value for role in Role if role in held))

    @property
    def courses(self) -> tuple[str, ...]:
        """Courses of all own cohorts, each once, in the cohorts' order."""
        return tuple(dict.fromkeys(course for each in self.memberships for course in each.cohort.courses))

    @property
    def home_cohort(self) -> str:
        """Slug of the cohort whose quota the person's leases count against: the first they learn in, else any; empty for none."""
        learning = [each for each in self.memberships if each.role is Role.LEARNER]
        return next((each.cohort.slug for each in (*learning, *self.memberships)), "")

    @property
    def groups(self) -> tuple[str, ...]:
        """JupyterHub group names; nbgrader fixes their form."""
        prefixes = {Role.LEARNER: "nbgrader-", Role.INSTRUCTOR: "formgrade-"}
        found = {
            prefixes[membership.role] + course
            for membership in self.memberships
            if membership.role in prefixes
            for course in membership.cohort.courses
        }
        return tuple(sorted(found))

    @property
    def administered(self) -> tuple[Cohort, ...]:
        """Cohorts this person administers by membership."""
        return tuple(each.cohort for each in self.memberships if each.role is Role.ADMINISTRATOR)

    @property
    def administers(self) -> bool:
        return self.operator or bool(self.administered)

    def may_manage(self, other: "Person") -> bool:
        """Whether this person may make links for `other` and switch their account on and off.

        An administrator must hold *every* cohort of the other person: else adding an operator, or the administrator
        of another cohort, to one's own cohort would be a way to take over their account with a reset link.
        """
        if self.operator:
            return True
        own = {cohort.id for cohort in self.administered}
        theirs = {membership.cohort.id for membership in other.memberships}
        return not other.operator and bool(theirs) and theirs <= own


class LinkKind(StrEnum):
    """Why a one-time link was made; both set a password."""

    INVITATION = "invitation"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Link:
    """A one-time link as it is stored: by the hash of its token."""

    person_name: str
    display_name: str
    kind: LinkKind
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class IssuedLink:
    """A one-time link at the only moment its token is known."""

    person_name: str
    display_name: str
    kind: LinkKind
    expires_at: datetime
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attempts:
    """Failed sign-ins on one account since the last success."""

    failures: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class PageSession:
    """A signed-in browser at our own pages."""

    person: Person
    hub_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A released assignment, with its texts by language."""

    course: str
    assignment: str
    notebook: str = ""
    minutes: int | None = None
    """How long it takes, as its author estimates."""
    titles: Mapping[str, str] = field(default_factory=dict)
    summaries: Mapping[str, str] = field(default_factory=dict)

    def title(self, language: str) -> str:
        return _in_language(self.titles, language) or _readable(self.assignment)

    def summary(self, language: str) -> str:
        return _in_language(self.summaries, language)


@dataclass(frozen=True, slots=True)
class Course:
    """A course with its released lessons, with its texts by language."""

    name: str
    titles: Mapping[str, str]
    summaries: Mapping[str, str]
    lessons: tuple[Lesson, ...]

    def title(self, language: str) -> str:
        return _in_language(self.titles, language) or _readable(self.name)

    def summary(self, language: str) -> str:
        return _in_language(self.summaries, language)


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """What one server is started with. `uid` is None where the centre does not run as root."""

    name: str
    uid: int | None
    language: str
    lessons: tuple[Lesson, ...]


def _in_language(texts: Mapping[str, str], language: str) -> str:
    return texts.get(language) or texts.get("en") or ""


def _readable(slug: str) -> str:
    return slug.replace("-", " ").capitalize()

"""What JupyterHub and the grader ask about people. JSON in and out, documented by OpenAPI, for holders of their tokens alone.

A refusal is `{"code", "sentence", "fields"}`: the sentence is an English message id whose `%(name)s` fields are filled
from `fields` after it has been translated, so that JupyterHub can show it in its reader's language.
"""

from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

from hub.cohorts import model
from hub.web.centre import Centre
from hub.web.errors import TokenInvalidError
from hub.web.page_session import is_token
from hub.web.released import released_lessons
from hub.web.server_share import ServerShare, share_of
from hub.web.visitors import CentreOf

API_PREFIX = "/services/practicum/api/v1"

_bearer = HTTPBearer(auto_error=False, description="The token JupyterHub, or the grader, and this service share.")


class SignIn(BaseModel):
    """Somebody's attempt to sign in."""

    name: str = Field(max_length=1000)
    password: str = Field(max_length=10_000)
    language: str | None = Field(None, description="Chosen before signing in; kept if the person has chosen none.")


class Membership(BaseModel):
    """A role in a cohort, and the courses that cohort takes."""

    cohort: str
    cohort_name: str
    role: Literal["administrator", "instructor", "learner"]
    courses: list[str]


class Person(BaseModel):
    """Somebody on the roster at this moment."""

    name: str
    display_name: str
    language: Literal["en", "zh-CN"] = Field(description="The person's choice, else the centre's language.")
    chosen_language: Literal["en", "zh-CN"] | None
    active: bool
    roles: list[Literal["operator", "administrator", "instructor", "learner"]]
    groups: list[str] = Field(description="`nbgrader-COURSE` for learners, `formgrade-COURSE` for instructors.")
    credentials_version: int = Field(description="Has grown when every sign-in made so far must end.")
    memberships: list[Membership]


class CoursePeople(BaseModel):
    """Everybody who learns or teaches a course, by name."""

    people: list[Person]


class Choice(BaseModel):
    """A language somebody chose."""

    language: Literal["en", "zh-CN"]


class Lesson(BaseModel):
    """A released assignment."""

    course: str
    assignment: str


class ServerPlan(BaseModel):
    """What to start for a person."""

    name: str
    uid: int | None = Field(description="Null where the centre does not run as root.")
    language: Literal["en", "zh-CN"]
    lessons: list[Lesson]
    share: ServerShare | None = Field(description="What its live lease gives it, if that is held at this moment.")


class Refusal(BaseModel):
    """Why not."""

    code: str
    sentence: str
    fields: dict[str, str | int]


_Given = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


async def _hub_only(centre: CentreOf, given: _Given) -> None:
    if not _is(given, centre.hub_token):
        raise TokenInvalidError


async def _services_only(centre: CentreOf, given: _Given) -> None:
    if not (_is(given, centre.hub_token) or _is(given, centre.grader_token)):
        raise TokenInvalidError


def _is(given: HTTPAuthorizationCredentials | None, token: str) -> bool:
    return bool(token) and given is not None and is_token(given.credentials, token)


router = APIRouter(
    prefix=API_PREFIX,
    tags=["roster"],
    responses={status: {"model": Refusal} for status in (401, 403, 404, 422, 429)},
)


@router.post("/sign-ins", dependencies=[Depends(_hub_only)])
async def sign_in(attempt: SignIn, centre: CentreOf) -> Person:
    """The person, if this is their password. 429 carries `fields.wait_s` and `Retry-After`."""
    found = await centre.passwords.run(
        centre.cohorts.sign_ins.sign_in, attempt.name, attempt.password, attempt.language
    )
    return _person(centre, found)


@router.get("/people/{name}", dependencies=[Depends(_services_only)])
async def read_person(name: str, centre: CentreOf) -> Person:
    """The person of that name."""
    return _person(centre, await to_thread.run_sync(centre.cohorts.roster.person, name))


@router.post("/people/{name}/server-plans", dependencies=[Depends(_hub_only)])
async def plan_server(name: str, centre: CentreOf) -> ServerPlan:
    """What to start for that person now; 403 if they may not start a server."""
    plan = await to_thread.run_sync(centre.cohorts.roster.plan_server, name)
    lessons = [Lesson(course=each.course, assignment=each.assignment) for each in await _released(centre, plan)]
    share = share_of(centre.leases, plan.name)
    return ServerPlan.model_validate({**_fields(plan), "lessons": lessons, "share": share})


async def _released(centre: Centre, plan: model.ServerPlan) -> tuple[model.Lesson, ...]:
    """The plan's lessons that its person may have now. None but taught ones while the grader does not answer: they can be fetched later,
    and an examination that is not released yet must not lie in anybody's home."""
    if centre.due_lines is None or not plan.lessons:
        return plan.lessons
    person = await to_thread.run_sync(centre.cohorts.roster.person, plan.name)
    released = await centre.due_lines.of(described(centre, person), plan.language)
    return released_lessons(person, plan.lessons, released or {})


@router.put("/people/{name}/language", dependencies=[Depends(_services_only)], status_code=204)
async def set_language(name: str, choice: Choice, centre: CentreOf) -> None:
    """Keep what the person chose at another service's page."""
    roster = centre.cohorts.roster
    person = await to_thread.run_sync(roster.person, name)
    await to_thread.run_sync(roster.set_language, person, choice.language)


@router.get("/courses/{course}/people", dependencies=[Depends(_services_only)])
async def read_course_people(course: str, centre: CentreOf) -> CoursePeople:
    """Everybody who learns or teaches the course in any cohort; nobody for a course no cohort takes."""
    found = await to_thread.run_sync(centre.cohorts.roster.people_of_course, course)
    return CoursePeople(people=[_person(centre, each) for each in found])


def _fields(plan: model.ServerPlan) -> dict[str, object]:
    return {"name": plan.name, "uid": plan.uid, "language": plan.language}


def _person(centre: Centre, person: model.Person) -> Person:
    return Person.model_validate(described(centre, person))


def described(centre: Centre, person: model.Person) -> dict[str, Any]:
    """The person as this API tells other services."""
    return {
        "name": person.name,
        "display_name": person.display_name,
        "language": centre.cohorts.roster.language_of(person),
        "chosen_language": person.language,
        "active": person.active,
        "roles": list(person.roles),
        "groups": list(person.groups),
        "credentials_version": person.credentials_version,
        "memberships": [
            {
                "cohort": each.cohort.slug,
                "cohort_name": each.cohort.name,
                "role": each.role.value,
                "courses": list(each.cohort.courses),
            }
            for each in person.memberships
        ],
    }

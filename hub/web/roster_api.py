"""What JupyterHub asks about people. JSON in and out, documented by OpenAPI, for the holder of the hub's token alone.

A refusal is `{"code", "sentence", "fields"}`: the sentence is an English message id whose `%(name)s` fields are filled
from `fields` after it has been translated, so that JupyterHub can show it in its reader's language.
"""

import hmac
from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

from hub.cohorts import model
from hub.web.errors import TokenInvalidError
from hub.web.visitors import CentreOf

API_PREFIX = "/services/practicum/api/v1"

_bearer = HTTPBearer(auto_error=False, description="The token JupyterHub and this service share.")


class SignIn(BaseModel):
    """Somebody's attempt to sign in."""

    name: str = Field(max_length=1000)
    password: str = Field(max_length=10_000)
    language: str | None = Field(None, description="Chosen before signing in; kept if the person has chosen none.")


class Person(BaseModel):
    """Somebody on the roster at this moment."""

    name: str
    display_name: str
    language: Literal["en", "zh-CN"]
    active: bool
    roles: list[Literal["operator", "administrator", "instructor", "learner"]]
    groups: list[str] = Field(description="`nbgrader-COURSE` for learners, `formgrade-COURSE` for instructors.")
    credentials_version: int = Field(description="Has grown when every sign-in made so far must end.")


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


class Refusal(BaseModel):
    """Why not."""

    code: str
    sentence: str
    fields: dict[str, str | int]


async def _hub_only(centre: CentreOf, given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]) -> None:
    token = given.credentials if given else ""
    if not hmac.compare_digest(token.encode("utf-8", "replace"), centre.hub_token.encode("utf-8")):
        raise TokenInvalidError


router = APIRouter(
    prefix=API_PREFIX,
    tags=["roster"],
    dependencies=[Depends(_hub_only)],
    responses={status: {"model": Refusal} for status in (401, 403, 404, 422, 429)},
)


@router.post("/sign-ins")
async def sign_in(attempt: SignIn, centre: CentreOf) -> Person:
    """The person, if this is their password. 429 carries `fields.wait_s` and `Retry-After`."""
    found = await centre.passwords.run(
        centre.cohorts.sign_ins.sign_in, attempt.name, attempt.password, attempt.language
    )
    return _person(centre, found)


@router.get("/people/{name}")
async def read_person(name: str, centre: CentreOf) -> Person:
    """The person of that name."""
    return _person(centre, await to_thread.run_sync(centre.cohorts.roster.person, name))


@router.post("/people/{name}/server-plans")
async def plan_server(name: str, centre: CentreOf) -> ServerPlan:
    """What to start for that person now; 403 if they may not start a server."""
    plan = await to_thread.run_sync(centre.cohorts.roster.plan_server, name)
    lessons = [Lesson(course=lesson.course, assignment=lesson.assignment) for lesson in plan.lessons]
    return ServerPlan.model_validate({**_fields(plan), "lessons": lessons})


def _fields(plan: model.ServerPlan) -> dict[str, object]:
    return {"name": plan.name, "uid": plan.uid, "language": plan.language}


def _person(centre: CentreOf, person: model.Person) -> Person:
    return Person.model_validate(
        {
            "name": person.name,
            "display_name": person.display_name,
            "language": centre.cohorts.roster.language_of(person),
            "active": person.active,
            "roles": person.roles,
            "groups": person.groups,
            "credentials_version": person.credentials_version,
        }
    )

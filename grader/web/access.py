"""Who is asking: learners' programs by a JupyterHub token, people by a page session, the `practicum` service by its own.

Nothing is remembered between requests: whose a token is, JupyterHub says each time, and which courses they have, the roster.
"""

import re
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader

from grader.people import Person
from grader.web.desk import SERVICE, Desk, desk_of
from grader.web.errors import CourseNotTaughtError
from hub.errors import NotActiveError
from hub.web.errors import TokenInvalidError
from hub.web.front import form_visitor, page_visitor, stream_visitor
from hub.web.page_session import SignedIn, is_token

DeskOf = Annotated[Desk, Depends(desk_of)]

Visitor = SignedIn[Person]
PageVisitor = Annotated[Visitor, Depends(page_visitor)]
FormVisitor = Annotated[Visitor, Depends(form_visitor)]
StreamVisitor = Annotated[Visitor, Depends(stream_visitor)]

_authorization = APIKeyHeader(
    name="Authorization",
    auto_error=False,
    description="`token T`, T a JupyterHub token of the learner that may access this service.",
)
_TOKEN = re.compile(r"(?:token|bearer) +([!-~]{1,512})", re.IGNORECASE)

Authorization = Annotated[str | None, Security(_authorization)]


async def token_learner(desk: DeskOf, authorization: Authorization) -> Person:
    """The owner of the token, if it was made for this service. Raises `TokenInvalidError`, `NotActiveError`."""
    token = _token_in(authorization)
    owner = await desk.jupyterhub.owner_of(token) if token else None
    if owner is None or not owner.may_access(SERVICE):
        raise TokenInvalidError
    person = await desk.people.person(owner.name)
    if not person.active:
        raise NotActiveError
    return person


async def practicum_only(desk: DeskOf, authorization: Authorization) -> None:
    """Return if the `practicum` service asks; raises `TokenInvalidError`."""
    token = _token_in(authorization)
    if not token or not is_token(token, desk.practicum_token):
        raise TokenInvalidError


Learner = Annotated[Person, Depends(token_learner)]


def check_teaches(person: Person, course: str) -> None:
    """Return if this person teaches the course; raises `CourseNotTaughtError`, also where there is no such course."""
    if course not in person.taught:
        raise CourseNotTaughtError


async def page_instructor(request: Request, visitor: PageVisitor) -> Visitor:
    """Somebody who opens a page of a course they teach."""
    check_teaches(visitor.person, request.path_params["course"])
    return visitor


async def form_instructor(request: Request, visitor: FormVisitor) -> Visitor:
    """Somebody who submits a form of a course they teach."""
    check_teaches(visitor.person, request.path_params["course"])
    return visitor


async def stream_instructor(request: Request, visitor: StreamVisitor) -> Visitor:
    """Somebody whose page of a course they teach listens to events."""
    check_teaches(visitor.person, request.path_params["course"])
    return visitor


PageInstructor = Annotated[Visitor, Depends(page_instructor)]
FormInstructor = Annotated[Visitor, Depends(form_instructor)]
StreamInstructor = Annotated[Visitor, Depends(stream_instructor)]


def _token_in(authorization: str | None) -> str:
    match = _TOKEN.fullmatch((authorization or "").strip())
    return match[1] if match else ""

"""What the `practicum` service knows about people, asked anew at every request: a membership that ended a second ago has ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import quote

import httpx

from grader.errors import GraderError

_DEADLINE = httpx.Timeout(10, connect=3)


class PeopleUnreachableError(GraderError):
    """The `practicum` service does not answer, or not in a way that can be understood."""

    code = "people-unreachable"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    sentence = "The centre is restarting. Nothing is lost; try again in a few seconds."


class PersonUnknownError(GraderError):
    """JupyterHub knows somebody whom the roster does not."""

    code = "person-unknown"
    status = HTTPStatus.FORBIDDEN
    sentence = "You are not on this centre's roster. Ask your administrator to add you."


@dataclass(frozen=True, slots=True)
class Membership:
    """A role in a cohort, and the courses that cohort takes."""

    cohort: str
    cohort_name: str
    role: str
    courses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on the roster at this moment."""

    name: str
    display_name: str
    language: str | None
    active: bool
    administers: bool
    memberships: tuple[Membership, ...] = ()

    @property
    def learned(self) -> tuple[str, ...]:
        """Courses this person takes, each once."""
        return self._courses("learner")

    @property
    def taught(self) -> tuple[str, ...]:
        """Courses this person teaches, each once."""
        return self._courses("instructor")

    def cohorts_learning(self, course: str) -> tuple[str, ...]:
        """Slugs of the cohorts in which this person takes the course."""
        return tuple(each.cohort for each in self.memberships if each.role == "learner" and course in each.courses)

    def cohorts_teaching(self, course: str) -> tuple[Membership, ...]:
        """Memberships by which this person teaches the course."""
        return tuple(each for each in self.memberships if each.role == "instructor" and course in each.courses)

    def _courses(self, role: str) -> tuple[str, ...]:
        mine = (each for each in self.memberships if each.role == role)
        return tuple(dict.fromkeys(course for each in mine for course in each.courses))

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> Self:
        """The person the service describes; raises `PeopleUnreachableError` for what is no description of one."""
        try:
            return cls(
                name=str(answer["name"]),
                display_name=str(answer["display_name"]),
                language=answer["chosen_language"],
                active=answer["active"] is True,
                administers=not {"operator", "administrator"}.isdisjoint(answer["roles"]),
                memberships=tuple(
                    Membership(each["cohort"], each["cohort_name"], each["role"], tuple(each["courses"]))
                    for each in answer["memberships"]
                ),
            )
        except (KeyError, TypeError) as exc:
            raise PeopleUnreachableError from exc


class PeopleClient:
    """Asks the `practicum` service, with a deadline on every wait. Raises `PeopleUnreachableError` where it does not answer."""

    def __init__(self, base_url: str, token: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._http = httpx.AsyncClient(
            base_url=f"{base_url}/services/practicum/api/v1",
            timeout=_DEADLINE,
            limits=httpx.Limits(max_connections=50, max_keepalive_connections=10),
            transport=transport,
            trust_env=False,
            headers={"Authorization": f"Bearer {token}"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._http.aclose()

    async def person(self, name: str) -> Person:
        """The person of that name. Raises `PersonUnknownError`."""
        return Person.from_json(await self._ask("GET", f"/people/{quote(name, safe='')}"))

    async def people_of(self, course: str) -> Sequence[Person]:
        """Everybody who learns or teaches the course, by name."""
        answer = await self._ask("GET", f"/courses/{quote(course, safe='')}/people")
        return [Person.from_json(each) for each in answer.get("people", ())]

    async def set_language(self, name: str, language: str) -> None:
        """Keep the person's choice of a language."""
        await self._ask("PUT", f"/people/{quote(name, safe='')}/language", {"language": language})

    async def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Mapping[str, Any]:
        try:
            answer = await self._http.request(method, path, json=body)
            if answer.status_code == HTTPStatus.NOT_FOUND:
                raise PersonUnknownError
            answer.raise_for_status()
            values = answer.json() if answer.content else {}
        except (httpx.HTTPError, ValueError) as exc:
            raise PeopleUnreachableError from exc
        if not isinstance(values, dict):
            raise PeopleUnreachableError
        return values

"""What the `grader` service knows of somebody's lessons: which are released to them, and what to say beside each."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

import httpx

log = logging.getLogger(__name__)

_DEADLINE = httpx.Timeout(1.0)
"""Nobody waits long for a page, or for a server, because another service does not answer."""


@dataclass(frozen=True, slots=True)
class DueLine:
    """Plain text in the reader's language, and the path it leads to."""

    text: str
    url: str


class DueLines:
    """Asks the grader, with a short deadline."""

    def __init__(self, grader_url: str, token: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._http = httpx.AsyncClient(
            base_url=f"{grader_url}/services/grader/api/v1",
            timeout=_DEADLINE,
            transport=transport,
            trust_env=False,
            headers={"Authorization": f"Bearer {token}"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._http.aclose()

    async def of(self, person: Mapping[str, Any], language: str) -> dict[tuple[str, str], DueLine] | None:
        """A line for each lesson released to a person as the roster API describes them, by (course, assignment).

        None when the grader does not answer, which says nothing about any lesson.
        """
        path = f"/people/{quote(str(person['name']), safe='')}/due-lines"
        try:
            answer = await self._http.post(path, params={"language": language}, json=dict(person))
            answer.raise_for_status()
            return {
                (each["course"], each["assignment"]): DueLine(str(each["text"]), str(each["url"]))
                for each in answer.json()["lines"]
            }
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as exc:
            log.info("no due dates from the grader: %s", exc or type(exc).__name__)
            return None

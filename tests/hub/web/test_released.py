"""Lessons that are not released stay out of homes and off the home page; where the grader does not answer, nothing is given away."""

from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI

from hub.cohorts.service import CohortService
from hub.web.due_lines import DueLines
from tests.hub.web.browser import Browser
from tests.hub.web.conftest import HUB_TOKEN

AUDIT = {
    "course": "data-processing",
    "assignment": "quality-audit",
    "text": "Due tomorrow",
    "url": "/services/grader/x",
}


class Grader:
    """The grader's answer: what is released to whoever is asked about, or a failure."""

    def __init__(self) -> None:
        self.answer = httpx.Response(200, json={"lines": [AUDIT]})
        self.asked: list[str] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        return self.answer


@pytest.fixture
def grader(app: FastAPI) -> Grader:
    made = Grader()
    due_lines = DueLines("http://grader", "t", httpx.MockTransport(made.handle))
    object.__setattr__(app.state.centre, "due_lines", due_lines)
    return made


async def planned(app: FastAPI, name: str) -> list[dict[str, str]]:
    headers = {"Authorization": f"Bearer {HUB_TOKEN}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as hub:
        answer = await hub.post(f"/services/practicum/api/v1/people/{name}/server-plans", headers=headers, json={})
    assert answer.status_code == 200
    found: list[dict[str, str]] = answer.json()["lessons"]
    return found


async def test_a_released_lesson_is_planned_and_shown(
    app: FastAPI, grader: Grader, visit: Callable[..., Browser]
) -> None:
    assert await planned(app, "lin.na") == [{"course": "data-processing", "assignment": "quality-audit"}]
    assert grader.asked == ["/services/grader/api/v1/people/lin.na/due-lines"]
    page = await visit("lin.na").open("/services/practicum/")
    assert "Due tomorrow" in page.text


async def test_a_lesson_taken_back_is_neither_but_who_teaches_it_has_it(
    app: FastAPI, grader: Grader, visit: Callable[..., Browser], cohorts: CohortService
) -> None:
    grader.answer = httpx.Response(200, json={"lines": []})
    assert await planned(app, "lin.na") == []
    assert "quality-audit" not in (await visit("lin.na").open("/services/practicum/")).text
    assert await planned(app, "ian") == [{"course": "data-processing", "assignment": "quality-audit"}]


@pytest.mark.parametrize(
    "answer", [httpx.Response(500), httpx.Response(200, text="not JSON"), httpx.Response(200, json={"lines": [{}]})]
)
async def test_without_the_grader_nothing_new_is_put_into_a_home_and_the_page_stays(
    app: FastAPI, grader: Grader, visit: Callable[..., Browser], answer: httpx.Response
) -> None:
    grader.answer = answer
    assert await planned(app, "lin.na") == []
    page = await visit("lin.na").open("/services/practicum/")
    assert page.status_code == 200
    assert "quality-audit" in page.text

"""The practicum service's home page and the grader, each the real application, speaking to one another."""

from collections.abc import Mapping
from datetime import timedelta

import httpx
import pytest

from grader.store.model import ReleasedFeedback, Work
from grader.store.releases import Releases
from hub.web.due_lines import DueLine, DueLines
from tests.grader.autograde.samples import RIGHT
from tests.grader.web.conftest import API, GRADER_TOKEN, MINE, School

LIN = {
    "name": "lin.na",
    "display_name": "林娜",
    "chosen_language": None,
    "active": True,
    "roles": ["learner"],
    "memberships": [{"cohort": "spring", "cohort_name": "Spring", "role": "learner", "courses": ["birds"]}],
}


async def lines(school: School, language: str = "en") -> Mapping[tuple[str, str], DueLine]:
    async with DueLines("http://grader", GRADER_TOKEN, httpx.ASGITransport(school.app)) as client:
        return await client.of(LIN, language)


async def test_a_line_says_what_matters_now(school: School) -> None:
    assert await lines(school) == {}
    school.offer(due_at=school.clock.now() + timedelta(days=2, hours=1))
    assert await lines(school) == {("birds", "weigh"): DueLine("Due Thu 3 Sep, 17:00 · in 2 days", MINE)}
    assert (await lines(school, "zh-CN"))["birds", "weigh"].text == "截止 9月3日 周四 17:00 · 2 天后"
    school.submit("lin.na", school.birds.learner(RIGHT))
    assert (await lines(school))["birds", "weigh"].text == "Submitted"
    school.grading.service.enqueue("birds", "weigh", requested_by="ian")
    school.drain()
    work = Work("birds", "weigh", "lin.na")
    marks = school.grading.reader.of(work)
    assert marks is not None
    with school.grading.database.writing() as connection:
        Releases(connection).put(ReleasedFeedback(work, marks.job.id, "0" * 64, 2.5, 3, "ian", school.clock.now()))
    assert (await lines(school))["birds", "weigh"].text == "Feedback is here: 2.5 of 3 points"


@pytest.mark.parametrize("token", ["token server-token-of-lin.na", "Bearer x", "", f"Basic {GRADER_TOKEN}"])
async def test_only_the_practicum_service_may_ask(school: School, token: str) -> None:
    school.token("lin.na")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(school.app), base_url=f"http://grader{API}") as client:
        answer = await client.post("/people/lin.na/due-lines", json=LIN, headers={"authorization": token})
        assert (answer.status_code, answer.json()["code"]) == (401, "token-invalid")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"name": "wang.wei"}', b'{"name": "lin.na"}', b"\xff"])
async def test_a_body_that_describes_somebody_else_or_nobody_is_refused(school: School, body: bytes) -> None:
    headers = {"authorization": f"Bearer {GRADER_TOKEN}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(school.app), base_url=f"http://grader{API}") as client:
        answer = await client.post("/people/lin.na/due-lines", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")


@pytest.mark.parametrize("failure", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow")])
async def test_a_grader_that_is_down_or_slow_costs_the_home_page_nothing(failure: Exception) -> None:
    def fail(_request: httpx.Request) -> httpx.Response:
        raise failure

    async with DueLines("http://grader", GRADER_TOKEN, httpx.MockTransport(fail)) as client:
        assert await client.of(LIN, "en") is None


@pytest.mark.parametrize("content", [b"<html>", b"[]", b'{"lines": [{}]}', b'{"lines": 5}'])
async def test_an_answer_that_makes_no_sense_costs_it_nothing_either(content: bytes) -> None:
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, content=content))
    async with DueLines("http://grader", GRADER_TOKEN, transport) as client:
        assert await client.of(LIN, "en") is None

import json
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.datastructures import UploadFile

from hub.cohorts.service import CohortService
from hub.leases.desk import LeaseDesk
from hub.leases.model import Ask, Session, SessionKind
from tests.docs.lease_api import openapi as lease_openapi
from tests.hub.web.browser import HOME, NAVIGATION, Browser, form_of
from tests.hub.web.conftest import GRADER_TOKEN, HUB_TOKEN

API = "/services/practicum/api/v1"
PASSWORD = "correct horse staple"


@pytest.fixture
async def hub(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """JupyterHub's side of the conversation; it sends no browser headers."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {HUB_TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1", headers=headers) as client:
        yield client


async def test_a_person_with_roles_and_groups(hub: httpx.AsyncClient) -> None:
    answer = await hub.get(f"{API}/people/lin.na")
    assert answer.json() == {
        "name": "lin.na",
        "display_name": "林娜",
        "language": "en",
        "chosen_language": None,
        "active": True,
        "roles": ["learner"],
        "groups": ["nbgrader-data-processing"],
        "credentials_version": 1,
        "memberships": [
            {"cohort": "spring", "cohort_name": "Spring 2026", "role": "learner", "courses": ["data-processing"]}
        ],
    }
    assert (await hub.get(f"{API}/people/olga")).json()["roles"] == ["operator"]


async def test_signing_in_and_every_refusal(hub: httpx.AsyncClient, cohorts: CohortService) -> None:
    cohorts.invitations.redeem(cohorts.invitations.issue("lin.na").token, PASSWORD)
    body = {"name": "lin.na", "password": PASSWORD, "language": "zh-CN"}
    answer = await hub.post(f"{API}/sign-ins", json=body)
    assert (answer.status_code, answer.json()["language"]) == (200, "zh-CN")
    answer = await hub.post(f"{API}/sign-ins", json={**body, "password": "wrong"})
    assert (answer.status_code, answer.json()["code"], answer.json()["fields"]) == (401, "wrong-password", {})
    for _ in range(4):
        await hub.post(f"{API}/sign-ins", json={**body, "password": "wrong"})
    answer = await hub.post(f"{API}/sign-ins", json=body)
    assert (answer.status_code, answer.json()["fields"], answer.headers["retry-after"]) == (429, {"wait_s": 5}, "5")
    assert answer.json()["sentence"] % answer.json()["fields"] == (
        "Too many failed attempts for this account. Wait 5 seconds, then try again."
    )
    cohorts.invitations.redeem(cohorts.invitations.issue("lin.na").token, PASSWORD)
    cohorts.roster.set_active("lin.na", False)
    answer = await hub.post(f"{API}/sign-ins", json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "not-active")


async def test_a_server_plan(hub: httpx.AsyncClient, cohorts: CohortService) -> None:
    answer = await hub.post(f"{API}/people/lin.na/server-plans", json={})
    assert answer.json() == {
        "name": "lin.na",
        "uid": 200_000,
        "language": "en",
        "lessons": [{"course": "data-processing", "assignment": "quality-audit"}],
        "share": None,
    }
    cohorts.roster.set_active("lin.na", False)
    answer = await hub.post(f"{API}/people/lin.na/server-plans", json={})
    assert (answer.status_code, answer.json()["code"]) == (403, "not-active")
    assert (await hub.post(f"{API}/people/nobody/server-plans", json={})).status_code == 404


async def test_a_server_plan_has_the_share_that_is_held_at_that_moment(
    hub: httpx.AsyncClient, leases: LeaseDesk
) -> None:
    async def share() -> dict[str, object] | None:
        found: dict[str, object] | None = (await hub.post(f"{API}/people/lin.na/server-plans", json={})).json()["share"]
        return found

    session = Session(SessionKind.SERVER, "lin.na")
    others = Session(SessionKind.SERVER, "wang.wei")
    whole = await leases.acquire(Ask("1", others, "wang.wei", "spring", "", "cpu.whole"))
    lease = await leases.acquire(Ask("2", session, "lin.na", "spring", "", "cpu.quarter"))
    assert await share() is None  # it waits
    await leases.release(whole.id)
    assert await share() is None  # it is offered
    lease = await leases.claim(lease.id)
    assert await share() == {
        "lease": lease.id,
        "fence": lease.fence,
        "profile": "cpu.quarter",
        "pool": "cpu",
        "engine": "cpu",
        "node": "machine",
        "simulated": False,
        "cpu_milli": 1000,
        "memory_mib": 2048,
        "devices": [],
    }
    await leases.release(lease.id)
    assert await share() is None


async def test_a_share_of_a_simulated_device_brings_no_processors(hub: httpx.AsyncClient, leases: LeaseDesk) -> None:
    session = Session(SessionKind.SERVER, "lin.na")
    await leases.acquire(Ask("1", session, "lin.na", "spring", "", "h100-80gb.eighth"))
    share = (await hub.post(f"{API}/people/lin.na/server-plans", json={})).json()["share"]
    assert (share["engine"], share["simulated"], share["cpu_milli"], share["memory_mib"]) == ("slice", True, 0, 0)
    (device,) = share["devices"]
    assert (device["compute_milli"], device["simulated"]) == (125, True)


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer x", f"Basic {HUB_TOKEN}", "Bearer 😀".encode()])
async def test_nobody_without_the_hubs_token_learns_anything(hub: httpx.AsyncClient, token: str | bytes) -> None:
    for method, path in (
        ("GET", "/people/lin.na"),
        ("GET", "/people/nobody"),
        ("POST", "/people/lin.na/server-plans"),
        ("POST", "/sign-ins"),
        ("PUT", "/people/lin.na/language"),
        ("GET", "/courses/data-processing/people"),
    ):
        answer = await hub.request(
            method,
            API + path,
            json={"name": "lin.na", "password": "x"},
            headers={b"authorization": token if isinstance(token, bytes) else token.encode()},
        )
        assert (answer.status_code, answer.json()["code"]) == (401, "token-invalid")


async def test_the_api_is_described_and_describes_nothing_else(hub: httpx.AsyncClient) -> None:
    description = (await hub.get(f"{API}/openapi.json")).json()
    assert set(description["paths"]) == {
        *lease_openapi()["paths"],
        f"{API}/sign-ins",
        f"{API}/people/{{name}}",
        f"{API}/people/{{name}}/server-plans",
        f"{API}/people/{{name}}/language",
        f"{API}/courses/{{course}}/people",
    }


async def test_the_grader_asks_about_people_and_courses_and_nothing_else(hub: httpx.AsyncClient) -> None:
    grader = {"authorization": f"Bearer {GRADER_TOKEN}"}
    assert (await hub.get(f"{API}/people/lin.na", headers=grader)).status_code == 200
    answer = await hub.get(f"{API}/courses/data-processing/people", headers=grader)
    assert [each["name"] for each in answer.json()["people"]] == ["ian", "lin.na", "wang.wei"]
    assert (await hub.get(f"{API}/courses/nothing/people", headers=grader)).json() == {"people": []}
    for path in ("/sign-ins", "/people/lin.na/server-plans"):
        answer = await hub.post(API + path, json={"name": "lin.na", "password": PASSWORD}, headers=grader)
        assert answer.status_code == 401


async def test_a_language_chosen_at_another_service_is_kept(hub: httpx.AsyncClient) -> None:
    grader = {"authorization": f"Bearer {GRADER_TOKEN}"}
    answer = await hub.put(f"{API}/people/lin.na/language", json={"language": "zh-CN"}, headers=grader)
    assert answer.status_code == 204
    assert (await hub.get(f"{API}/people/lin.na")).json()["language"] == "zh-CN"
    answer = await hub.put(f"{API}/people/lin.na/language", json={"language": "tlh"}, headers=grader)
    assert answer.status_code == 422


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
sign_in_bodies = json_values | st.fixed_dictionaries(
    {"name": json_values | st.text(max_size=400), "password": json_values | st.text(max_size=400)},
    optional={"language": json_values},
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=sign_in_bodies, raw=st.binary(max_size=60), name=st.text(max_size=60))
async def test_no_input_whatever_is_a_failure_of_ours(
    hub: httpx.AsyncClient, body: object, raw: bytes, name: str
) -> None:
    content = json.dumps(body).encode()  # keeps lone surrogates and NaN, as a careless client would
    answers = [
        await hub.post(f"{API}/sign-ins", content=content, headers={"content-type": "application/json"}),
        await hub.post(f"{API}/sign-ins", content=raw, headers={"content-type": "application/json"}),
        await hub.get(f"{API}/people/{quote(name, safe='', errors='replace')}"),
        await hub.post(f"{API}/people/{quote(name, safe='', errors='replace')}/server-plans", content=raw),
    ]
    for answer in answers:
        assert answer.status_code < 500
        if answer.status_code >= 400 and answer.headers["content-type"] == "application/json":
            assert set(answer.json()) == {"code", "sentence", "fields"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.dictionaries(st.sampled_from(["name", "display_name", "role", "cohort", "form_token", "password", "password_again", "language", "next", "lesson", "active"]), st.text(max_size=120), max_size=8), path=st.sampled_from(["people", "people/x/link", "account/password", "invitations/x", "language", "server/start", "sign-out", "nothing"]), raw=st.binary(max_size=80), kind=st.sampled_from(["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data", "text/plain", ""]))  # fmt: skip
async def test_no_form_whatever_is_a_failure_of_ours(
    hub: httpx.AsyncClient, data: dict[str, str], path: str, raw: bytes, kind: str
) -> None:
    for answer in (
        await hub.post(HOME + path, data=data, headers=NAVIGATION),
        await hub.post(HOME + path, content=raw, headers={**NAVIGATION, "content-type": kind}),
    ):
        assert answer.status_code < 500, answer.text


async def test_a_file_that_came_with_a_form_is_closed(
    visit: Callable[..., Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []
    close = UploadFile.close

    async def noted(file: UploadFile) -> None:
        closed.append(file.filename)
        await close(file)

    monkeypatch.setattr(UploadFile, "close", noted)
    browser = visit("lin.na")
    page = await browser.open(HOME)
    action, fields = form_of(page, "sign-out")
    await browser.post(action, data=fields, files={"unasked": ("a.bin", b"x" * 100)}, headers=NAVIGATION)
    assert closed == ["a.bin"]

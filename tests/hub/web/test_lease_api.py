"""The lease API over HTTP with a real desk on SQLite; every refusal that comes is one the OpenAPI document announces."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given
from hypothesis import settings as example_settings
from hypothesis import strategies as st
from pydantic import BaseModel

from hub.clock import ManualClock
from hub.leases.desk import LeaseDesk
from hub.leases.model import EndReason
from hub.web import lease_payloads
from hub.web.lean_route import MAX_BODY_BYTES
from tests.docs.lease_api import openapi
from tests.hub.web.conftest import GRADER_TOKEN, HUB_TOKEN

API = "/services/practicum/api/v1"
HALF = "h100-80gb.half"
DOCUMENT = openapi()


class Service:
    """A service of the centre as a client. Whatever it is refused must be documented."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self._http = http
        self.headers = {"authorization": f"Bearer {token}"} if token else {}

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = await self._http.request(method, API + path, headers=self.headers, **options)
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            body = answer.json()
            assert set(body) == {"code", "sentence", "fields"}
            body["sentence"] % body["fields"]
            assert body["code"] in _documented(method, path, answer.status_code), body
        return answer

    async def acquire(self, name: str, profile: str = HALF, **body: Any) -> httpx.Response:
        return await self.ask("POST", "/leases", json=an_ask(name, profile=profile, **body))

    async def held(self, name: str, **body: Any) -> dict[str, Any]:
        answer = await self.acquire(name, **body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


def an_ask(name: str, **body: Any) -> dict[str, Any]:
    return {"key": f"key-{name}", "session": {"kind": "server", "name": name}, "owner": name, "profile": HALF, **body}


def _documented(method: str, path: str, status: int) -> list[str]:
    """The codes that the operation's documentation has for that status."""
    bare = unquote(API + path.partition("?")[0])
    for template, operations in DOCUMENT["paths"].items():
        if method.lower() in operations and re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), bare, re.DOTALL):
            return list(operations[method.lower()]["responses"].get(str(status), {}).get("x-codes", ()))
    return ["page-not-found", "method-not-allowed"]


def shaped(model: type[BaseModel], answer: httpx.Response) -> dict[str, Any]:
    """The answer, which holds exactly what its model says."""
    body = dict(answer.json())
    model.model_validate_json(answer.content)
    assert set(body) == set(model.model_fields)
    return body


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as client:
        yield client


@pytest.fixture
def hub(http: httpx.AsyncClient) -> Service:
    """JupyterHub."""
    return Service(http, HUB_TOKEN)


@pytest.fixture
def grader(http: httpx.AsyncClient) -> Service:
    return Service(http, GRADER_TOKEN)


async def test_a_share_is_held_shown_and_given_back(hub: Service) -> None:
    answer = await hub.acquire("lin.na", cohort="spring", organisation="华南制造")
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    lease = shaped(lease_payloads.LeasePayload, answer)
    assert lease["status"] == "held"
    assert lease["session"] == {"kind": "server", "name": "lin.na"}
    assert (lease["owner"], lease["cohort"], lease["organisation"]) == ("lin.na", "spring", "华南制造")
    assert [part["compute_milli"] for part in lease["placement"]["devices"]] == [500]
    assert (await hub.ask("GET", f"/leases/{lease['id']}")).json() == lease
    ended = shaped(lease_payloads.LeasePayload, await hub.ask("DELETE", f"/leases/{lease['id']}"))
    assert (ended["status"], ended["reason"]) == ("ended", "released")
    again = await hub.ask("DELETE", f"/leases/{lease['id']}")
    assert (again.status_code, again.json()) == (200, ended)


async def test_the_same_key_is_the_same_lease_and_another_body_with_it_is_refused(hub: Service) -> None:
    first = await hub.acquire("lin.na")
    again = await hub.acquire("lin.na")
    assert (again.status_code, again.json()) == (200, first.json())
    other = await hub.acquire("lin.na", profile="h100-80gb.eighth")
    assert (other.status_code, other.json()["code"]) == (409, "lease-key-reused")
    await hub.ask("DELETE", f"/leases/{first.json()['id']}")
    assert (await hub.acquire("lin.na")).json()["status"] == "ended"


async def test_a_session_has_one_live_lease(hub: Service) -> None:
    lease = await hub.held("lin.na")
    answer = await hub.acquire("lin.na", key="another")
    assert (answer.status_code, answer.json()["fields"]) == (409, {"lease": lease["id"]})


async def test_who_waits_has_a_place_is_offered_and_claims(hub: Service) -> None:
    holders = [await hub.held(f"holder-{number}") for number in range(4)]
    answers = [await hub.acquire(f"waiter-{number}") for number in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    first, second = (answer.json() for answer in answers)
    assert [each["outlook"]["position"] for each in (first, second)] == [1, 2]
    assert first["outlook"]["why"] == "devices-full"
    early = await hub.ask("POST", f"/leases/{first['id']}/claim")
    assert (early.status_code, early.json()["code"]) == (409, "lease-waiting")
    await hub.ask("DELETE", f"/leases/{holders[0]['id']}?fence={holders[0]['fence']}")
    offered = (await hub.ask("GET", f"/leases/{first['id']}")).json()
    assert offered["status"] == "offered"
    assert offered["claim_by"] > offered["offered_at"]
    claimed = (await hub.ask("POST", f"/leases/{first['id']}/claim")).json()
    assert claimed["status"] == "held"
    assert claimed["fence"] > max(holder["fence"] for holder in holders)
    assert (await hub.ask("POST", f"/leases/{first['id']}/claim")).json() == claimed
    left = (await hub.ask("DELETE", f"/leases/{second['id']}")).json()
    assert left["reason"] == "cancelled"
    gone = await hub.ask("POST", f"/leases/{second['id']}/claim")
    assert (gone.status_code, gone.json()["code"]) == (410, "lease-ended")


async def test_who_would_not_wait_is_refused_when_all_is_taken(hub: Service) -> None:
    for number in range(4):
        await hub.held(f"holder-{number}")
    answer = await hub.acquire("lin.na", wait=False)
    assert (answer.status_code, answer.json()["code"]) == (409, "devices-full")


async def test_only_the_holder_gives_signs_of_life_and_gives_back_by_fence(hub: Service) -> None:
    lease = await hub.held("lin.na", patience_s=30)
    path = f"/leases/{lease['id']}"
    seen = await hub.ask("POST", f"{path}/heartbeat", json={"fence": lease["fence"]})
    assert seen.json()["seen_at"] is not None
    for method, address, options in (
        ("POST", f"{path}/heartbeat", {"json": {"fence": lease["fence"] + 1}}),
        ("DELETE", f"{path}?fence={lease['fence'] + 1}", {}),
    ):
        answer = await hub.ask(method, address, **options)
        assert (answer.status_code, answer.json()["code"]) == (409, "fence-stale")
    await hub.ask("DELETE", f"{path}?fence={lease['fence']}")
    late = await hub.ask("POST", f"{path}/heartbeat", json={"fence": lease["fence"]})
    assert (late.status_code, late.json()["code"]) == (410, "lease-ended")


async def test_quotas_are_set_shown_and_hold(hub: Service) -> None:
    pool = (await hub.held("lin.na"))["pool"]
    body = {"cohort_milli": 500, "learner_milli": 250}
    quota = shaped(lease_payloads.QuotaPayload, await hub.ask("PUT", f"/quotas/spring/{pool}", json=body))
    assert quota == {
        "cohort": "spring",
        "pool": pool,
        "guaranteed_milli": 0,
        "borrow_milli": None,
        "weight": 1,
        **body,
    }
    assert (await hub.ask("GET", "/quotas")).json() == {"quotas": [quota]}
    refused = await hub.acquire("wang.wei", cohort="spring")
    assert (refused.status_code, refused.json()["code"]) == (403, "quota-exceeded")
    shares = (await hub.ask("GET", "/shares?owner=wang.wei&cohort=spring")).json()["shares"]
    assert {each["profile"]: each["refusal"] for each in shares}[HALF] == "learner-quota"
    for number in range(2):
        await hub.held(f"eighth-{number}", profile="h100-80gb.quarter", cohort="spring")
    full = await hub.acquire("zhao.yun", profile="h100-80gb.quarter", cohort="spring", wait=False)
    assert (full.status_code, full.json()["code"]) == (409, "quota-used-up")


async def test_shares_devices_and_leases_are_listed(hub: Service, grader: Service) -> None:
    lease = await hub.held("lin.na")
    shares = shaped(lease_payloads.SharesPayload, await hub.ask("GET", "/shares?owner=lin.na"))["shares"]
    free = {each["profile"]: each["free"] for each in shares if each["simulated"]}
    assert free == {
        "h100-80gb.whole": 1,
        HALF: 3,
        "h100-80gb.quarter": 6,
        "h100-80gb.eighth": 12,
    }
    assert [each["profile"] for each in shares if not each["simulated"]] == [
        *("cpu.whole", "cpu.half", "cpu.quarter", "cpu.eighth")
    ]
    assert all(each["refusal"] is None for each in shares)
    devices = shaped(lease_payloads.DevicesPayload, await grader.ask("GET", "/devices"))["devices"]
    assert sorted(len(device["leases"]) for device in devices) == [0, 0, 1]
    (held,) = [one for device in devices for one in device["leases"]]
    assert (held["id"], held["owner"], held["fence"]) == (lease["id"], "lin.na", lease["fence"])
    await hub.ask("DELETE", f"/leases/{(await hub.held('wang.wei'))['id']}")
    for query, names in (
        ("", ["lin.na"]),
        ("?live=false", ["wang.wei", "lin.na"]),
        ("?owner=wang.wei&live=false", ["wang.wei"]),
        ("?session=lin.na", ["lin.na"]),
        ("?limit=1&live=false", ["wang.wei"]),
    ):
        found = shaped(lease_payloads.LeasesPayload, await hub.ask("GET", f"/leases{query}"))["leases"]
        assert [one["owner"] for one in found] == names, query
    assert (await grader.ask("GET", "/leases?live=false")).json() == {"leases": []}
    assert (await hub.ask("GET", "/leases?limit=0")).status_code == 422


async def test_each_service_acts_on_its_own_sessions_alone(hub: Service, grader: Service) -> None:
    server = await hub.held("lin.na")
    job = await grader.held("job-7", session={"kind": "grading", "name": "job-7"})
    for service, other, session in ((hub, job, "grading"), (grader, server, "server")):
        path = f"/leases/{other['id']}"
        for method, address, options in (
            ("POST", "/leases", {"json": an_ask("x", session={"kind": session, "name": "x"})}),
            ("GET", path, {}),
            ("GET", f"{path}/events", {}),
            ("POST", f"{path}/claim", {}),
            ("POST", f"{path}/heartbeat", {"json": {"fence": other["fence"]}}),
            ("DELETE", path, {}),
        ):
            answer = await service.ask(method, address, **options)
            assert (answer.status_code, answer.json()["code"]) == (403, "session-foreign"), address
    assert (await grader.ask("PUT", "/quotas/spring/x", json={})).json()["code"] == "session-foreign"
    assert [one["status"] for one in (await hub.ask("GET", "/leases")).json()["leases"]] == ["held"]


@pytest.mark.parametrize("token", ["", "x", f"{HUB_TOKEN}x", "令牌"])
async def test_nobody_without_a_token_learns_anything(http: httpx.AsyncClient, hub: Service, token: str) -> None:
    lease = await hub.held("lin.na")
    path = f"/leases/{lease['id']}"
    stranger = Service(http, "")
    stranger.headers = {b"authorization": f"Bearer {token}".encode()} if token else {}  # type: ignore[dict-item]
    for method, address in (
        ("POST", "/leases"),
        ("GET", "/leases"),
        ("GET", path),
        ("GET", f"{path}/events"),
        ("POST", f"{path}/claim"),
        ("POST", f"{path}/heartbeat"),
        ("DELETE", path),
        ("GET", "/shares?owner=lin.na"),
        ("GET", "/devices"),
        ("GET", "/quotas"),
        ("PUT", "/quotas/spring/x"),
    ):
        answer = await stranger.ask(method, address)
        assert (answer.status_code, answer.json()["code"]) == (401, "token-invalid"), address


async def test_a_watcher_is_told_of_every_step_until_the_end(hub: Service, leases: LeaseDesk) -> None:
    holders = [await hub.held(f"holder-{number}") for number in range(4)]
    waiter = (await hub.acquire("lin.na")).json()

    async def told() -> list[str]:
        stream = await hub.ask("GET", f"/leases/{waiter['id']}/events")
        events = re.findall(r"^event: lease\ndata: (.*)$", stream.text, re.MULTILINE)
        return [f"{event['status']} {event['reason'] or ''}".strip() for event in map(json.loads, events)]

    watching = asyncio.create_task(told())
    await asyncio.sleep(0.4)
    await leases.release(holders[0]["id"])
    await asyncio.sleep(0.6)
    await leases.claim(waiter["id"])
    await asyncio.sleep(0.6)
    await leases.release(waiter["id"], EndReason.REVOKED)
    steps = await asyncio.wait_for(watching, 10)
    assert [step for step, before in zip(steps, ["", *steps], strict=False) if step != before] == [
        "waiting",
        "offered",
        "held",
        "ended revoked",
    ]


async def test_what_is_unknown_is_said_to_be(hub: Service) -> None:
    for method, path in (
        ("GET", "/leases/nothing"),
        ("DELETE", f"/leases/{'0' * 32}"),
        ("POST", "/leases/%F0%9F%98%80/claim"),
        ("GET", "/leases/%00"),
        ("GET", "/leases/x/events"),
    ):
        answer = await hub.ask(method, path)
        assert (answer.status_code, answer.json()["code"]) == (404, "lease-unknown"), path
    assert (await hub.acquire("lin.na", profile="b200.half")).json()["code"] == "share-unknown"
    assert (await hub.ask("PATCH", "/leases/x")).status_code == 405
    assert (await hub.ask("GET", "/leases/x/y")).status_code == 404


BAD_BODIES: list[tuple[bytes | dict[str, Any], str]] = [
    (b"", "body"),
    (b"\xff\xfe", "body"),
    (b"[]", "body"),
    (b"null", "body"),
    (b'{"key": "\\ud800"}', "body"),
    (b"[" * 5000, "body"),
    (b'{"key":' * 2000, "body"),
    ({"key": ""}, "key"),
    ({"key": "😀"}, "key"),
    ({"key": "a\nb"}, "key"),
    ({"key": "k" * 129}, "key"),
    ({"key": 7}, "key"),
    ({"session": "lin.na"}, "session"),
    ({"session": {"kind": "root", "name": "lin.na"}}, "session.kind"),
    ({"session": {"kind": "server", "name": "../etc"}}, "session.name"),
    ({"session": {"kind": "server", "name": "lin.na", "uid": 0}}, "session.uid"),
    ({"owner": None}, "owner"),
    ({"owner": "lin na"}, "owner"),
    ({"cohort": "a;DROP TABLE lease"}, "cohort"),
    ({"organisation": "x\u202ey"}, "organisation"),
    ({"organisation": "x" * 101}, "organisation"),
    ({"profile": ["cpu.half"]}, "profile"),
    ({"wait": "yes"}, "wait"),
    ({"wait": 1}, "wait"),
    ({"patience_s": -1}, "patience_s"),
    ({"patience_s": 30.0}, "patience_s"),
    ({"patience_s": float("nan")}, "patience_s"),
    ({"patience_s": float("inf")}, "patience_s"),
    ({"patience_s": 10**30}, "patience_s"),
    ({"patience_s": True}, "patience_s"),
    ({"cpu_milli": 1_000_000}, "cpu_milli"),
]


@pytest.mark.parametrize(("body", "field"), BAD_BODIES, ids=[str(body)[:40] for body, _ in BAD_BODIES])
async def test_an_ask_that_makes_no_sense_is_refused_by_field(
    hub: Service, body: bytes | dict[str, Any], field: str
) -> None:
    content = body if isinstance(body, bytes) else json.dumps({**an_ask("lin.na"), **body}).encode()
    answer = await hub.ask("POST", "/leases", content=content)
    assert (answer.status_code, answer.json()["code"]) == (400, "ask-invalid")
    assert answer.json()["fields"]["field"] == field
    assert (await hub.ask("GET", "/leases?live=false")).json() == {"leases": []}


@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 10 * 1024 * 1024])
async def test_a_huge_body_is_refused_before_it_is_read(hub: Service, size: int) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for start in range(0, size, 4096):
            read += 4096
            yield b" " * min(4096, size - start)

    answer = await hub.ask("POST", "/leases", content=body())
    assert (answer.status_code, answer.json()["code"]) == (413, "request-too-large")
    assert read <= MAX_BODY_BYTES + 2 * 4096


@pytest.mark.parametrize(
    "body",
    [
        {"fence": -1},
        {"fence": 0},
        {"fence": 1.5},
        {"fence": "1"},
        {"fence": 2**63},
        {"fence": 10**400},
        {"fence": None},
        {},
    ],
)
async def test_a_fence_is_a_whole_number(hub: Service, body: dict[str, Any]) -> None:
    lease = await hub.held("lin.na")
    answer = await hub.ask("POST", f"/leases/{lease['id']}/heartbeat", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "ask-invalid")
    given = body.get("fence")
    if given is not None:
        answer = await hub.ask("DELETE", f"/leases/{lease['id']}?fence=x{given}")
        assert (answer.status_code, answer.json()["code"]) == (400, "ask-invalid")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("spring/cpu", {"cohort_milli": -1}),
        ("spring/cpu", {"learner_milli": 0.5}),
        ("spring/cpu", {"weight": 0}),
        ("spring/cpu", {"guaranteed_milli": None}),
        ("spring/cpu", {"borrow_milli": 10**20}),
        ("spring/cpu", {"cohort": "spring"}),
        ("%F0%9F%98%80/cpu", {}),
        ("spring/" + "x" * 200, {}),
    ],
)
async def test_a_quota_that_makes_no_sense_is_refused(hub: Service, path: str, body: dict[str, Any]) -> None:
    answer = await hub.ask("PUT", f"/quotas/{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "ask-invalid")
    assert (await hub.ask("GET", "/quotas")).json() == {"quotas": []}


async def test_a_clock_that_goes_back_neither_ends_nor_keeps_a_lease(
    hub: Service, leases: LeaseDesk, clock: ManualClock
) -> None:
    lease = await hub.held("lin.na", patience_s=30)
    clock.step_wall(-7200)
    beat = (await hub.ask("POST", f"/leases/{lease['id']}/heartbeat", json={"fence": lease["fence"]})).json()
    assert beat["seen_at"] >= lease["held_at"]
    await leases.expire()
    assert (await hub.ask("GET", f"/leases/{lease['id']}")).json()["status"] == "held"
    clock.advance(31)
    await leases.expire()
    assert (await hub.ask("GET", f"/leases/{lease['id']}")).json()["reason"] == "expired"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
near_asks = st.fixed_dictionaries(
    {},
    optional={
        "key": json_values | st.just("k"),
        "session": json_values | st.just({"kind": "server", "name": "lin.na"}),
        "owner": json_values | st.just("lin.na"),
        "profile": json_values | st.just(HALF),
        "wait": json_values,
        "patience_s": json_values,
        "cohort": json_values,
    },
)


@example_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=json_values | near_asks, raw=st.binary(max_size=60), word=st.text(max_size=40))
async def test_no_input_whatever_is_a_failure_of_ours(hub: Service, body: object, raw: bytes, word: str) -> None:
    content = json.dumps(body).encode()
    for method, path in (("POST", "/leases"), ("POST", "/leases/x/heartbeat"), ("PUT", "/quotas/spring/cpu")):
        for each in (content, raw):
            await hub.ask(method, path, content=each)
    await hub.ask("GET", f"/leases/x{quote(word, safe='', errors='replace')}")

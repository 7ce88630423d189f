"""Whatever is sent to whichever address: no failure of ours, and nothing said without a sentence."""

import json
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.grader.autograde.samples import RIGHT
from tests.grader.web.conftest import API, GRADER_TOKEN, MINE, School, packed
from tests.hub.web.browser import NAVIGATION, SCRIPT, Browser, form_of

WORK = "/courses/{course}/assignments/{assignment}"
API_PATHS = [
    ("GET", f"{API}/assignments"),
    ("GET", f"{API}{WORK}/release"),
    ("POST", f"{API}{WORK}/uploads"),
    ("GET", f"{API}{WORK}/uploads/{{upload}}"),
    ("PUT", f"{API}{WORK}/uploads/{{upload}}"),
    ("POST", f"{API}{WORK}/uploads/{{upload}}/finish"),
    ("GET", f"{API}{WORK}/feedback/{{upload}}"),
    ("POST", f"{API}/people/{{course}}/due-lines"),
    ("GET", f"{API}/openapi.json"),
]
TEACH, MINE_OF = "/services/grader/teach/{course}/{assignment}", "/services/grader/mine/{course}/{assignment}"
PAGES = [
    ("GET", "/services/grader/"),
    ("GET", "/services/grader/{course}"),
    ("POST", "/services/grader/language"),
    ("GET", "/services/grader/oauth_callback"),
    ("GET", "/services/grader/static/{course}/{assignment}"),
    *(("GET", MINE_OF + end) for end in ("", "/receipts/{upload}", "/feedback")),
    ("POST", MINE_OF + "/upload"),
    *(("GET", TEACH + end) for end in ("", "/marking", "/marks.csv", "/work/{number}", "/work/{number}/preview")),
    ("GET", TEACH + "/marking/{number}/{course}/{upload}"),
    ("POST", TEACH + "/marking/{number}/{assignment}/{upload}"),
    *(("POST", TEACH + end) for end in ("/release", "/take-back", "/grade", "/stop", "/feedback")),
    *(("POST", f"{TEACH}/work/{{number}}/{end}") for end in ("regrade", "choose", "extension", "withdraw")),
]
FIELDS = [
    "due",
    "closes",
    "grace_minutes",
    "attempts",
    "late_percent",
    "cohort",
    "again",
    "unfinished",
    "points",
    "comment",
]
FIELDS += ["hours", "notebook", "grade_id", "candidate", "language", "next", "code", "state"]

text = st.text(max_size=40)
names = st.sampled_from(["birds", "weigh", "lin.na", "..", "%2e%2e", "a" * 300, "*"]) | text
numbers = st.sampled_from(["1", "0", "-1", "99999999999999999999", "1e3", "٣"]) | text
values = (
    st.sampled_from(["", "0", "-1", "1e309", "nan", "2026-09-15T23:59", "9999-12-31T23:59", "0001-01-01T00:00", "en"])
    | text
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["sha256", "size", "name"]) | text, inner, max_size=4),
    max_leaves=6,
)  # fmt: skip
announcements = st.fixed_dictionaries(
    {"sha256": st.sampled_from(["0" * 64, "x"]) | text, "size": st.integers() | json_values}
)
bodies = st.one_of(
    json_values.map(lambda value: json.dumps(value).encode()),
    announcements.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=200),
)
kinds = st.sampled_from(["application/json", "application/octet-stream", "multipart/form-data; boundary=x", "multipart/form-data", "text/plain", "application/x-www-form-urlencoded", "", "\xff"])  # fmt: skip
tokens = st.sampled_from(["token server-token-of-lin.na", f"Bearer {GRADER_TOKEN}", "token nobody", "Bearer", ""])
queries = st.dictionaries(
    st.sampled_from(["offset", "language", "token", "names", "code", "state", "receipt", "x"]), values, max_size=3
)
SETTINGS = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


@pytest.fixture
async def client(school: School) -> AsyncIterator[httpx.AsyncClient]:
    """A learner's server, with an upload begun and a hand-in accepted."""
    school.offer()
    school.token("lin.na")
    school.submit("lin.na", school.birds.learner(RIGHT, "Because."))
    school.grading.service.enqueue("birds", "weigh", requested_by="ian")
    school.drain()
    transport = httpx.ASGITransport(school.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as made:
        yield made


async def _upload_id(client: httpx.AsyncClient, school: School) -> str:
    data, sha256 = packed(school.birds.learner(RIGHT, "More."))
    answer = await client.post(
        f"{API}/courses/birds/assignments/weigh/uploads",
        json={"sha256": sha256, "size": len(data)},
        headers={"authorization": "token server-token-of-lin.na"},
    )
    return str(answer.json()["upload_id"])


@st.composite
def addresses(draw: Callable[..., object], paths: list[tuple[str, str]]) -> tuple[str, str]:
    """A method and a path with its parameters filled in, sometimes with what there is."""
    method, path = draw(st.sampled_from(paths))  # type: ignore[misc]
    found = {
        "course": draw(st.just("birds") | names),
        "assignment": draw(st.just("weigh") | names),
        "upload": draw(st.just("UPLOAD") | names),
        "number": draw(st.just("1") | numbers),
    }
    filled = path.format(**{name: quote(str(value), safe="%", errors="replace") for name, value in found.items()})
    return draw(st.sampled_from([method, method, method, "GET", "POST", "DELETE"])), filled  # type: ignore[return-value]


def check_api(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert set(answer.json()) == {"code", "sentence", "fields"}
        assert answer.json()["sentence"]


async def call_api(client: httpx.AsyncClient, upload: str, sent: list[tuple[object, ...]]) -> None:
    for (method, path), token, body, kind, query in sent:  # type: ignore[misc]
        headers = {b"authorization": token.encode(), b"content-type": kind.encode("latin-1")}
        check_api(
            await client.request(
                method, path.replace("UPLOAD", upload), params=query, content=body, headers=list(headers.items())
            )
        )


api_calls = st.lists(st.tuples(addresses(API_PATHS), tokens, bodies, kinds, queries), min_size=8, max_size=8)


@settings(max_examples=130, **SETTINGS)  # type: ignore[arg-type]
@given(sent=api_calls)
async def test_a_thousand_calls_of_the_api(
    client: httpx.AsyncClient, school: School, sent: list[tuple[object, ...]]
) -> None:
    await call_api(client, await _upload_id(client, school), sent)


@pytest.mark.all
@pytest.mark.timeout(1800)
@settings(max_examples=650, **SETTINGS)  # type: ignore[arg-type]
@given(sent=api_calls)
async def test_five_thousand_calls_of_the_api(
    client: httpx.AsyncClient, school: School, sent: list[tuple[object, ...]]
) -> None:
    await call_api(client, await _upload_id(client, school), sent)


@pytest.fixture
async def signed_in(client: httpx.AsyncClient, visit: Callable[..., Browser]) -> tuple[Browser, str, Browser, str]:
    """An instructor and a learner at their pages, each with the token their forms carry."""
    ian, lin = visit("ian"), visit("lin.na")
    await ian.open("/services/grader/teach/birds/weigh")
    await lin.open(MINE)
    return ian, form_of(ian.page, "/grade$")[1]["form_token"], lin, form_of(lin.page, "/upload")[1]["form_token"]


page_calls = st.lists(
    st.tuples(
        addresses(PAGES),
        st.booleans(),
        st.dictionaries(st.sampled_from(FIELDS), values, max_size=6),
        st.booleans(),
        st.sampled_from([NAVIGATION, NAVIGATION, SCRIPT]),
        queries,
        st.none() | st.tuples(bodies, kinds),
    ),
    min_size=8,
    max_size=8,
)


async def call_pages(signed_in: tuple[Browser, str, Browser, str], sent: list[tuple[object, ...]]) -> None:
    ian, ian_token, lin, lin_token = signed_in
    for (method, path), as_ian, fields, with_token, headers, query, raw in sent:  # type: ignore[misc]
        if path.endswith("/events"):
            continue  # a stream that ends after a minute
        browser, token = (ian, ian_token) if as_ian else (lin, lin_token)
        data = {**fields, **({"form_token": token} if with_token else {})}
        if raw is not None:
            content, kind = raw
            told = [
                *((name.encode(), value.encode()) for name, value in headers.items()),
                (b"content-type", kind.encode("latin-1")),
            ]
            answer = await browser.request(method, path, params=query, content=content, headers=told)
        else:
            answer = await browser.request(method, path, params=query, data=data, headers=headers)
        assert answer.status_code < 500, (method, path, answer.text)
        if answer.status_code >= 400 and "text/html" in answer.headers.get("content-type", ""):
            assert '<div class="notice bad"' in answer.text


@settings(max_examples=130, **SETTINGS)  # type: ignore[arg-type]
@given(sent=page_calls)
async def test_a_thousand_calls_of_the_pages(
    signed_in: tuple[Browser, str, Browser, str], sent: list[tuple[object, ...]]
) -> None:
    await call_pages(signed_in, sent)


@pytest.mark.all
@pytest.mark.timeout(1800)
@settings(max_examples=650, **SETTINGS)  # type: ignore[arg-type]
@given(sent=page_calls)
async def test_five_thousand_calls_of_the_pages(
    signed_in: tuple[Browser, str, Browser, str], sent: list[tuple[object, ...]]
) -> None:
    await call_pages(signed_in, sent)

"""Whatever is sent to whichever address: no failure of ours, and nothing said without a sentence.

Every route is reached: each test begins with a tour on which all of its routes do what they are for, and ends by looking
whether the tour was complete; a route that is added and not toured fails it. 2,080 calls in the ordinary run, 10,400 with `--all`.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from grader.exchange.terms import Terms
from grader.store.model import Work
from grader.web import exports, live
from hub.web import live as streams
from tests.grader.autograde.samples import RIGHT, WRONG, copied, encoded
from tests.grader.web.conftest import API, GRADER_TOKEN, MINE, TEACH, School, packed
from tests.grader.web.test_due_lines import LIN as PERSON
from tests.hub.web.browser import NAVIGATION, SCRIPT, Browser, form_of

LIN, IAN = "token server-token-of-lin.na", "token server-token-of-ian"
WORK = "/courses/{course}/assignments/{assignment}"
API_PATHS = [
    ("GET", f"{API}/assignments"),
    ("GET", f"{API}{WORK}/release"),
    ("POST", f"{API}{WORK}/uploads"),
    ("GET", f"{API}{WORK}/uploads/{{upload}}"),
    ("PUT", f"{API}{WORK}/uploads/{{upload}}"),
    ("POST", f"{API}{WORK}/uploads/{{upload}}/finish"),
    ("GET", f"{API}{WORK}/feedback/{{receipt}}"),
    ("POST", f"{API}/people/{{person}}/due-lines"),
    ("GET", f"{API}/openapi.json"),
]
TEACH_OF, MINE_OF = "/services/grader/teach/{course}/{assignment}", "/services/grader/mine/{course}/{assignment}"
PAGES = [
    ("GET", "/services/grader/"),
    ("POST", "/services/grader/language"),
    ("POST", "/services/grader/sign-out"),
    ("GET", "/services/grader/oauth_callback"),
    ("GET", "/services/grader/health"),
    ("GET", "/services/grader/static/{digest}/{asset}"),
    *(("GET", MINE_OF + end) for end in ("", "/receipts/{receipt}", "/feedback")),
    ("POST", MINE_OF + "/upload"),
    *(("GET", TEACH_OF + end) for end in ("", "/marking", "/events", "/marks.csv", "/course.zip")),
    *(("GET", f"{TEACH_OF}/work/{{number}}{end}") for end in ("", "/preview")),
    ("GET", TEACH_OF + "/marking/{number}/{notebook}/{cell}"),
    ("POST", TEACH_OF + "/marking/{number}/{notebook}/{cell}"),
    *(("POST", TEACH_OF + end) for end in ("/release", "/take-back", "/grade", "/stop", "/feedback")),
    *(("POST", f"{TEACH_OF}/work/{{number}}/{end}") for end in ("regrade", "choose", "extension", "withdraw")),
]
FIELDS = [
    *("due", "closes", "grace_minutes", "attempts", "late_percent", "cohort", "again", "unfinished", "points"),
    *("comment", "hours", "notebook", "grade_id", "candidate", "language", "next", "code", "state"),
]
HONEST = {
    "course": "birds",
    "assignment": "weigh",
    "upload": "UPLOAD",
    "receipt": "RECEIPT",
    "person": "lin.na",
    "number": "1",
    "notebook": "weigh",
    "cell": "why",
    "digest": "DIGEST",
    "asset": "grader.css",
}
"""What fills an address so that it leads somewhere; words in capitals stand for what a test finds out first."""

text = st.text(max_size=40)
names = st.sampled_from([*HONEST.values(), "heavier", "..", "%2e%2e", "..%2f..", "a" * 300, "*", "a;b", "//"]) | text
numbers = st.sampled_from(["2", "0", "-1", "99999999999999999999", "1e3", "٣"]) | text
values = (
    st.sampled_from(["", "0", "1", "-1", "1e309", "nan", "yes", "en", "spring", "weigh", "why", "heavier"])
    | st.sampled_from(["2026-09-15T23:59", "9999-12-31T23:59", "0001-01-01T00:00", "=1+1", "Because."])
    | text
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["sha256", "size", "name"]) | text, inner, max_size=4)
    ),
    max_leaves=6,
)
announcements = st.fixed_dictionaries(
    {"sha256": st.sampled_from(["0" * 64, "x"]) | text, "size": st.integers() | json_values}
)
people = st.fixed_dictionaries({name: st.just(value) | json_values for name, value in PERSON.items()})
bodies = st.one_of(
    st.sampled_from([b"ANNOUNCEMENT", b"PIECE", b"PERSON"]),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.one_of(announcements, people).map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=200),
)
cells = st.lists(
    st.fixed_dictionaries({"cell_type": st.sampled_from(["code", "markdown"]) | text, "source": json_values})
    | json_values,
    max_size=3,
)
notebooks = st.fixed_dictionaries({"cells": cells | json_values, "nbformat": st.just(4) | json_values}) | json_values
files = st.one_of(
    st.just(b"NOTEBOOK"),
    notebooks.map(lambda value: json.dumps(value).encode()),
    st.sampled_from([b"[" * 20_000, b"PK\x03\x04", b"\x1f\x8b\x08\x00", "﻿{}".encode(), b"\xff\xfe{\x00}\x00"]),
    st.binary(max_size=200),
)
kinds = st.sampled_from(
    [
        *("application/json", "application/octet-stream", "application/x-www-form-urlencoded", "text/plain"),
        *("multipart/form-data; boundary=x", "multipart/form-data", "", "\xff"),
    ]
)
tokens = st.sampled_from([LIN, LIN, LIN, IAN, f"Bearer {GRADER_TOKEN}", "token nobody", "Bearer", ""])
queries = st.dictionaries(
    st.sampled_from(["offset", "language", "token", "names", "code", "state", "receipt", "x"]), values, max_size=3
)
SETTINGS: dict[str, Any] = {
    "deadline": None,
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],  # eight calls say enough; making them less takes minutes
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@st.composite
def addresses(draw: st.DrawFn, paths: list[tuple[str, str]]) -> tuple[str, str]:
    """A method and a path, two times out of three one that leads somewhere."""
    method, path = draw(st.sampled_from(paths))
    if draw(st.sampled_from([True, True, False])):
        return method, path.format(**HONEST)
    found = {name: draw(st.just(value) | (numbers if name == "number" else names)) for name, value in HONEST.items()}
    filled = path.format(**{name: quote(value, safe="%", errors="replace") for name, value in found.items()})
    return draw(st.sampled_from([method, method, "GET", "POST", "DELETE"])), filled


class Reached:
    """The application, noting which of its handlers answered well."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.well: set[object] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        statuses = []

        async def noting(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        await self._app(scope, receive, noting)
        if statuses and statuses[0] < 400:
            self.well.add(scope.get("endpoint"))


def handlers(school: School, *, of_api: bool) -> set[object]:
    """Every handler of the API, or of the pages."""
    routers = [each.original_router for each in school.app.routes if hasattr(each, "original_router")]
    return {route.endpoint for router in routers for route in router.routes if route.path.startswith(API) == of_api}


def fill(school: School) -> None:
    """lin.na's hand-in graded, read and with its feedback released; one of wang.wei that waits for a decision."""
    school.offer()
    school.submit("lin.na", school.birds.learner(RIGHT, "Because."))
    twice = school.birds.learner(WRONG)
    twice["cells"].insert(0, copied(twice, "heavier", RIGHT))
    school.submit("wang.wei", twice)
    school.grading.service.enqueue("birds", "weigh", requested_by="ian")
    school.drain()
    school.grading.manual.give(Work("birds", "weigh", "lin.na"), "weigh", "why", points=1, given_by="ian")
    school.grading.feedback.release("birds", "weigh", title_in=lambda _: "Weigh", released_by="ian")
    school.drain()


def offer_again(school: School) -> None:
    """As before, if an earlier call has changed it: an offer that closed long ago would hide what lies behind it."""
    offer = school.grading.offers.find("birds", "weigh")
    if offer is None or (offer.terms, offer.cohorts) != (Terms(), None):
        school.offer()


@pytest.fixture
def reached(school: School, monkeypatch: pytest.MonkeyPatch) -> Reached:
    """Stands before the application from here on."""
    # A stream that shows the class once and ends, an export that does not wait for the worker there is none of.
    for module, name in (
        (streams, "STREAM_S"),
        (live, "_LOOK_S"),
        (exports, "_GRADEBOOK_WITHIN_S"),
        (exports, "_LOOK_S"),
    ):
        monkeypatch.setattr(module, name, 0.01)
    for name in ("lin.na", "ian"):
        school.token(name)
    return Reached(school.app)


# The API


@dataclass(frozen=True)
class ApiCall:
    """One request of a learner's program."""

    address: tuple[str, str]
    token: str = LIN
    body: bytes = b""
    kind: str = "application/json"
    query: Mapping[str, str] = field(default_factory=dict)


_TOLD: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("POST", "/uploads"): {"body": b"ANNOUNCEMENT"},
    ("PUT", "/uploads/UPLOAD"): {"body": b"PIECE", "kind": "application/octet-stream", "query": {"offset": "0"}},
    ("POST", "/due-lines"): {"token": f"Bearer {GRADER_TOKEN}", "body": b"PERSON"},
}


def _api_tour() -> Iterator[ApiCall]:
    for method, template in API_PATHS:
        path = template.format(**HONEST)
        told = next((each for (verb, end), each in _TOLD.items() if verb == method and path.endswith(end)), {})
        yield ApiCall((method, path), **told)


API_TOUR = list(_api_tour())
api_calls = st.lists(
    st.builds(ApiCall, addresses(API_PATHS), tokens, bodies, kinds, queries | st.just({"offset": "0"})),
    min_size=8,
    max_size=8,
)


@dataclass
class Api:
    """A learner's server, and a bundle of which each round has another one."""

    client: httpx.AsyncClient
    school: School
    receipt: str
    rounds: int = 0

    async def go(self, calls: list[ApiCall]) -> None:
        self.rounds += 1
        offer_again(self.school)
        data, sha256 = packed(self.school.birds.learner(RIGHT, f"More {self.rounds}."))
        told = {"sha256": sha256, "size": len(data)}
        uploads = f"{API}{WORK}/uploads".format(**HONEST)
        begun = await self.client.post(uploads, json=told, headers={"authorization": LIN})
        stand_for = {
            b"ANNOUNCEMENT": json.dumps(told).encode(),
            b"PIECE": data,
            b"PERSON": json.dumps(PERSON).encode(),
        }
        for call in calls:
            method, path = call.address
            path = path.replace("UPLOAD", begun.json()["upload_id"]).replace("RECEIPT", self.receipt)
            headers = {b"authorization": call.token.encode(), b"content-type": call.kind.encode("latin-1")}
            answer = await self.client.request(
                method,
                path,
                params=call.query,
                content=stand_for.get(call.body, call.body),
                headers=list(headers.items()),
            )
            assert answer.status_code < 500, (call, answer.text)
            if answer.status_code >= 400:
                assert set(answer.json()) == {"code", "sentence", "fields"}
                assert answer.json()["sentence"]


@pytest.fixture
async def api(school: School, reached: Reached) -> AsyncIterator[Api]:
    fill(school)
    released = school.grading.feedback.released(Work("birds", "weigh", "lin.na"))
    assert released is not None
    receipt = school.grading.service.standings("birds", "weigh")[0].submission.receipt_id
    transport = httpx.ASGITransport(reached, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as client:
        yield Api(client, school, receipt)
    assert reached.well >= handlers(school, of_api=True)


@settings(max_examples=130, **SETTINGS)
@example(sent=API_TOUR)
@given(sent=api_calls)
async def test_a_thousand_calls_of_the_api(api: Api, sent: list[ApiCall]) -> None:
    await api.go(sent)


@pytest.mark.all
@pytest.mark.timeout(1800)
@settings(max_examples=650, **SETTINGS)
@example(sent=API_TOUR)
@given(sent=api_calls)
async def test_five_thousand_calls_of_the_api(api: Api, sent: list[ApiCall]) -> None:
    await api.go(sent)


# The pages


@dataclass(frozen=True)
class PageCall:
    """One request of a browser. With `raw`, its body and content type instead of a form; with `file`, a form that has one."""

    address: tuple[str, str]
    as_ian: bool = True
    fields: Mapping[str, str] = field(default_factory=dict)
    with_token: bool = True
    as_script: bool = False
    query: Mapping[str, str] = field(default_factory=dict)
    raw: tuple[bytes, str] | None = None
    file: bytes | None = None


def _tour() -> Iterator[PageCall]:
    ask = {
        "/language": {"language": "en", "next": "/services/grader/"},
        "/release": {"due": "2026-09-15T23:59", "late_percent": "10"},
        "/{number}/{notebook}/{cell}": {"points": "1", "comment": "Good."},
        "/choose": {"notebook": "weigh", "grade_id": "heavier", "candidate": "0"},
        "/extension": {"hours": "1"},
    }
    # The export first: what comes then changes marks. Signing out last.
    last = {"/sign-out": 2, "/withdraw": 1, "/course.zip": -1}
    for method, path in sorted(
        PAGES, key=lambda each: next((n for end, n in last.items() if each[1].endswith(end)), 0)
    ):
        if path.endswith(("/take-back", "/oauth_callback")):
            continue  # done while signing in, and before anything was handed in
        yield PageCall(
            (method, path.format(**{**HONEST, "number": "2" if path.endswith("/choose") else "1"})),
            as_ian="/mine/" not in path,
            fields=next((fields for end, fields in ask.items() if path.endswith(end)), {}),
            as_script=path.endswith("/events"),
            query={"token": "STREAM"} if path.endswith("/events") else {},
            file=b"NOTEBOOK" if path.endswith("/upload") else None,
        )


PAGE_TOUR = list(_tour())
page_calls = st.lists(
    st.builds(
        PageCall,
        addresses(PAGES),
        as_ian=st.booleans(),
        fields=st.dictionaries(st.sampled_from(FIELDS), values, max_size=6),
        with_token=st.sampled_from([True, True, False]),
        as_script=st.sampled_from([False, False, True]),
        query=queries | st.just({"token": "STREAM"}),
        raw=st.none() | st.none() | st.tuples(bodies, kinds),
        file=st.none() | files,
    ),
    min_size=8,
    max_size=8,
)


@dataclass
class Pages:
    """An instructor and a learner at their pages."""

    ian: Browser
    lin: Browser
    school: School
    receipt: str

    async def go(self, calls: list[PageCall]) -> None:
        offer_again(self.school)
        known = {"RECEIPT": self.receipt, "NOTEBOOK": encoded(self.school.birds.learner(RIGHT, "Again.")).decode()}
        await self.lin.open(MINE)
        lin_token = form_of(self.lin.page, "/upload")[1]["form_token"]
        page = (await self.ian.open(TEACH)).text
        ian_token = form_of(self.ian.page, "/grade$")[1]["form_token"]
        known["STREAM"] = _found(r"/events\?token=([^\"&]+)", page)
        known["DIGEST"] = _found(r"/services/grader/static/([^/]+)/grader.css", page)
        for call in calls:
            browser, token = (self.ian, ian_token) if call.as_ian else (self.lin, lin_token)
            answer = await self._send(browser, call, token if call.with_token else "", known)
            assert answer.status_code < 500, (call, answer.text)
            if answer.status_code >= 400 and "text/html" in answer.headers.get("content-type", ""):
                assert '<div class="notice bad"' in answer.text

    async def _send(self, browser: Browser, call: PageCall, token: str, known: Mapping[str, str]) -> httpx.Response:
        method, path = call.address
        for word in ("RECEIPT", "DIGEST"):
            path = path.replace(word, known[word])
        told: dict[str, Any] = {"params": {name: known.get(value, value) for name, value in call.query.items()}}
        headers = list((SCRIPT if call.as_script else NAVIGATION).items())
        if call.raw is not None:
            told["content"], kind = call.raw
            headers.append(("content-type", kind))
        elif method == "POST":
            told["data"] = {**call.fields, "form_token": token}
            if call.file is not None:
                content = known["NOTEBOOK"].encode() if call.file == b"NOTEBOOK" else call.file
                told["files"] = {"notebook": ("weigh.ipynb", content)}
        sent = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        return await browser.request(method, path, headers=sent, **told)


def _found(pattern: str, page: str) -> str:
    match = re.search(pattern, page)
    assert match
    return match[1]


@pytest.fixture
async def pages(school: School, reached: Reached, visit: Callable[..., Browser]) -> AsyncIterator[Pages]:
    application = school.app
    school.app = reached  # type: ignore[assignment]
    ian, lin = visit("ian"), visit("lin.na")
    school.app = application
    school.offer()
    await ian.open(TEACH)
    await ian.submit("/take-back")
    fill(school)
    yield Pages(ian, lin, school, school.grading.service.standings("birds", "weigh")[0].submission.receipt_id)
    assert reached.well >= handlers(school, of_api=False)


@settings(max_examples=130, **SETTINGS)
@example(sent=PAGE_TOUR)
@given(sent=page_calls)
async def test_a_thousand_calls_of_the_pages(pages: Pages, sent: list[PageCall]) -> None:
    await pages.go(sent)


@pytest.mark.all
@pytest.mark.timeout(1800)
@settings(max_examples=650, **SETTINGS)
@example(sent=PAGE_TOUR)
@given(sent=page_calls)
async def test_five_thousand_calls_of_the_pages(pages: Pages, sent: list[PageCall]) -> None:
    await pages.go(sent)

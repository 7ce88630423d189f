"""What a learner's server can ask, and every way in which it can be wrong."""

import asyncio
import errno
import gzip
import hashlib
import os
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from grader.exchange.terms import Terms
from tests.grader.autograde.samples import RIGHT
from tests.grader.web.conftest import API, DAY, School, packed

DUE = datetime(2026, 9, 15, 15, 59, tzinfo=UTC)
UPLOADS = "/courses/birds/assignments/weigh/uploads"


async def hand_in(client: httpx.AsyncClient, data: bytes, sha256: str, piece: int = 1000) -> httpx.Response:
    """The last answer of handing that in."""
    answer = await client.post(UPLOADS, json={"sha256": sha256, "size": len(data)})
    at = answer.json()
    while answer.status_code == 200 and at["receipt"] is None and at["offset"] < len(data):
        part = data[at["offset"] : at["offset"] + piece]
        answer = await client.put(f"{UPLOADS}/{at['upload_id']}?offset={at['offset']}", content=part)
        at = answer.json()
    if answer.status_code != 200 or at["receipt"] is not None:
        return answer
    return await client.post(f"{UPLOADS}/{at['upload_id']}/finish", json={})


async def test_a_learner_lists_fetches_and_hands_in(school: School) -> None:
    school.offer(due_at=DUE, attempts=3)
    async with school.api("lin.na") as client:
        (listed,) = (await client.get("/assignments", params={"language": "zh-CN"})).json()["assignments"]
        assert listed == {
            "course": "birds",
            "course_title": "Birds",
            "assignment": "weigh",
            "title": "Weigh",
            "languages": ["en", "zh-CN"],
            "due_at": "2026-09-15T15:59:00+00:00",
            "closes_at": None,
            "attempts_left": 3,
            "state": "new",
            "receipts": [],
            "score": None,
            "feedback": [],
        }
        release = await client.get("/courses/birds/assignments/weigh/release", params={"language": "en"})
        assert release.headers["content-type"] == "application/x-tar"
        assert release.headers["etag"] == f'"{hashlib.sha256(release.content).hexdigest()}"'
        again = await client.get(
            "/courses/birds/assignments/weigh/release", headers={"if-none-match": release.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
        data, sha256 = packed(school.birds.learner(RIGHT, "Because."))
        accepted = await hand_in(client, data, sha256)
        receipt = accepted.json()["receipt"]
        assert (receipt["verdict"], receipt["attempt"], receipt["sha256"]) == ("on-time", 1, sha256)
        assert school.grading.objects.has(sha256)
        same = await client.post(UPLOADS, json={"sha256": sha256, "size": len(data)})
        assert same.json()["receipt"] == receipt
        (listed,) = (await client.get("/assignments")).json()["assignments"]
        assert (listed["state"], listed["attempts_left"], listed["receipts"]) == ("submitted", 2, [receipt])


async def test_a_lesson_comes_in_another_language_where_there_is_none_in_that(school: School) -> None:
    school.offer()
    async with school.api("lin.na") as client:
        english = await client.get("/courses/birds/assignments/weigh/release", params={"language": "en"})
        chinese = await client.get("/courses/birds/assignments/weigh/release", params={"language": "zh-CN"})
        klingon = await client.get("/courses/birds/assignments/weigh/release", params={"language": "tlh"})
        assert english.content == klingon.content != chinese.content


async def test_an_upload_goes_on_where_it_stopped(school: School) -> None:
    school.offer()
    data, sha256 = packed(school.birds.learner(RIGHT))
    async with school.api("lin.na") as client:
        begun = (await client.post(UPLOADS, json={"sha256": sha256, "size": len(data)})).json()
        where = f"{UPLOADS}/{begun['upload_id']}"
        assert (await client.put(f"{where}?offset=0", content=data[:700])).json()["offset"] == 700
        assert (await client.put(f"{where}?offset=0", content=data[:700])).json()["offset"] == 700
        gap = await client.put(f"{where}?offset=900", content=data[900:])
        assert (gap.status_code, gap.json()["code"], gap.json()["fields"]) == (409, "upload-offset", {"offset": 700})
        early = await client.post(f"{where}/finish")
        assert (early.status_code, early.json()["code"]) == (409, "upload-incomplete")
        assert (await client.get(where)).json() == {"upload_id": begun["upload_id"], "offset": 700, "receipt": None}
        await client.put(f"{where}?offset=700", content=data[700:])
        receipt = (await client.post(f"{where}/finish")).json()["receipt"]
        assert (await client.post(f"{where}/finish")).json()["receipt"] == receipt


async def test_what_arrived_before_the_line_broke_is_kept(school: School) -> None:
    school.offer()
    data, sha256 = packed(school.birds.learner(RIGHT))
    async with school.api("lin.na") as client:
        begun = (await client.post(UPLOADS, json={"sha256": sha256, "size": len(data)})).json()
    received = [{"type": "http.request", "body": data[:300], "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> dict[str, object]:
        return received.pop(0) if received else {"type": "http.disconnect"}

    async def send(_message: object) -> None:
        return None

    path = f"{API}{UPLOADS}/{begun['upload_id']}"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "PUT",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"offset=0",
        "headers": [(b"authorization", f"token {school.token('lin.na')}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
    }
    await school.app(scope, receive, send)  # type: ignore[arg-type]
    async with school.api("lin.na") as client:
        assert (await client.get(f"{UPLOADS}/{begun['upload_id']}")).json()["offset"] == 300


async def test_the_deadlines_second_is_on_time_and_the_next_is_late(school: School) -> None:
    school.offer(due_at=school.clock.now() + timedelta(seconds=10), closes_at=school.clock.now() + DAY)
    school.clock.advance(10.999)
    async with school.api("lin.na") as lin, school.api("wang.wei") as wang:
        data, sha256 = packed(school.birds.learner(RIGHT))
        assert (await hand_in(lin, data, sha256)).json()["receipt"]["verdict"] == "on-time"
        school.clock.advance(0.001)
        assert (await hand_in(wang, data, sha256)).json()["receipt"]["verdict"] == "late"
        school.clock.advance(2 * 86_400)
        other, other_sha256 = packed(school.birds.learner(RIGHT, "More."))
        closed = await hand_in(lin, other, other_sha256)
        assert (closed.status_code, closed.json()["code"]) == (403, "submissions-closed")
        assert closed.json()["sentence"] % closed.json()["fields"] == (
            "This assignment closed at 2026-09-02 08:00 UTC and takes no more work. Ask your instructor for an extension."
        )


async def test_attempts_run_out_with_a_sentence_and_an_extension_moves_one_deadline(school: School) -> None:
    school.offer(attempts=1, due_at=school.clock.now())
    async with school.api("lin.na") as client:
        data, sha256 = packed(school.birds.learner(RIGHT))
        assert (await hand_in(client, data, sha256)).status_code == 200
        more = await hand_in(client, *packed(school.birds.learner(RIGHT, "More.")))
        assert (more.status_code, more.json()["code"], more.json()["fields"]) == (403, "attempts-spent", {"limit": 1})


async def test_two_hand_ins_in_the_same_instant_both_get_a_receipt(school: School) -> None:
    school.offer()
    async with school.api("lin.na") as client:
        bundles = [packed(school.birds.learner(RIGHT, f"Answer {number}.")) for number in range(4)]
        answers = await asyncio.gather(*(hand_in(client, *each) for each in bundles))
        receipts = [answer.json()["receipt"] for answer in answers]
        assert sorted(each["attempt"] for each in receipts) == [1, 2, 3, 4]
        assert {each["sha256"] for each in receipts} == {sha256 for _, sha256 in bundles}


def _damaged(data: bytes, how: str) -> bytes:
    return {
        "malformed": b"not a tar at all" * 64,
        "truncated": data[: len(data) // 2],
        "compressed": gzip.compress(data),
        "flipped": data[:600] + bytes([data[600] ^ 1]) + data[601:],
    }[how]


@pytest.mark.parametrize(("how", "code"), [
    ("malformed", "bundle-damaged"), ("truncated", "bundle-truncated"), ("compressed", "bundle-compressed"),
    ("flipped", "bundle-damaged"),
])  # fmt: skip
async def test_what_is_no_bundle_is_refused_with_a_sentence(school: School, how: str, code: str) -> None:
    school.offer()
    data, _ = packed(school.birds.learner(RIGHT))
    bad = _damaged(data, how)
    async with school.api("lin.na") as client:
        answer = await hand_in(client, bad, hashlib.sha256(bad).hexdigest())
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert answer.json()["sentence"]
        assert (await client.get("/assignments")).json()["assignments"][0]["receipts"] == []
        assert (await hand_in(client, *packed(school.birds.learner(RIGHT)))).status_code == 200


async def test_a_bundle_of_another_assignment_or_of_other_bytes_is_refused(school: School) -> None:
    school.offer()
    async with school.api("lin.na") as client:
        foreign = await hand_in(client, *packed(school.birds.learner(RIGHT), assignment="sing"))
        assert (foreign.status_code, foreign.json()["code"]) == (422, "bundle-foreign")
        nothing = await hand_in(client, *packed(None, contents={"notes.txt": b"hello"}))
        assert (nothing.status_code, nothing.json()["code"]) == (422, "bundle-notebook-missing")
        data, _ = packed(school.birds.learner(RIGHT))
        lied = await hand_in(client, data, "0" * 64)
        assert (lied.status_code, lied.json()["code"]) == (422, "bundle-mismatch")


@pytest.mark.parametrize(("told", "status", "code"), [
    ({"sha256": "x", "size": 10}, 422, "bundle-mismatch"),
    ({"sha256": "0" * 64, "size": 0}, 422, "bundle-mismatch"),
    ({"sha256": "0" * 64, "size": -1}, 422, "bundle-mismatch"),
    ({"sha256": "0" * 64, "size": 2**40}, 413, "bundle-too-large"),
    ({"sha256": "0" * 64, "size": 2**80}, 422, "request-invalid"),
    ({"sha256": "0" * 64}, 422, "request-invalid"),
    ({"sha256": 5, "size": "x"}, 422, "request-invalid"),
    ([], 422, "request-invalid"),
])  # fmt: skip
async def test_a_false_announcement_is_refused(school: School, told: object, status: int, code: str) -> None:
    school.offer()
    async with school.api("lin.na") as client:
        answer = await client.post(UPLOADS, json=told)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_more_than_was_announced_is_refused_and_nothing_is_lost(school: School) -> None:
    school.offer()
    data, sha256 = packed(school.birds.learner(RIGHT))
    async with school.api("lin.na") as client:
        begun = (await client.post(UPLOADS, json={"sha256": sha256, "size": len(data)})).json()
        where = f"{UPLOADS}/{begun['upload_id']}"
        over = await client.put(f"{where}?offset=0", content=data + b"x")
        assert (over.status_code, over.json()["code"]) == (413, "upload-overrun")
        assert (await hand_in(client, data, sha256)).status_code == 200


async def test_a_full_disk_is_a_sentence_and_loses_nothing(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    school.offer()
    data, sha256 = packed(school.birds.learner(RIGHT))
    real = os.pwrite

    def full(descriptor: int, content: bytes, offset: int) -> int:
        if offset >= 500:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, content[:500], offset)

    async with school.api("lin.na") as client:
        monkeypatch.setattr(os, "pwrite", full)
        answer = await hand_in(client, data, sha256)
        assert (answer.status_code, answer.json()["code"]) == (507, "storage-full")
        monkeypatch.undo()
        assert (await hand_in(client, data, sha256)).status_code == 200


async def test_nobody_else_sees_or_finishes_an_upload(school: School) -> None:
    school.offer()
    data, sha256 = packed(school.birds.learner(RIGHT))
    async with school.api("lin.na") as lin, school.api("wang.wei") as wang:
        begun = (await lin.post(UPLOADS, json={"sha256": sha256, "size": len(data)})).json()
        where = f"{UPLOADS}/{begun['upload_id']}"
        for answer in (
            await wang.get(where),
            await wang.put(f"{where}?offset=0", content=data),
            await wang.post(f"{where}/finish"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "upload-unknown")
        receipt = (await hand_in(lin, data, sha256)).json()["receipt"]
        answer = await wang.get(f"/courses/birds/assignments/weigh/feedback/{receipt['id']}")
        assert (answer.status_code, answer.json()["code"]) == (404, "receipt-unknown")


@pytest.mark.parametrize("header", [
    "", "token", "token ", "token x", "Bearer nonsense", "Basic lin.na:x", "token \xff\xfe", "token " + "a" * 5000,
])  # fmt: skip
async def test_without_a_token_that_stands_nothing_is_said(school: School, header: str) -> None:
    school.offer()
    async with school.api("lin.na") as client:
        for method, path in (
            ("GET", "/assignments"),
            ("POST", UPLOADS),
            ("GET", f"{UPLOADS}/x"),
            ("PUT", f"{UPLOADS}/x?offset=0"),
        ):
            answer = await client.request(method, path, headers={b"authorization": header.encode("latin-1")})  # type: ignore[dict-item]
            assert (answer.status_code, answer.json()["code"]) == (401, "token-invalid")


async def test_an_expired_token_and_one_for_something_else_are_refused(school: School) -> None:
    school.offer()
    async with school.api("lin.na") as client:
        assert (await client.get("/assignments")).status_code == 200
        school.jupyterhub.tokens.clear()
        assert (await client.get("/assignments")).status_code == 401
    async with school.api("lin.na") as client:
        school.token("lin.na", "access:servers!server=lin.na/", "users:activity!user=lin.na")
        assert (await client.get("/assignments")).status_code == 401


async def test_a_membership_that_has_ended_has_ended_here(school: School) -> None:
    school.offer()
    async with school.api("lin.na") as client:
        assert (await client.get("/courses/birds/assignments/weigh/release")).status_code == 200
        school.roster.roster.set_active("lin.na", False)
        answer = await client.get("/courses/birds/assignments/weigh/release")
        assert (answer.status_code, answer.json()["code"]) == (403, "not-active")


async def test_only_learners_of_the_course_and_of_its_cohorts_get_it(school: School) -> None:
    school.grading.offers.put("birds", "weigh", Terms(), offered_by="ian", cohorts=["spring"])
    for name, count in (("lin.na", 1), ("lea", 0), ("eve", 0), ("ian", 0), ("ada", 0)):
        async with school.api(name) as client:
            assert len((await client.get("/assignments")).json()["assignments"]) == count
            answer = await client.get("/courses/birds/assignments/weigh/release")
            assert answer.status_code == (200 if count else 404)


async def test_what_is_not_released_does_not_exist(school: School) -> None:
    async with school.api("lin.na") as client:
        assert (await client.get("/assignments")).json() == {"assignments": []}
        for course, assignment in (
            ("birds", "weigh"),
            ("birds", "nothing"),
            ("..", ".."),
            ("*", "*"),
            ("a" * 300, "b"),
        ):
            answer = await client.get(f"/courses/{course}/assignments/{assignment}/release")
            assert answer.status_code == 404, (course, assignment)


async def test_the_api_is_described(school: School) -> None:
    async with school.api("lin.na") as client:
        description = (await client.get("/openapi.json")).json()
        assert f"{API}/assignments" in description["paths"]
        assert not [path for path in description["paths"] if not path.startswith(API)]

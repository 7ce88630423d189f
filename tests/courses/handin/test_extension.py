"""The server extension in a real Jupyter server with the configuration learners get, against the real intake."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from grader.assignments.release import lesson_content
from tests.courses.handin.conftest import notebook
from tests.courses.handin.grader_double import GraderDouble, Lesson, grader_double, in_days
from tests.courses.handin.lab_server import BASE, LabServer, lab_server, processes_in
from tests.courses.lesson import ASSIGNMENT, COURSE, source, with_answers

pytestmark = pytest.mark.timeout(300)


def real_lesson() -> Lesson:
    release = {
        language: {str(path): data for path, data in lesson_content(COURSE, ASSIGNMENT, language).items()}
        for language in ("en", "zh-CN")
    }
    return Lesson("data-processing", COURSE.title["en"], "quality-audit", ASSIGNMENT.title["en"], release, in_days(2))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LabServer, GraderDouble, Path, Path]]:
    home, runtime = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("rt")
    with (
        grader_double(tmp_path_factory.mktemp("centre"), [real_lesson()]) as double,
        lab_server(home, runtime, double.url) as server,
    ):
        yield server, double, home, runtime


@pytest.fixture
def server(place: tuple[LabServer, GraderDouble, Path, Path]) -> LabServer:
    return place[0]


@pytest.fixture
def centre(place: tuple[LabServer, GraderDouble, Path, Path]) -> Iterator[GraderDouble]:
    place[1].faults.next = lambda *_: None
    yield place[1]
    place[1].faults.next = lambda *_: None


@pytest.fixture
def home(place: tuple[LabServer, GraderDouble, Path, Path]) -> Path:
    return place[2]


@pytest.fixture
def folder(server: LabServer, centre: GraderDouble, home: Path) -> Path:
    """The fetched assignment, fresh."""
    assert server.call("POST", "fetch", json={"again": True}).status_code == 200
    return home / "data-processing/quality-audit"


def answered(folder: Path, answers: dict[str, str]) -> None:
    import nbformat

    path = folder / ASSIGNMENT.notebook
    nbformat.write(with_answers(nbformat.read(path, as_version=4), answers), path)


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()]


def test_nobody_gets_in_without_the_servers_sign_in_and_nothing_changes_without_its_xsrf_token(
    server: LabServer, centre: GraderDouble
) -> None:
    del centre
    origin = server.url.removesuffix(BASE)
    with httpx.Client() as stranger:
        for method, path in (("GET", "assignments"), ("GET", "texts"), ("POST", "courses/c/assignments/a/submit")):
            assert stranger.request(method, f"{server.url}practicum/handin/{path}").status_code == 403
        # Signed in by cookie, as a browser is, but without the token only our own pages can read.
        stranger.get(f"{server.url}lab?token={server.token}", follow_redirects=True)
        assert stranger.get(f"{server.url}practicum/handin/assignments").status_code == 200
        for action in ("fetch", "validate", "submit"):
            url = f"{server.url}practicum/handin/courses/data-processing/assignments/quality-audit/{action}"
            assert stranger.post(url, json={}, headers={"Origin": origin}).status_code == 403
            assert stranger.post(url, json={}, headers={"Origin": "http://evil.example"}).status_code in {403, 404}


def test_the_list_fetch_and_the_second_fetch(server: LabServer, centre: GraderDouble, home: Path) -> None:
    del centre
    assert server.call("POST", "fetch", json={"again": True}).json()["folder"] == "data-processing/quality-audit"
    refused = server.call("POST", "fetch", json={})
    assert refused.status_code == 409
    assert refused.json()["code"] == "already-fetched"
    assert refused.json()["sentence"].startswith("You already have this assignment in data-processing/quality-audit.")
    chinese = server.call("POST", "fetch?language=zh_CN", json={}).json()
    assert chinese["sentence"].startswith("您已经领取过这份作业")
    [listed] = server.call("GET", "/assignments").json()["assignments"]
    assert (listed["folder"], listed["course_title"]) == ("data-processing/quality-audit", "Data processing")
    assert (home / listed["notebook"]).is_file()
    kept = server.call("POST", "fetch", json={"again": True}).json()["kept"]
    assert kept.startswith("data-processing/quality-audit.kept-")
    assert (home / kept / "quality-audit.ipynb").is_file()


def test_validate_says_the_first_thing_to_do_first_and_the_server_answers_meanwhile(
    server: LabServer, folder: Path
) -> None:
    del folder
    import threading

    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(server.call("POST", "validate", json={})))
    thread.start()
    time.sleep(0.5)
    waits = []
    while thread.is_alive():
        begun = time.monotonic()
        assert httpx.get(f"{server.url}api").is_success
        waits.append(time.monotonic() - begun)
        time.sleep(0.1)
    assert len(waits) > 5
    assert sorted(waits)[len(waits) // 2] < 0.5
    [result] = answers[0].json()["results"]
    first, *_, last = result["findings"]
    assert first["cell"].startswith("Tests of exercise 1")
    assert first["sentence"].startswith("`typed` is not written yet. Put your code where the cell says so")
    assert "Traceback" not in answers[0].text
    assert last["sentence"] == "Not answered yet."


def test_validate_has_nothing_to_say_about_the_model_solution(server: LabServer, folder: Path) -> None:
    answered(
        folder, {cell.id: cell.source for cell in source().cells if cell.metadata.get("nbgrader", {}).get("solution")}
    )
    assert server.call("POST", "validate", json={}).json()["results"][0]["findings"] == []


def test_validate_of_what_is_no_notebook_is_a_sentence(server: LabServer, folder: Path) -> None:
    (folder / ASSIGNMENT.notebook).write_text("{")
    refused = server.call("POST", "validate", json={})
    assert (refused.status_code, refused.json()["code"]) == (422, "validation-stopped")


def test_a_validation_ends_with_its_kernel_when_it_takes_too_long(
    place: tuple[LabServer, GraderDouble, Path, Path], folder: Path
) -> None:
    """Not through the server, whose limit is ten minutes; the processes are the same."""
    import asyncio

    from courses.kit.handin.errors import ValidationTimeoutError
    from courses.kit.handin.texts import load
    from courses.kit.handin.validation import validate

    runtime = place[3]
    answered(folder, {"typed": "while True: pass"})
    before = set(processes_in(runtime))

    async def run() -> None:
        await validate(folder / ASSIGNMENT.notebook, load("en"), limit_s=6)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(runtime))
        patch.setenv("JUPYTER_CONFIG_PATH", str(Path(__file__).parents[3] / "courses/kit/jupyter"))
        with pytest.raises(ValidationTimeoutError):
            asyncio.run(run())
    deadline = time.monotonic() + 15
    while set(processes_in(runtime)) - before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert set(processes_in(runtime)) - before == set()


def test_submitting_reports_progress_and_ends_in_a_receipt_that_can_be_kept(
    server: LabServer, centre: GraderDouble, folder: Path
) -> None:
    (folder / "big.ipynb").write_bytes(notebook("x" * 6_000_000))

    def slow(method: str, _path: str) -> None:
        if method == "PUT":
            time.sleep(0.1)

    centre.faults.next = slow
    *told, last = lines(server.call("POST", "submit", json={}))
    assert len(told) >= 2
    assert [line["sent"] for line in told] == sorted({line["sent"] for line in told})
    receipt = last["receipt"]
    assert receipt["on_time"] is True
    [listed] = server.call("GET", "/assignments").json()["assignments"]
    assert listed["receipts"][-1]["sha256"] == receipt["sha256"]
    assert listed["changed"] is False
    kept = server.call("GET", f"receipts/{receipt['id']}?language=zh")
    assert kept.headers["Content-Disposition"].startswith(
        'attachment; filename="receipt-data-processing-quality-audit-'
    )
    assert receipt["sha256"] in kept.text
    assert "按时" in kept.text
    assert server.call("GET", "receipts/none").json()["code"] == "receipt-unknown"


def test_a_refusal_after_the_first_byte_is_the_last_line(server: LabServer, centre: GraderDouble, folder: Path) -> None:
    (folder / ASSIGNMENT.notebook).write_bytes(b"")
    assert lines(server.call("POST", "submit", json={}))[-1]["error"]["code"] == "notebook-empty"
    centre.faults.next = lambda method, _path: (401, b"") if method == "GET" else None
    error = lines(server.call("POST", "submit?language=zh", json={}))[-1]["error"]
    assert (error["code"], error["sentence"][:6]) == ("sign-in-expired", "中心已不再认")


def test_a_hand_in_goes_on_when_its_page_is_closed_and_a_second_click_is_told_so(
    server: LabServer, centre: GraderDouble, folder: Path
) -> None:
    (folder / ASSIGNMENT.notebook).write_bytes(notebook("closed page", "x" * 3_000_000))

    def slow(method: str, _path: str) -> None:
        if method == "PUT":
            time.sleep(0.3)

    centre.faults.next = slow
    before = len(centre.listing()[0]["receipts"])
    url = f"{server.url}practicum/handin/courses/data-processing/assignments/quality-audit/submit"
    with server.http.stream("POST", url, json={}) as answer:
        next(answer.iter_lines())
        busy = server.call("POST", "fetch", json={"again": True})
        assert (busy.status_code, busy.json()["code"]) == (409, "busy")
    deadline = time.monotonic() + 20
    while len(centre.listing()[0]["receipts"]) == before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(centre.listing()[0]["receipts"]) == before + 1


def test_feedback_is_never_a_page_of_the_servers_origin(server: LabServer, centre: GraderDouble, folder: Path) -> None:
    lines(server.call("POST", "submit", json={}))
    receipt = centre.listing()[0]["receipts"][-1]["id"]
    centre.lessons["data-processing", "quality-audit"].feedback[receipt] = "<script>alert(1)</script><p>Good.</p>"
    answer = server.call("GET", f"feedback/{receipt}")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.json()["html"].endswith("<p>Good.</p>")
    refused = server.call("GET", "feedback/none")
    assert (refused.status_code, refused.json()["sentence"]) == (404, "There is nothing here.")


def test_odd_addresses_and_bodies_are_refused_without_a_fault_of_the_server(
    server: LabServer, centre: GraderDouble
) -> None:
    for path in ("courses/..%2f..%2fetc/assignments/a", "courses/.ssh/assignments/a", "courses/a/assignments/%00"):
        assert server.call("POST", f"/{path}/fetch", json={}).status_code == 404
    for body in (b"", b"{}", b"[]", b"nonsense", b"\xff", b"null", b"3"):
        status = server.call("POST", "fetch", content=body).status_code
        assert status == (409 if body in {b"", b"{}"} else 400), body
    centre.faults.next = lambda *_: "refuse"
    refused = server.call("GET", "/assignments?language=zh_CN")
    assert (refused.status_code, refused.json()["code"]) == (502, "centre-unreachable")
    assert "Traceback" not in server.log.read_text()

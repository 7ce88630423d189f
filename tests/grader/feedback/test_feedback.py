"""Released feedback: what the learner may know, in their language, and nothing of a hidden test."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from grader.autograde.assignment import SourceCell
from grader.autograde.errors import PointsOutOfRangeError, UnknownCellError, UnknownSubmissionError
from grader.exchange.reconcile import PAGE_BEGINS
from grader.feedback.page import CONTENT_SECURITY_POLICY
from grader.feedback.service import FeedbackNotReleasedError
from tests.chromium import PHONE, chromium
from tests.grader.autograde.samples import (
    LUCKY,
    RIGHT,
    WRONG,
    Birds,
    cell,
    code_cell,
    copied,
    encoded,
    position,
    text_cell,
)
from tests.grader.feedback.test_sanitize import HOSTILE, PNG
from tests.grader.gradebook.conftest import DUE, Centre, centre_at

HIDDEN = ("heavier(7, 3)", "HIDDEN TESTS", "Traceback")


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = centre_at(tmp_path)
    yield made
    made.grading.close()


def released(centre: Centre, learner: str) -> str:
    page = centre.grading.feedback.read(centre.work(learner)).decode()
    assert not any(word in page for word in HIDDEN)
    assert "<script" not in page
    return page


def release(centre: Centre, **options: object) -> None:
    centre.grading.feedback.release("birds", "weigh", title_in=lambda _language: "Weigh", released_by="i", **options)  # type: ignore[arg-type]


def test_feedback_is_read_only_once_it_is_released(centre: Centre) -> None:
    work = centre.work("lin.na")
    centre.submit("lin.na", centre.birds.learner(RIGHT, "Because of *gravity*."))
    with pytest.raises(UnknownSubmissionError):
        centre.grading.manual.cells(work)
    centre.grade()
    with pytest.raises(FeedbackNotReleasedError):
        centre.grading.feedback.read(work)
    report = centre.grading.feedback.release("birds", "weigh", title_in=lambda _language: "Weigh", released_by="i")
    assert report.held_back == {"lin.na": "Some answers wait for points."}
    centre.grading.manual.give(work, "weigh", "why", points=1, given_by="i", comment="**Well** said.")
    release(centre)
    page = released(centre, "lin.na")
    assert page.encode().startswith(PAGE_BEGINS)  # by which the reconciler knows it
    for words in ("3 of 3 points", "on time", "Because of <em>gravity</em>", "<strong>Well</strong> said."):
        assert words in page
    found = centre.grading.feedback.released(work)
    assert found is not None
    assert (found.score, found.max_score) == (3.0, 3.0)
    centre.grading.feedback.withdraw(work)
    assert centre.grading.feedback.released(work) is None


def test_released_feedback_stays_as_it_was_until_it_is_released_again(centre: Centre) -> None:
    work = centre.work("lin.na")
    centre.submit("lin.na", centre.birds.learner(RIGHT, "Because."))
    centre.grade()
    centre.grading.manual.give(work, "weigh", "why", points=0.5, given_by="i")
    release(centre)
    centre.grading.manual.give(work, "weigh", "why", points=1, given_by="i")
    assert "2.5 of 3 points" in released(centre, "lin.na")
    assert b"3 of 3 points" in centre.grading.feedback.preview(work, title_in=lambda _language: "Weigh")
    release(centre)
    assert "3 of 3 points" in released(centre, "lin.na")


def test_a_visible_failure_teaches_and_a_hidden_one_stays_hidden(centre: Centre) -> None:
    centre.submit("lin.na", centre.birds.learner(WRONG))
    centre.submit("wang.wei", centre.birds.learner(LUCKY))
    centre.grade()
    release(centre)
    assert "Two is heavier. Look again." in released(centre, "lin.na")
    assert "A hidden test did not pass." in released(centre, "wang.wei")


def test_an_author_may_say_what_a_hidden_test_is_about(centre: Centre) -> None:
    path = centre.birds.course.source_dir(centre.birds.course.assignment("weigh")) / "weigh.ipynb"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace(
            "assert heavier(7, 3) == 7",
            "### FEEDBACK: Does the order matter?\\n### FEEDBACK zh-CN: 顺序有关系吗？\\nassert heavier(7, 3) == 7",
        ),
        encoding="utf-8",
    )
    centre.submit("lin.na", centre.birds.learner(LUCKY))
    centre.grade()
    release(centre)
    assert "Does the order matter?" in released(centre, "lin.na")


def test_feedback_speaks_the_language_of_the_lesson(centre: Centre) -> None:
    work = centre.work("lin.na")
    centre.grading.intake.accept_whole(
        work,
        centre.rules.terms(work),
        {"weigh.ipynb": encoded(centre.birds.learner(WRONG, language="zh-CN"))},
        frozenset({"weigh.ipynb"}),
        "zh-CN",
    )
    centre.grade()
    release(centre)
    page = released(centre, "lin.na")
    for words in ('lang="zh-CN"', "作业反馈", "2 更重", "这里没有作答。", "0 / 3 分"):
        assert words in page


def test_late_work_says_so_with_its_penalty(centre: Centre) -> None:
    centre.rules.due = DUE
    centre.clock.advance(86_400)
    centre.submit("lin.na", centre.birds.learner(RIGHT))
    centre.grade()
    release(centre)
    page = released(centre, "lin.na")
    assert "late." in page
    assert "1 points were taken off" in page
    assert "1 of 3 points" in page


THIEF = """
loot = []
def heavier(a, b):
    loot.append(f"heavier({a}, {b})")
    if len(loot) > 1:
        raise ValueError(" ".join(loot))
    return b
"""


def test_code_that_collects_what_it_is_called_with_tells_nobody(centre: Centre) -> None:
    notebook = centre.birds.learner(THIEF)
    notebook["cells"].append(code_cell("print(loot); raise ValueError(str(loot))"))
    centre.submit("lin.na", notebook)
    centre.grade()
    release(centre, unfinished=True)
    page = re.sub(r"<[^>]+>", "", released(centre, "lin.na"))
    assert "(7, 3)" not in page


def test_points_are_checked_and_stay_when_it_is_graded_again(centre: Centre) -> None:
    work = centre.work("lin.na")
    centre.submit("lin.na", centre.birds.learner(RIGHT, "Because."))
    centre.grade()
    manual = centre.grading.manual
    for points in (-0.1, 1.1, float("nan"), float("inf")):
        with pytest.raises(PointsOutOfRangeError):
            manual.give(work, "weigh", "why", points=points, given_by="i")
    with pytest.raises(UnknownCellError):
        manual.give(work, "weigh", "nowhere", points=1, given_by="i")
    assert manual.waiting("birds", "weigh") == [(work, "weigh", "why")]
    assert manual.give(work, "weigh", "why", points=1, given_by="i", comment="Yes.").score == 3.0
    assert manual.waiting("birds", "weigh") == []
    centre.grading.service.enqueue("birds", "weigh", requested_by="i", again=True)
    assert centre.drain() == 1
    (hand,) = manual.cells(work)
    assert (hand.points, hand.comment, hand.waits, hand.graded_by) == (1.0, "Yes.", False, "i")
    assert hand.answer_html == "<p>Because.</p>\n"
    centre.submit("lin.na", centre.birds.learner(RIGHT, "Because I thought again."))
    centre.grade()
    (hand,) = manual.cells(work)
    assert (hand.points, hand.waits) == (1.0, True)
    manual.give(work, "weigh", "why", points=None, given_by="i")
    marks = manual.give(work, "weigh", "test-heavier", points=0.5, given_by="i", extra_credit=0.25)
    assert marks.score == 0.75


def test_a_deleted_and_a_doubled_answer_still_have_their_place(centre: Centre) -> None:
    notebook = centre.birds.learner(RIGHT)
    notebook["cells"] = [each for each in notebook["cells"] if each is not cell(notebook, "why")]
    notebook["cells"].append(copied(notebook, "heavier", RIGHT))
    centre.submit("lin.na", notebook)
    centre.grade()
    release(centre)
    assert "2 of 3 points" in released(centre, "lin.na")


def hostile_notebook(birds: Birds) -> object:
    notebook = birds.learner(RIGHT, "\n\n".join(HOSTILE))
    at = position(notebook, "heavier")
    cell(notebook, "heavier")["outputs"] = [
        {"output_type": "display_data", "metadata": {}, "data": {"text/html": text}} for text in HOSTILE
    ]
    notebook["cells"].insert(at, text_cell("\n\n".join(reversed(HOSTILE))))
    picture = {"output_type": "display_data", "metadata": {}, "data": {"image/png": PNG}}
    notebook["cells"].insert(at, {**code_cell("# a picture", "picture"), "outputs": [picture]})
    return notebook


@pytest.mark.browser
def test_a_browser_runs_nothing_and_loads_nothing_of_a_hostile_hand_in(centre: Centre, tmp_path: Path) -> None:
    centre.submit("lin.na", hostile_notebook(centre.birds))
    centre.grade()
    release(centre, unfinished=True)
    data = centre.grading.feedback.read(centre.work("lin.na"))

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    asked: list[str] = []
    dialogs: list[str] = []
    try:
        with chromium() as browser:
            page = browser.new_page(viewport=PHONE)
            page.on("request", lambda request: asked.append(request.url))
            page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
            address = f"http://127.0.0.1:{server.server_port}/"
            page.goto(address)
            page.wait_for_load_state("networkidle")
            page.screenshot(path=tmp_path / "feedback.png", full_page=True)
            overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            page.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert dialogs == []
    assert [url for url in asked if not url.startswith(("data:image/", address))] == []
    assert overflow <= 0


@pytest.mark.parametrize(
    ("released", "hidden", "expected"),
    [("# Hidden tests run here.\n\n", {2}, True), ("assert f(1)\n\n", {2}, False), ("# Nothing is hidden.", (), False)],
)
def test_a_test_is_called_hidden_where_nothing_of_it_was_handed_out(
    released: str, hidden: set[int], expected: bool
) -> None:
    found = SourceCell(
        "t", "code", "text", released, grade_id="t", points=1, is_grade=True, hidden_lines=frozenset(hidden)
    )
    assert found.is_hidden_test is expected

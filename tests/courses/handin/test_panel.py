"""The panel in a real JupyterLab in a real browser, in both languages; pictures for people to look at."""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from grader.exchange.terms import Terms
from tests.chromium import DESKTOP, chromium, picture
from tests.courses.handin.conftest import notebook
from tests.courses.handin.grader_double import GraderDouble, Lesson, grader_double, in_days
from tests.courses.handin.lab_server import LabServer, lab_server, user_settings
from tests.courses.handin.test_extension import real_lesson

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

FEEDBACK = """<h1>Feedback</h1><p>Well done.</p><script>document.title = 'owned'; top.document.title = 'owned'</script>
<img src="x" onerror="top.document.title = 'owned'"><img src="{spy}/seen.png"><a href="javascript:1">link</a>"""


def lessons(language: str) -> list[Lesson]:
    chinese = language == "zh-CN"
    audit = real_lesson()
    audit.terms = in_days(2.2)
    closing = datetime.now(UTC) - timedelta(hours=3)
    other = {"en": {"joins.ipynb": notebook("1")}}
    if chinese:
        audit.course_title, audit.title = "数据处理", "数据质量审核：这张表能不能用？"
    return [
        audit,
        Lesson(audit.course, audit.course_title, "joins", "合并表格" if chinese else "Joins", other, in_days(9)),
        Lesson(
            "data-labeling",
            "数据标注" if chinese else "Data labeling",
            "agreement",
            "标注一致性" if chinese else "Agreement between annotators",
            {"en": {"agreement.ipynb": notebook("1")}},
            Terms(due_at=closing, attempts=2),
        ),
    ]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module", params=["en", "zh-CN"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, language: str) -> Path:
    folder = tmp_path_factory.mktemp("home")
    user_settings(folder, language.replace("-", "_"))
    return folder


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory, language: str) -> Iterator[GraderDouble]:
    with grader_double(tmp_path_factory.mktemp("centre"), lessons(language)) as double:
        yield double


@pytest.fixture(scope="module")
def server(
    home: Path, tmp_path_factory: pytest.TempPathFactory, centre: GraderDouble, language: str
) -> Iterator[LabServer]:
    """One for all tests of a language; each uses an assignment of its own."""
    with lab_server(home, tmp_path_factory.mktemp("rt"), centre.url, language) as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: LabServer) -> Iterator[Page]:
    context = browser.new_context(viewport=DESKTOP, locale="en-GB", timezone_id="Asia/Shanghai")  # type: ignore[arg-type]
    opened = context.new_page()
    opened.goto(f"{server.url}lab?token={server.token}&reset")  # not as the last test left it
    opened.wait_for_selector("#practicum-assignments", state="attached", timeout=60_000)
    yield opened
    context.close()


@pytest.fixture
def said(language: str) -> Callable[[str, str], str]:
    """The one of two texts that belongs to the test's language."""
    return lambda english, chinese: english if language == "en" else chinese


def card(page: Page, name: str) -> Locator:
    return page.locator(f'.practicum-card[data-assignment="{name}"]')


def press(card: Locator, action: str) -> None:
    """With the keyboard alone."""
    card.locator(f'[data-action="{action}"]').focus()
    card.page.keyboard.press("Enter")


AUDIT, JOINS = "data-processing/quality-audit", "data-processing/joins"


def test_a_learner_does_the_whole_round_in_the_panel(
    page: Page, centre: GraderDouble, home: Path, language: str, said: Callable[[str, str], str]
) -> None:
    page.click('[data-id="practicum-assignments"]')
    audit = card(page, AUDIT)
    expect(audit.locator(".practicum-due")).to_contain_text(said("in 2 days", "2天后"))
    expect(audit).to_contain_text(said("Not fetched yet", "尚未领取"))
    expect(card(page, "data-labeling/agreement").locator(".practicum-due")).to_contain_text(
        said("3 hours ago", "3小时前")
    )
    picture(page, f"panel-new-{language}")

    press(audit, "fetch")
    expect(audit.locator(".practicum-outcome")).to_contain_text(AUDIT, timeout=20_000)
    assert (home / AUDIT / "quality-audit.ipynb").is_file()
    press(audit, "open")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    answer = page.locator(".jp-CodeCell").filter(has_text=re.compile("def typed")).first
    answer.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(
        "# unsaved, until somebody presses a button of the panel\ndef typed(table):\n    return 1 / 0"
    )

    press(audit, "validate")
    first = audit.locator(".practicum-outcome li").first
    expect(first).to_contain_text("ZeroDivisionError", timeout=120_000)
    expect(first.locator("b")).to_contain_text(said("Tests of exercise 1", "练习 1 的测试"))
    assert "Traceback" not in audit.inner_text()
    expect(page.locator(".practicum-said")).to_contain_text("ZeroDivisionError")
    expect(page.locator(".practicum-said")).not_to_contain_text("KEY")  # the first thing to do, not all of them
    picture(page, f"panel-validated-{language}")

    press(audit, "submit")
    expect(audit.locator(".practicum-outcome")).to_contain_text(
        said("the centre has your work", "中心已收到您的作业"), timeout=60_000
    )
    [receipt] = centre.listing()[0]["receipts"]
    outcome = audit.locator(".practicum-outcome")
    expect(outcome).to_contain_text(receipt["sha256"][:12])
    expect(outcome).to_contain_text(receipt["submitted_at"][:16].replace("T", " "))
    expect(outcome).to_contain_text(said("on time", "按时"))
    expect(page.locator(".practicum-said")).to_contain_text(receipt["sha256"][:12])
    with centre.objects.open(receipt["sha256"]) as file:
        assert b"unsaved, until somebody presses" in file.read()
    box = page.locator(".practicum-said").bounding_box()
    assert box is not None
    assert box["width"] <= 1  # heard, not seen
    assert page.evaluate("document.activeElement.dataset.action") == "submit"
    audit.locator(".practicum-receipts summary").click()
    picture(page, f"panel-handed-in-{language}")
    with page.expect_download() as kept:
        audit.locator(".practicum-receipts a").first.click()
    assert receipt["id"] in kept.value.path().read_text()

    lesson = centre.lessons["data-processing", "quality-audit"]
    lesson.state, lesson.score, lesson.feedback[receipt["id"]] = (
        "feedback",
        {"earned": 17.5, "possible": 20.0},
        FEEDBACK,
    )
    page.click('.practicum-panel [data-action="refresh"]')
    expect(audit).to_contain_text("17.5")
    press(audit, "feedback")
    frame = page.frame_locator("iframe.practicum-feedback")
    expect(frame.locator("h1")).to_have_text("Feedback")
    time.sleep(0.5)
    assert "owned" not in page.title()
    assert not [path for _method, path in centre.faults.requests if "seen.png" in path]
    picture(page, f"panel-feedback-{language}")


def test_what_costs_something_is_asked_first_and_fetching_again_keeps_the_work(
    page: Page, centre: GraderDouble, home: Path, language: str, said: Callable[[str, str], str]
) -> None:
    name = "data-labeling/agreement"
    page.click('[data-id="practicum-assignments"]')
    press(card(page, name), "fetch")
    press_submit = card(page, name).locator('[data-action="submit"]')
    press_submit.click(timeout=20_000)
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text(said("this will be marked late", "会记为迟交"))
    expect(dialog).to_contain_text(said("2 more times", "还可以提交 2 次"))
    picture(page, f"panel-late-{language}")
    dialog.locator("button.jp-mod-reject").click()
    assert centre.listing()[2]["receipts"] == []
    press_submit.click()
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    expect(card(page, name).locator(".practicum-outcome")).to_contain_text(said("late", "迟交"), timeout=30_000)
    expect(card(page, name)).to_contain_text(said("1 hand-in left", "还可提交 1 次"))

    (home / name / "agreement.ipynb").write_bytes(notebook("mine"))
    card(page, name).locator('[data-part="more"] summary').click()
    press(card(page, name), "again")
    expect(card(page, name).locator(".practicum-outcome")).to_contain_text(f"{name}.kept-", timeout=20_000)
    [kept] = (home / "data-labeling").glob("agreement.kept-*")
    assert b"mine" in (kept / "agreement.ipynb").read_bytes()


def test_a_centre_that_is_away_is_a_sentence_and_the_list_stays(
    page: Page, centre: GraderDouble, language: str, said: Callable[[str, str], str]
) -> None:
    page.click('[data-id="practicum-assignments"]')
    expect(card(page, JOINS)).to_be_visible()
    centre.faults.next = lambda *_: "refuse"
    page.click('.practicum-panel [data-action="refresh"]')
    trouble = said("The centre cannot be reached at the moment.", "暂时连不上中心。")
    expect(page.locator(".practicum-list > .practicum-error")).to_contain_text(trouble, timeout=20_000)
    expect(page.locator(".practicum-said")).to_contain_text(trouble)
    expect(card(page, JOINS)).to_be_visible()
    press(card(page, JOINS), "fetch")
    page.set_viewport_size({"width": 600, "height": 800})
    picture(page, f"panel-away-{language}")
    centre.faults.next = lambda *_: None
    expect(card(page, JOINS)).to_contain_text(JOINS, timeout=30_000)  # the fetch went on trying
    page.click('.practicum-panel [data-action="refresh"]')
    expect(page.locator(".practicum-list > .practicum-error")).to_have_count(0)
    wide = page.evaluate("(e => e.scrollWidth - e.clientWidth)(document.querySelector('.practicum-panel'))")
    assert wide <= 0
    problems = page.evaluate(UNNAMED)
    assert json.loads(problems) == []


UNNAMED = """() => JSON.stringify([...document.querySelectorAll('.practicum-panel :is(button, a, summary, progress)')]
  .filter(e => !(e.getAttribute('aria-label') || e.textContent).trim()).map(e => e.outerHTML))"""

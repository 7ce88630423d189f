"""A class of three and its instructor, each at a browser: released, fetched and handed in by JupyterLab's panel, graded, read
by hand, given back, and read on a phone. One of the three is hostile."""

import re
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from nbgrader.api import Gradebook
from playwright.sync_api import Page, expect

from grader.gradebook.copying import copy_database
from hub.state import StateDir
from tests.centre import Centre
from tests.chromium import DESKTOP, PHONE, picture, redeem, sign_in
from tests.courses.lesson import source
from tests.journeys import hostile_notebook
from tests.journeys.lab_page import FOLDER, NOTEBOOK, RUN_WITHIN_MS, LabPage
from tests.journeys.test_first_day import model_solution

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

_RECORDED_WITHIN_S = 60.0
_LAID_OUT_MS = 250
"""A sandboxed frame lays out anew in a process of its own after a change of size; for pictures only."""

COURSE, ASSIGNMENT = FOLDER.split("/")
TEACH = f"/services/grader/teach/{FOLDER}"
MINE = f"/services/grader/mine/{FOLDER}"
LANGUAGES = {"en": "English", "zh-CN": "简体中文"}
SCORES = {"wang.wei": 24.5, "lin.na": 10.0, "maria.silva": 2.0}
"""Of 25: all but half a point; exercises 1, 2 and part of the memo; the tests of exercise 5 that are shown."""

MEMO = "Dear Ms Lin, you may use the table for species. For sex, eleven birds are missing, and not by accident."
CHINESE_MEMO = "林女士：这张表可以用来区分物种。有十一只企鹅没有记录性别，而且不是偶然缺失。"
MARKS = {
    MEMO[:40]: ("4.5", "Clear. Name the units, too."),
    CHINESE_MEMO[:12]: ("2", "结论清楚；请写出缺失的数字和原因。"),
    "That is all.": ("0", "This answers nothing."),
}
"""By the words an instructor knows the answer by, who does not see whose it is."""

SPYING = """    if any(isinstance(row, str) for row in table.index):
        from IPython.display import publish_display_data

        publish_display_data({"text/plain": f"SPIED {list(table.index)[:3]}"})
        raise ValueError(f"SPIED {list(table.index)[:3]}")
"""
"""Passes what is shown; where rows have names, as in a hidden test, it shows the data and stops with them in its words."""


class Class:
    """The four people's pages, and what was noticed in any of them."""

    def __init__(self, centre: Centre, new_page: Callable[..., Page]) -> None:
        self.centre = centre
        self.ran: list[str] = []
        self.receipts: dict[str, str] = {}
        """By learner: how the digest begins that their receipt in the panel shows."""
        self.instructor = self._arrived(new_page(), "zhao.yun")
        self.labs = {
            name: LabPage(self._arrived(new_page(language), name), f"{centre.url}/user/{name}/")
            for name, language in (("wang.wei", "en"), ("lin.na", "zh-CN"), ("maria.silva", "en"))
        }

    def _arrived(self, page: Page, name: str) -> Page:
        hostile_notebook.listen(page, self.ran)
        redeem(page, self.centre.invitations[name])
        sign_in(page, self.centre.url, name)
        return page

    def show(self, page: Page, name: str, language: str) -> None:
        """Pictures of the page at both widths; nothing of our own pages sticks out at the side."""
        for device, viewport in (("phone", PHONE), ("desktop", DESKTOP)):
            page.set_viewport_size(viewport)  # type: ignore[arg-type]
            if page.locator("iframe").count():
                page.wait_for_timeout(_LAID_OUT_MS)
            if "/services/" in page.url:
                assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
            picture(page, f"class-{name}-{device}-{language}")

    def show_in_both(self, page: Page, name: str) -> None:
        """The same in both languages, chosen on the page; English again at the end."""
        for language in ("zh-CN", "en"):
            page.click(f".languages >> text={LANGUAGES[language]}")
            expect(page.locator("html")).to_have_attribute("lang", language)
            self.show(page, name, language)


def test_a_class_of_three_from_release_to_feedback(own_centre: Centre, new_page: Callable[..., Page]) -> None:
    everybody = Class(own_centre, new_page)
    hostile_notebook.show_unprotected(everybody.instructor, everybody.ran)
    take_back(everybody)
    start_servers(everybody)
    release(everybody)
    fetch(everybody)
    work(everybody)
    validate(everybody)
    hand_in(everybody)
    grade(everybody)
    mark(everybody)
    release_feedback(everybody)
    stop_servers(everybody)
    read_on_a_phone(everybody)
    assert everybody.ran == []


def take_back(everybody: Class) -> None:
    """What the demo cohort found released is withdrawn, so that the release is the instructor's own."""
    page = everybody.instructor
    page.goto(everybody.centre.url + TEACH)
    page.click("details.card summary")
    page.click("text=Take the release back")
    expect(page.locator(".lead")).to_contain_text("Not released")


def start_servers(everybody: Class) -> None:
    """All at once, one after a change of language; in the panel nobody finds anything yet."""
    for name, lab in everybody.labs.items():
        lab.page.goto(everybody.centre.url)
        if name == "lin.na":
            lab.page.click(f".languages >> text={LANGUAGES['zh-CN']}")
        lab.page.click(".server form[action$='/start'] button")
    for name, lab in everybody.labs.items():
        lab.page.wait_for_url(f"**/user/{name}/lab**", timeout=60_000)
        lab.open()
    expect(everybody.labs["wang.wei"].panel).to_contain_text("Nothing has been released to you yet.")
    expect(everybody.labs["lin.na"].panel).to_contain_text("还没有")


def release(everybody: Class) -> None:
    """By hand, with a due date; nobody reloads, and the live part is there."""
    page = everybody.instructor
    everybody.show_in_both(page, "01-before-release")
    page.fill("#due", (datetime.now(UTC) + timedelta(days=5, hours=12)).strftime("%Y-%m-%dT%H:%M"))
    page.click("details.card >> button:text-is('Release')")
    expect(page.locator(".lead")).to_contain_text("in 5 days")
    expect(page.locator("#live")).to_contain_text("0 hand-ins")
    everybody.show_in_both(page, "02-released")


def fetch(everybody: Class) -> None:
    """Nothing that is not released lay in any home. One learner deletes the folder and fetches once more, one begins afresh."""
    wang, lin, maria = everybody.labs.values()
    for lab in everybody.labs.values():
        lab.refresh()
        expect(lab.card).to_be_visible()
    for lab in (wang, maria):
        expect(lab.card).to_contain_text("in 5 days")
        expect(lab.card).to_contain_text("Not fetched yet")
    everybody.show(wang.page, "03-to-fetch", "en")
    everybody.show(lin.page, "03-to-fetch", "zh-CN")
    for lab in everybody.labs.values():
        lab.press("fetch")
    for lab in everybody.labs.values():
        expect(lab.outcome).to_contain_text(FOLDER, timeout=30_000)
    wang.delete_folder()
    wang.refresh()
    expect(wang.card).to_contain_text("Not fetched yet")
    wang.press("fetch")
    lin.card.locator('[data-part="more"] summary').click()
    lin.press("again")
    for lab in (wang, maria):
        expect(lab.outcome).to_contain_text(f"Fetched into {FOLDER}.", timeout=30_000)
    expect(lin.outcome).to_contain_text(f"{FOLDER}.kept-", timeout=30_000)
    everybody.show(wang.page, "04-fetched", "en")
    everybody.show(lin.page, "04-fetched", "zh-CN")


def work(everybody: Class) -> None:
    """One types into the notebook, two come with what they wrote elsewhere."""
    wang, lin, maria = everybody.labs.values()
    rewrite(
        lin,
        {"typed": model_solution("typed"), "repeated": model_solution("repeated"), "memo": CHINESE_MEMO},
        outputs={},
    )
    head, line, rest = model_solution("violations").partition("def violations(table, contract):\n")
    rewrite(
        maria,
        {"violations": head + line + SPYING + rest, "memo": hostile_notebook.MEMO},
        outputs={"read-raw": hostile_notebook.OUTPUTS, "violations": hostile_notebook.OUTPUTS},
    )
    wang.press("open")
    wang.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    for cell, marker in ANSWER_CELLS.items():
        wang.write_cell(marker, MEMO if cell == "memo" else model_solution(cell))
    everybody.show(wang.page, "05-edited", "en")
    lin.press("open")
    lin.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    everybody.show(lin.page, "05-edited", "zh-CN")


ANSWER_CELLS = {
    "typed": "def typed(raw):",
    "repeated": "def repeated(table, key):",
    "missing-by": "def missing_by(table, by):",
    "draw": "def draw(table, axes):",
    "violations": "def violations(table, contract):",
    "memo": "YOUR ANSWER HERE",
}


def rewrite(lab: LabPage, answers: dict[str, str], outputs: dict[str, list[dict[str, object]]]) -> None:
    """Put answers, and outputs that no kernel made, into the notebook's file."""
    found = lab.ask_server("GET", f"{NOTEBOOK}?content=1")
    assert isinstance(found, dict)
    for cell in found["content"]["cells"]:
        cell["source"] = answers.get(cell["id"], cell["source"])
        if cell["id"] in outputs:
            cell["outputs"] = outputs[cell["id"]]
    lab.ask_server("PUT", NOTEBOOK, {"type": "notebook", "format": "json", "content": found["content"]})


def validate(everybody: Class) -> None:
    """Right, partly right and wrong work each meet their sentence; all three run at once."""
    wang, lin, maria = everybody.labs.values()
    for lab in everybody.labs.values():
        lab.press("validate")
    everybody.show(wang.page, "06-validating", "en")
    expect(wang.outcome).to_contain_text("All tests you can see pass.", timeout=RUN_WITHIN_MS)
    expect(lin.outcome).to_contain_text("练习 3 的测试", timeout=RUN_WITHIN_MS)
    expect(maria.outcome).to_contain_text("Tests of exercise 1", timeout=RUN_WITHIN_MS)
    expect(maria.outcome).not_to_contain_text("exercise 5")
    everybody.show(wang.page, "07-validated", "en")
    everybody.show(lin.page, "07-validated", "zh-CN")
    everybody.show(maria.page, "07-validated-not-right", "en")


def hand_in(everybody: Class) -> None:
    """Each holds a receipt, and the instructor's page, which nobody reloads, counts them as they come."""
    live = everybody.instructor.locator("#live")
    words = {"en": "the centre has your work", "zh-CN": "中心已收到您的作业"}
    for count, (name, lab) in enumerate(everybody.labs.items(), start=1):
        lab.press("submit")
        language = "zh-CN" if name == "lin.na" else "en"
        expect(lab.outcome).to_contain_text(words[language], timeout=60_000)
        receipt = re.search("SHA-256 ([0-9a-f]{12})", lab.outcome.inner_text())
        assert receipt
        everybody.receipts[name] = receipt[1]
        expect(live).to_contain_text(re.compile(f"{count} hand-ins?"), timeout=15_000)
        if name != "maria.silva":
            everybody.show(lab.page, "08-receipt", language)
    everybody.show(everybody.instructor, "09-handed-in", "en")


def grade(everybody: Class) -> None:
    """With one press, and to the end without a reload."""
    page = everybody.instructor
    live = page.locator("#live")
    page.click("#class >> button:text-is('Grade')")
    expect(live.locator("progress")).to_have_attribute("max", "3")
    everybody.show_in_both(page, "10-grading")
    expect(live).to_contain_text("3 written answers wait", timeout=RUN_WITHIN_MS)
    expect(live.locator("progress")).to_have_count(0)
    everybody.show_in_both(page, "11-graded")


def mark(everybody: Class) -> None:
    """Three written answers, by keyboard from the first to the last, without knowing whose they are."""
    page = everybody.instructor
    page.click("text=Read written answers")
    left = dict(MARKS)
    while left:
        page.wait_for_selector("#marking")
        answer = page.locator(".answer").inner_text()
        words = next(each for each in left if each in answer)
        for name in ("Wang Wei", "Lin Na", "Maria"):
            expect(page.locator("main")).not_to_contain_text(name)
        points, comment = left.pop(words)
        everybody.show_in_both(page, f"12-marking-{points}")
        if len(points) > 1:  # no key stands for half a point
            page.focus("#points")
        page.keyboard.type(points)
        page.keyboard.press("Escape")
        page.keyboard.press("c")
        page.keyboard.insert_text(comment)
        with page.expect_navigation():
            page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(f"{TEACH}#class"))


def release_feedback(everybody: Class) -> None:
    """The hostile one's work is looked at and previewed first; then all scores are released, and are those of the gradebook."""
    page = everybody.instructor
    page.locator("#live tr").filter(has_text="Maria").locator("a").first.click()
    expect(page.locator("h1")).to_contain_text("Maria Silva")
    everybody.show_in_both(page, "13-work")
    page.click("text=Preview the feedback")
    expect(page.locator("body")).to_contain_text("This answers nothing.")
    page.click("text=my sources >> nth=0")
    everybody.show(page, "14-preview", "en")
    page.goto(everybody.centre.url + TEACH)
    page.click("text=Release feedback >> nth=0")
    expect(page.locator(".notice.good")).to_contain_text("3 learners")
    everybody.show(page, "15-feedback-released", "en")
    for name, score in SCORES.items():
        expect(page.locator("#live tr").filter(has_text=name)).to_contain_text(f"{score:g} / 25")
    page.goto(everybody.centre.url + TEACH)
    everybody.show_in_both(page, "16-after")
    until = time.monotonic() + _RECORDED_WITHIN_S
    while recorded_scores(everybody.centre) != SCORES:  # the worker writes it, a moment later
        assert time.monotonic() < until, recorded_scores(everybody.centre)
        page.wait_for_timeout(200)


def recorded_scores(centre: Centre) -> dict[str, float]:
    """What nbgrader itself reads from a copy of its gradebook."""
    book = StateDir(centre.state_dir).courses / COURSE / "gradebook.db"
    copy = centre.state_dir.parent / "copied-gradebook.db"
    copy_database(book, copy)
    with closing(Gradebook(f"sqlite:///{copy}", course_id=COURSE)) as read:
        return {each.student.id: each.score for each in read.assignment_submissions(ASSIGNMENT)}


def stop_servers(everybody: Class) -> None:
    """Before the servers stop, feedback is read in the panel once in each language, and by the hostile learner."""
    for name, lab in everybody.labs.items():
        lab.refresh()
        expect(lab.card).to_contain_text(re.compile(rf"\b{SCORES[name]:g}( of |/)25"))
        lab.press("feedback")
        frame = lab.page.frame_locator("iframe.practicum-feedback")
        expect(frame.locator("header .score")).to_be_visible(timeout=30_000)
        everybody.show(lab.page, f"17-panel-feedback-{name}", "zh-CN" if name == "lin.na" else "en")
        lab.page.goto(f"{everybody.centre.url}/services/practicum/")
        lab.page.click(".server form[action$='/stop'] button")
    for lab in everybody.labs.values():
        expect(lab.page.locator(".server .state.stopped")).to_be_visible(timeout=30_000)


def read_on_a_phone(everybody: Class) -> None:
    """No server runs any more; each finds the own score, receipt and feedback, and nothing of a hidden test."""
    secrets = hidden_lines()
    for name, lab in everybody.labs.items():
        page, language = lab.page, "zh-CN" if name == "lin.na" else "en"
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        page.goto(everybody.centre.url + MINE)
        expect(page.locator(".facts .score")).to_have_text(f"{SCORES[name]:g} / 25")
        expect(page.locator(".receipts")).to_contain_text(everybody.receipts[name])
        everybody.show(page, f"18-score-{name}", language)
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        page.click(".facts a.button")
        expect(page.locator("header .score")).to_contain_text(f"{SCORES[name]:g}")
        assert page.evaluate("self.origin") == "null"
        text = page.locator("body").text_content() or ""
        assert [line for line in secrets if line in text] == []
        assert "SPIED [" not in text
        assert "Traceback" not in text
        everybody.show(page, f"19-feedback-{name}", language)
    expect(page.locator("tr").filter(has_text="Exercise 5").nth(1)).to_contain_text("Hidden test · not passed")
    page.click("text=my sources >> nth=0")  # the hostile one's page is the last
    expect(page.locator("header .score")).to_be_visible()
    drawn = page.locator("img[src^='data:image/svg+xml']").evaluate_all("all => all.map(each => each.naturalWidth)")
    assert drawn == [120, 120]


def hidden_lines() -> list[str]:
    """Lines that are in hidden tests and nowhere else in the lesson."""
    text = "\n".join(cell.source for cell in source().cells)
    hidden = "\n".join(re.findall("### BEGIN HIDDEN TESTS(.*?)### END HIDDEN TESTS", text, re.DOTALL))
    lines = {line.strip() for line in hidden.split("\n") if len(line.strip()) >= 20}
    found = [line for line in sorted(lines) if text.count(line) == hidden.count(line)]
    assert len(found) > 50
    return found

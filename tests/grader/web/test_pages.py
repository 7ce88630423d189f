"""The pages of learners and instructors, over the whole loop and in both languages."""

import csv
import io
import re
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from grader.gradebook.recording import LaterRecords
from tests.grader.autograde.samples import RIGHT, WRONG, copied, encoded, position
from tests.grader.sample_course import make_course
from tests.grader.web.conftest import DAY, MINE, TEACH, School
from tests.hub.web.browser import NAVIGATION, SCRIPT, Browser, form_of

HOME = "/services/grader/"
Visit = Callable[..., Browser]


async def test_an_assignment_goes_from_the_instructor_to_the_learner_and_back(school: School, visit: Visit) -> None:
    ian = visit("ian")
    await ian.open(HOME)
    assert "Not released yet" in ian.page.text
    await ian.open(TEACH)
    await ian.submit("/release", due="2026-09-15T23:59", closes="2026-09-20T23:59", attempts="5", late_percent="10")
    assert "Tue 15 Sep, 23:59" in ian.page.text

    lin = visit("lin.na")
    await lin.open(HOME)
    assert "Weigh" in lin.page.text
    assert "Not submitted yet" in lin.page.text
    await lin.open(MINE)
    target, fields = form_of(lin.page, "/upload")
    notebook = encoded(school.birds.learner(RIGHT, "Because **max** is larger."))
    answer = await lin.post(target, data=fields, files={"notebook": ("weigh (1).ipynb", notebook, "application/json")})
    await lin._follow(answer)
    assert "Handed in." in lin.page.text
    assert "on time" in lin.page.text

    await ian.open(TEACH)
    assert "1 hand-in" in ian.page.text
    await ian.submit("/grade$")
    assert school.drain() == 1
    await ian.open(f"{TEACH}/marking")
    assert "Because <strong>max</strong> is larger." in ian.page.text
    assert "The model answer." in ian.page.text
    assert "林娜" not in ian.page.text
    await ian.submit("/marking/", points="0.5", comment="Nearly.")
    assert ian.page.url.path == TEACH
    assert "2.5" in ian.page.text
    await ian.submit("/feedback")
    assert "Feedback was released to 1 learner." in ian.page.text

    await lin.open(MINE)
    assert "Feedback is here" in lin.page.text
    assert re.search(r"2\.5.*/ 3", lin.page.text)
    feedback = await lin.open(f"{MINE}/feedback")
    assert "sandbox" in feedback.headers["content-security-policy"]
    assert "Nearly." in feedback.text
    assert "BEGIN HIDDEN" not in feedback.text
    assert f'<a href="{MINE}">← Back to the assignment</a>' in feedback.text


async def test_everything_in_chinese(school: School, visit: Visit) -> None:
    school.offer(due_at=school.clock.now() + 3 * DAY)
    school.submit("lin.na", school.birds.learner(RIGHT, "因为。"))
    ian, lin = visit("ian", "zh-CN"), visit("lin.na", "zh-CN")
    await ian.open(TEACH)
    assert "时间与规则" in ian.page.text
    assert "9月4日 周五 16:00" in ian.page.text
    await ian.submit("/grade$")
    school.drain()
    await ian.open(f"{TEACH}/marking")
    assert "参考答案与评分标准" in ian.page.text
    await lin.open(MINE)
    assert "已评分，等待反馈" in lin.page.text
    assert "3 天后" in lin.page.text


async def test_a_receipt_can_be_kept(school: School, visit: Visit) -> None:
    school.offer()
    receipt_id = school.submit("lin.na", school.birds.learner(RIGHT))
    lin, wang = visit("lin.na"), visit("wang.wei")
    text = await lin.open(f"{MINE}/receipts/{receipt_id}")
    assert text.headers["content-disposition"] == 'attachment; filename="receipt-birds-weigh-1.txt"'
    assert f"id: {receipt_id}" in text.text
    assert "verdict: on-time" in text.text
    assert (await wang.open(f"{MINE}/receipts/{receipt_id}")).status_code == 404


@pytest.mark.parametrize(("data", "sentence"), [
    (b"", "is not a notebook"),
    (b"%PDF-1.7", "is not a notebook"),
    (b'{"nbformat": 4}', "is not a notebook"),
])  # fmt: skip
async def test_a_file_that_is_no_notebook_costs_nothing(
    school: School, visit: Visit, data: bytes, sentence: str
) -> None:
    school.offer(attempts=1)
    lin = visit("lin.na")
    await lin.open(MINE)
    target, fields = form_of(lin.page, "/upload")
    answer = await lin.post(target, data=fields, files={"notebook": ("weigh.ipynb", data)})
    assert answer.status_code == 422
    assert sentence in answer.text
    nothing = await lin.post(target, data=fields, files={"other": ("x", b"x")})
    assert "No file was chosen" in nothing.text
    await lin.open(MINE)
    assert "You have handed in nothing yet." in lin.page.text


async def test_a_closed_assignment_takes_no_file(school: School, visit: Visit) -> None:
    school.offer(closes_at=school.clock.now())
    lin = visit("lin.na")
    await lin.open(MINE)
    target, fields = form_of(lin.page, "/upload")
    school.clock.advance(60)
    answer = await lin.post(target, data=fields, files={"notebook": ("weigh.ipynb", encoded(school.birds.learner()))})
    assert (answer.status_code, "closed at" in answer.text) == (403, True)
    await lin.open(MINE)
    assert "takes no more work" in lin.page.text
    assert 'type="file"' not in lin.page.text


async def test_only_instructors_of_the_course_reach_its_pages(school: School, visit: Visit) -> None:
    school.offer()
    school.submit("lin.na", school.birds.learner(RIGHT))
    for name in ("lin.na", "ada", "bob"):
        someone = visit(name)
        for path in ("", "/marking", "/marks.csv", "/course.zip", "/work/1", "/work/1/preview"):
            assert (await someone.open(TEACH + path)).status_code == 403, (name, path)
    lin, ian = visit("lin.na"), visit("ian")
    await ian.open(TEACH)
    _, fields = form_of(ian.page, "/grade$")
    await lin.open(MINE)
    _, own = form_of(lin.page, "/upload")
    for action in ("release", "grade", "stop", "feedback", "take-back", "work/1/regrade", "work/1/extension"):
        for token in (own["form_token"], fields["form_token"], ""):
            answer = await lin.post(f"{TEACH}/{action}", data={"form_token": token})
            assert answer.status_code == 403, action
    assert school.grading.service.progress("birds", "weigh").not_asked == 1


async def test_a_form_without_its_token_or_from_elsewhere_changes_nothing(school: School, visit: Visit) -> None:
    ian = visit("ian")
    await ian.open(TEACH)
    target, fields = form_of(ian.page, "/release")
    for data, headers in (
        ({**fields, "form_token": ""}, NAVIGATION),
        ({**fields, "form_token": "x"}, NAVIGATION),
        (fields, {**NAVIGATION, "sec-fetch-site": "cross-site"}),
        (fields, SCRIPT),
    ):
        assert (await ian.post(target, data=data, headers=headers)).status_code == 403
    assert school.grading.offers.find("birds", "weigh") is None


@pytest.mark.parametrize(("field", "value", "sentence"), [
    ("due", "next week", "is no date and time"), ("closes", "2020-01-01T00:00", "closes before it is due"),
    ("attempts", "0", "is not a number from 1 to 1000"), ("attempts", "²", "is not a number"),
    ("grace_minutes", "-5", "is not a number"), ("late_percent", "101", "from 0 to 100"),
    ("due", "9999-12-31T23:59:59-12:00", "is no date and time"),
])  # fmt: skip
async def test_a_wrong_date_or_number_is_a_sentence_and_keeps_what_was_typed(
    school: School, visit: Visit, field: str, value: str, sentence: str
) -> None:
    ian = visit("ian")
    await ian.open(TEACH)
    values = {"due": "2026-09-15T23:59", "attempts": "7", field: value}
    await ian.submit("/release", **values)
    assert (ian.page.status_code, sentence in ian.page.text) == (422, True)
    assert ('value="7"' in ian.page.text) == (field != "attempts")
    assert school.grading.offers.find("birds", "weigh") is None


async def test_a_release_is_for_the_instructors_own_cohorts(school: School, visit: Visit) -> None:
    from hub.cohorts.model import Role

    school.roster.roster.add_person("ina", "Ina", "spring", Role.INSTRUCTOR)
    ian = visit("ian")
    await ian.open(TEACH)
    await ian.submit("/release", cohort="autumn")
    offer = school.grading.offers.find("birds", "weigh")
    assert offer is not None
    assert offer.cohorts is None


async def test_a_release_nobody_answered_can_be_taken_back(school: School, visit: Visit) -> None:
    school.offer()
    ian = visit("ian")
    await ian.open(TEACH)
    await ian.submit("/take-back")
    assert "Not released" in ian.page.text
    school.offer()
    await ian.open(TEACH)
    school.submit("lin.na", school.birds.learner(RIGHT))
    await ian.submit("/take-back")
    assert "Learners have handed in already" in ian.page.text


async def test_an_imported_course_is_released_and_its_lesson_made(school: School, visit: Visit, tmp_path: Path) -> None:
    school.worker_side.importing.take_over(make_course(tmp_path / "elsewhere").root, "fish")
    bob, eve = visit("bob"), visit("eve")
    await bob.open(HOME)
    assert "Not released yet" in bob.page.text
    await bob.open("/services/grader/teach/fish/weigh")
    await bob.submit("/release")
    assert bob.page.status_code == 200, bob.page.text
    assert (school.state.courses / "fish/release/zh-CN/weigh/weigh.ipynb").is_file()
    await eve.open(HOME)
    assert "Weigh" in eve.page.text


async def test_an_ambiguous_answer_is_decided_by_a_person_and_then_graded(school: School, visit: Visit) -> None:
    school.offer()
    notebook = school.birds.learner(WRONG)
    notebook["cells"].insert(0, copied(notebook, "heavier", RIGHT))
    school.submit("lin.na", notebook)
    ian = visit("ian")
    await ian.open(TEACH)
    await ian.submit("/grade$")
    school.drain()
    await ian.open(TEACH)
    assert "needs you" in ian.page.text
    (work,) = set(re.findall(rf'href="({TEACH}/work/\d+)"', ian.page.text))
    await ian.open(work)
    assert "It is not clear which text is the answer. Decide below." in ian.page.text
    assert "return max(a, b)" in ian.page.text
    await ian.submit("/choose", candidate="99")
    assert ian.page.status_code == 422
    await ian.submit("/choose", candidate="0")
    school.drain()
    await ian.open(work)
    assert re.search(r"2.*/ 3", ian.page.text)
    assert "An instructor decided which text is the answer." in ian.page.text


async def test_an_unreadable_notebook_shows_its_reason(school: School, visit: Visit) -> None:
    school.offer()
    school.submit("lin.na", ["no notebook"])
    ian = visit("ian")
    await ian.open(TEACH)
    await ian.submit("/grade$")
    school.drain()
    await ian.open(f"{TEACH}/work/1")
    assert "The notebook cannot be read." in ian.page.text
    assert "notebook-unreadable" in ian.page.text


async def test_points_by_hand_are_checked_kept_and_recorded_by_the_worker(school: School, visit: Visit) -> None:
    school.offer()
    for learner in ("lin.na", "wang.wei"):
        school.submit(learner, school.birds.learner(RIGHT, f"Because, says {learner}."))
    ian = visit("ian")
    await ian.open(TEACH)
    await ian.submit("/grade$")
    assert school.drain() == 2
    await ian.open(f"{TEACH}/marking")
    assert "Answer 1 of 2" in ian.page.text
    for wrong in ("2", "-1", "nan", "lots"):
        await ian.submit("/marking/", points=wrong, comment="kept")
        assert "go from 0 to 1" in ian.page.text
        assert ">kept</textarea>" in ian.page.text
    await ian.submit("/marking/", points="1,0", comment="Yes.")
    assert "Answer 2 of 2" in ian.page.text
    later = LaterRecords(school.grading.database, school.grading.reader)
    assert not later.is_up_to_date("birds")
    school.drain()
    assert later.is_up_to_date("birds")
    await ian.submit("/marking/", points="0")
    assert ian.page.url.path == TEACH
    assert "written answer waits" not in ian.page.text
    await ian.open(TEACH)
    _, fields = form_of(ian.page, "/grade$")
    await ian._follow(await ian.post(f"{TEACH}/grade", data={**fields, "again": "yes"}))
    school.drain()
    assert {each.score for each in school.grading.reader.of_all("birds", "weigh").values()} == {3.0, 2.0}


async def test_names_are_hidden_until_asked_for(school: School, visit: Visit) -> None:
    school.offer()
    school.submit("lin.na", school.birds.learner(RIGHT, "Because."))
    school.grading.offers.remember_learner("lin.na", "林娜")
    ian = visit("ian")
    await ian.open(TEACH)
    await ian.submit("/grade$")
    school.drain()
    await ian.open(f"{TEACH}/marking")
    assert "林娜" not in ian.page.text
    assert "lin.na" not in ian.page.text
    await ian.open(f"{ian.page.url.path}?names=yes")
    assert "林娜" in ian.page.text


async def test_more_time_for_one_learner(school: School, visit: Visit) -> None:
    school.offer(due_at=school.clock.now())
    school.submit("lin.na", school.birds.learner(RIGHT))
    ian, lin = visit("ian"), visit("lin.na")
    await ian.open(f"{TEACH}/work/1")
    await ian.submit("/extension", hours="48")
    assert 'value="48"' in ian.page.text
    await lin.open(MINE)
    assert "in 2 days" in lin.page.text
    await ian.submit("/extension", hours="99999")
    assert "from 0 hours to a year" in ian.page.text


async def test_marks_as_a_table_run_nothing_in_a_spreadsheet(school: School, visit: Visit) -> None:
    school.offer(due_at=school.clock.now())
    school.clock.advance(3600)
    school.roster.roster.add_person("mallory", "=cmd|' /C calc'!A0", "spring", _learner())
    school.submit("mallory", school.birds.learner(RIGHT, "Because."))
    ian = visit("ian")
    await ian.open(TEACH)
    await ian.submit("/grade$")
    school.drain()
    table = await ian.open(f"{TEACH}/marks.csv")
    assert table.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(table.content.decode("utf-8-sig"))))
    assert [row["user name"] for row in rows] == ["lea", "lin.na", "mallory", "wang.wei"]
    mallory = rows[2]
    assert mallory["name"] == "'=cmd|' /C calc'!A0"
    assert (mallory["verdict"], mallory["score"], mallory["most points"]) == ("late", "2.0", "3.0")
    assert (mallory["test-heavier"], mallory["why"], mallory["waiting"]) == ("2.0", "0.0", "1")


async def test_the_course_as_nbgraders_folder(school: School, visit: Visit) -> None:
    school.offer()
    school.submit("lin.na", school.birds.learner(RIGHT, "Because."))
    ian = visit("ian")
    await ian.open(TEACH)
    await ian.submit("/grade$")
    school.drain()
    answer = await ian.open(f"{TEACH}/course.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        names = packed.namelist()
    assert {"birds/gradebook.db", "birds/submitted/lin.na/weigh/weigh.ipynb", "birds/nbgrader_config.py"} <= set(names)


async def test_the_class_page_is_told_what_changes(school: School, visit: Visit) -> None:
    school.offer()
    ian = visit("ian")
    await ian.open(TEACH)
    match = re.search(r'data-events="([^"]+)"', ian.page.text)
    assert match
    address = match[1].replace("&amp;", "&")
    assert (await ian.get(address, headers=NAVIGATION)).status_code == 403
    assert (await ian.get(address.partition("?")[0], headers=SCRIPT)).status_code == 403
    from grader.web import live

    async def first_event() -> str:
        view = await live.class_view(school.app.state.front, live.Taught("birds", "weigh"))
        return str([row.learner for row in view.rows if row.submission])

    assert await first_event() == "[]"
    school.submit("lin.na", school.birds.learner(RIGHT))
    assert await first_event() == "['lin.na']"


async def test_what_a_learner_wrote_is_never_markup_on_an_instructors_page(school: School, visit: Visit) -> None:
    school.offer()
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)><svg onload=alert(1)>[x](javascript:alert(1))"
    notebook = school.birds.learner(f"# {evil}\n" + RIGHT, evil)
    notebook["cells"].insert(position(notebook, "heavier") + 1, copied(notebook, "heavier", "'</pre>'" + evil))
    school.submit("lin.na", notebook)
    ian = visit("ian")
    await ian.open(TEACH)
    await ian.submit("/grade$")
    school.drain()
    pages = [(await ian.open(f"{TEACH}/work/1")).text, (await ian.open(TEACH)).text]
    second = school.submit("wang.wei", school.birds.learner(RIGHT, evil))
    assert second
    await ian.open(TEACH)
    await ian.submit("/grade$")
    school.drain()
    pages += [(await ian.open(f"{TEACH}/marking")).text, (await ian.open(f"{TEACH}/work/2/preview")).text]
    for text in pages:
        assert not re.search(r"<script(?! src=)|<svg on|<img[^>]+onerror|href=\"javascript", text), text


async def test_a_choice_of_language_is_kept_with_the_person(school: School, visit: Visit) -> None:
    lin = visit("lin.na")
    await lin.open(HOME)
    await lin.submit("/language", language="zh-CN")
    assert "作业" in lin.page.text
    assert school.roster.roster.person("lin.na").language == "zh-CN"


async def test_signing_out_ends_the_session_here(school: School, visit: Visit) -> None:
    lin = visit("lin.na")
    await lin.open(HOME)
    answer = await lin.submit("/sign-out")
    assert answer.headers["location"] == "/hub/logout"
    lin.signs_in_as = ""
    assert (await lin.get(HOME)).status_code == 303


async def test_pages_are_for_windows_alone(school: School, visit: Visit) -> None:
    lin = visit("lin.na")
    await lin.open(HOME)
    assert (await lin.get(HOME, headers=SCRIPT)).status_code == 403
    assert (await lin.get(HOME, headers={**NAVIGATION, "sec-fetch-dest": "iframe"})).status_code == 403


async def test_what_does_not_exist_is_a_sentence(school: School, visit: Visit) -> None:
    ian = visit("ian")
    for path in ("nothing", "teach/birds/nothing", "teach/birds/weigh/work/99", "teach/birds/weigh/work/x", "mine/a/b"):
        answer = await ian.open(HOME + path)
        assert answer.status_code in {404, 422}, path
        assert "Code:" in answer.text
    assert (await ian.open(f"{TEACH}/marking")).status_code == 404


async def test_an_extension_is_no_surprise_later(school: School) -> None:
    """Moved deadlines move what is taken off for being late, and the gradebook hears of it."""
    from grader.store.model import Work

    school.grading.offers.put("birds", "weigh", _terms(school), offered_by="ian", late_percent=50)
    school.clock.advance(3600)
    school.submit("lin.na", school.birds.learner(RIGHT))
    school.grading.service.enqueue("birds", "weigh", requested_by="ian")
    school.drain()
    work = Work("birds", "weigh", "lin.na")
    marks = school.grading.reader.of(work)
    assert marks is not None
    assert marks.score == 0.5
    school.grading.offers.extend(work, timedelta(days=1), given_by="ian")
    later = LaterRecords(school.grading.database, school.grading.reader)
    assert not later.is_up_to_date("birds")
    marks = school.grading.reader.of(work)
    assert marks is not None
    assert marks.score == 2.0


def _terms(school: School) -> object:
    from grader.exchange.terms import Terms

    return Terms(school.clock.now())


def _learner() -> object:
    from hub.cohorts.model import Role

    return Role.LEARNER


@pytest.mark.parametrize(("form", "values"), [
    ("/release", {"due": "0"}),
    ("/release", {"grace_minutes": "x"}),
    ("/marking/", {"points": "x"}),
])  # fmt: skip
async def test_a_form_with_fields_missing_is_refused_with_a_page(
    school: School, visit: Visit, form: str, values: dict[str, str]
) -> None:
    school.offer()
    school.submit("lin.na", school.birds.learner(RIGHT, "Because."))
    school.grading.service.enqueue("birds", "weigh", requested_by="ian")
    school.drain()
    ian = visit("ian")
    await ian.open(TEACH if form == "/release" else f"{TEACH}/marking")
    target, fields = form_of(ian.page, form)
    answer = await ian.post(target, data={"form_token": fields["form_token"], **values})
    assert answer.status_code == 422
    assert '<div class="notice bad"' in answer.text

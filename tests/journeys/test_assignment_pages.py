"""The grader's pages in a real browser: wide and narrow, in both languages, by keyboard; what changes appears by itself."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.centre import Centre
from tests.chromium import PHONE, picture, redeem, sign_in
from tests.courses.lesson import SOURCE_FILE

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

TEACH = "/services/grader/teach/data-processing/quality-audit"
MINE = "/services/grader/mine/data-processing/quality-audit"


@pytest.fixture
def complaints() -> list[str]:
    """What browsers complained about: scripts that failed, and anything a Content-Security-Policy stopped."""
    return []


def person(centre: Centre, page: Page, name: str, complaints: list[str]) -> Page:
    page.on("pageerror", lambda error: complaints.append(f"{name}: {error}"))
    page.on(
        "console", lambda message: complaints.append(f"{name}: {message.text}") if message.type == "error" else None
    )
    redeem(page, centre.invitations[name])
    sign_in(page, centre.url, name)
    return page


def fits(page: Page) -> bool:
    """Whether nothing sticks out at the side."""
    wide: bool = page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    return wide


def test_an_assignment_is_taught_and_taken_in_the_browser(
    own_centre: Centre, new_page: Callable[..., Page], complaints: list[str]
) -> None:
    centre = own_centre
    instructor = person(centre, new_page(), "zhao.yun", complaints)
    learner = person(centre, new_page(language="zh-CN", viewport=PHONE), "lin.na", complaints)

    learner.goto(f"{centre.url}/services/grader/")
    assert fits(learner)
    picture(learner, "assignments-phone-zh")
    learner.click("main .lessons a")
    learner.wait_for_url(f"**{MINE}")
    learner.click("summary")
    learner.set_input_files("#notebook", SOURCE_FILE)

    instructor.goto(f"{centre.url}{TEACH}")
    expect(instructor.locator("#live")).to_contain_text("0 hand-ins")
    learner.click("details button")
    expect(learner.locator(".notice.good")).to_contain_text("已提交")
    assert fits(learner)
    picture(learner, "handed-in-phone-zh")
    expect(instructor.locator("#live")).to_contain_text("1 hand-in", timeout=10_000)  # nobody reloaded

    instructor.click("#class >> button:text-is('Grade')")
    expect(instructor.locator("#live")).to_contain_text("1 answer to read", timeout=240_000)
    picture(instructor, "class-graded")
    instructor.click("text=Read written answers")
    instructor.wait_for_selector("#marking")
    picture(instructor, "marking")
    instructor.keyboard.press("4")
    expect(instructor.locator("#points")).to_have_value("4")
    instructor.keyboard.press("c")
    instructor.keyboard.type("Clear. <b>Name</b> the *units*, too.")
    instructor.keyboard.press("Control+Enter")
    instructor.wait_for_url(re.compile(f"{TEACH}#class"))
    instructor.click("text=Release feedback >> nth=0")
    expect(instructor.locator(".notice.good")).to_contain_text("1 learner")

    instructor.set_viewport_size(PHONE)
    for path in ("/services/grader/", TEACH, f"{TEACH}/work/1", f"{TEACH}/marking"):
        instructor.goto(centre.url + path)
        assert fits(instructor), path
        picture(instructor, f"instructor-phone-{path.rpartition('/')[2] or 'home'}")

    learner.goto(f"{centre.url}{MINE}")
    expect(learner.locator(".facts")).to_contain_text("24 / 25")
    picture(learner, "feedback-is-here-phone-zh")
    learner.click("text=查看反馈")
    expect(learner.locator("body")).to_contain_text("Name the units, too.")
    assert (
        learner.evaluate("self.origin") == "null"
    )  # of no origin: it could do nothing even if a script had slipped in
    assert fits(learner)
    picture(learner, "feedback-phone-zh")
    learner.click("text=返回作业")
    learner.wait_for_url(f"**{MINE}")
    assert complaints == []

"""The first day: an administrator and a learner sign in by invitation, the learner works, the centre restarts, the work is there."""

import json
import re
from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from grader.assignments.catalogue import COURSES_DIR
from tests.centre import Centre
from tests.chromium import PHONE, picture, redeem, sign_in
from tests.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def test_administrator_invites_and_learner_works_over_a_restart(
    own_centre: Centre, new_page: Callable[..., Page]
) -> None:
    centre = own_centre
    administrator = new_page()
    redeem(administrator, centre.invitations["chen.min"])
    sign_in(administrator, centre.url, "chen.min")
    administrator.click("nav >> text=People")
    administrator.fill("#name", "li.hua")
    administrator.fill("#display_name", "李华 Li Hua")
    administrator.click("main form button >> nth=0")
    invitation = administrator.input_value("#link")
    assert "/services/practicum/invitations/" in invitation

    learner = new_page()
    redeem(learner, invitation)
    sign_in(learner, centre.url, "li.hua")
    learner.click(".lessons button")
    learner.click("#start")  # without a share, as nothing else was chosen before
    learner.wait_for_url("**/lab/tree/data-processing/quality-audit/**")
    learner.wait_for_selector(".jp-Notebook .jp-Cell")
    picture(learner, "lab-en")
    solve_first_task(learner)
    picture(learner, "first-task-solved")
    learner.click("text=Validate")
    dialog = learner.locator(".jp-Dialog")
    expect(dialog).to_contain_text("Tests of exercise 2", timeout=90_000)
    expect(dialog).not_to_contain_text("Tests of exercise 1")
    picture(learner, "validate")
    learner.click(".jp-Dialog .jp-mod-accept >> nth=-1")

    assert centre.stop() == 0
    centre.start()
    learner.goto(centre.url)  # still signed in: the secrets that sign cookies are state
    learner.click(".lessons button")
    learner.click("#start")  # without a share, as nothing else was chosen before
    learner.wait_for_selector(".jp-Notebook .jp-Cell")
    expect(learner.locator(".jp-Notebook")).to_contain_text("my own first line", timeout=30_000)


def solve_first_task(page: Page) -> None:
    """Put the model solution into the first answer cell, run down to its tests, and save."""
    answer = page.locator(".jp-CodeCell").filter(has_text=re.compile("def typed")).first
    answer.scroll_into_view_if_needed()
    answer.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("# my own first line\n" + model_solution("typed"))
    page.click(".jp-Notebook .jp-Cell >> nth=0")
    page.keyboard.press("Escape")
    for _ in range(11):
        page.keyboard.press("Shift+Enter")
    tests = page.locator(".jp-CodeCell").filter(has_text="Tests of exercise 1").first
    expect(tests.locator(".jp-OutputArea")).to_contain_text("✓", timeout=60_000)
    page.keyboard.press("Control+s")
    page.wait_for_function("!document.querySelector('.jp-mod-dirty')")


def model_solution(grade_id: str) -> str:
    """The instructor's answer of that cell."""
    notebook = json.loads((COURSES_DIR / "data-processing/source/quality-audit/quality-audit.ipynb").read_text("utf-8"))
    source = next("".join(cell["source"]) for cell in notebook["cells"] if cell["id"] == grade_id)
    return "\n".join(line for line in source.splitlines() if not line.strip().startswith("###"))


@pytest.fixture(scope="module")
def people(centre: Centre) -> Centre:
    """The centre with two people of the demo cohort who have chosen their passwords."""
    with closing(Visitor(centre.url)) as visitor:
        for name in ("chen.min", "maria.silva"):
            visitor.redeem(centre.invitations[name])
    return centre


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_every_page_looks_like_a_product(
    people: Centre, new_page: Callable[..., Page], language: str, device: str
) -> None:
    """Pictures for people to look at; what a program can check is that nothing is wider than the screen."""
    options = {"viewport": PHONE} if device == "phone" else {}
    for person, pages in PAGES.items():
        page = new_page(language=language, **options)
        if person:
            sign_in(page, people.url, person)
        for name, path in pages.items():
            page.goto(people.url + path.replace("INVITATION", people.invitations["wang.wei"].rsplit("/", 1)[-1]))
            width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert width <= 0, f"{page.url} is {width} px wider than the screen"
            assert page.evaluate("document.documentElement.lang") == language
            picture(page, f"{name}-{device}-{language}")


PAGES = {
    "": {
        "sign-in": "/hub/login",
        "not-found": "/hub/nothing",
        "invitation": "/services/practicum/invitations/INVITATION",
        "used-link": "/services/practicum/invitations/none",
    },
    "chen.min": {
        "home-administrator": "/services/practicum/",
        "people": "/services/practicum/people",
        "account": "/services/practicum/account",
    },
    "maria.silva": {
        "home-learner": "/services/practicum/",
        "no-server": "/user/maria.silva/lab",
        "refused": "/services/practicum/people",
    },
}
"""By who sees them: name of the picture and address."""

"""A lease that ends while its server lives: the kernel starts afresh with a message, the limits fall back, the server stays."""

from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from hub.sandbox.limits import cpu_enforcement
from tests.centre import Centre
from tests.chromium import picture, sign_in
from tests.visitor import Notebook, Visitor
from tests.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

NewPage = Callable[..., Page]

OURS = "/services/practicum/"


BURN = """
import os, time
children = []
for _ in range(2):
    child = os.fork()
    if not child:
        end = time.monotonic() + 2
        while time.monotonic() < end:
            pass
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
used = os.times()
print((used.children_user + used.children_system) / 2)
"""


def test_taken_back_by_an_administrator(own_centre: Centre, new_page: NewPage) -> None:
    centre = own_centre
    with closing(Visitor(centre.url)) as visitor:
        visitor.redeem(centre.invitations["chen.min"])
    with closing(Visitor(centre.url)) as visitor:
        visitor.redeem(centre.invitations["lin.na"])
        visitor.sign_in("lin.na")
        visitor.submit(visitor.http.get(f"{OURS}server/share"), "server/start", share="cpu.eighth")
        until(lambda: "Your server is running" in visitor.http.get(OURS).text, what="the server")
        notebook = Notebook(centre.url, "lin.na", visitor.server_token("lin.na"))
    with closing(notebook):
        notebook.run("kept = 'in memory'")
        lab = sign_in(new_page(), centre.url, "lin.na")
        lab.goto(f"{centre.url}/user/lin.na/lab")
        lab.wait_for_selector("#practicum-assignments", state="attached", timeout=60_000)
        before = float(notebook.run(BURN))

        administrator = sign_in(new_page(), centre.url, "chen.min")
        administrator.goto(f"{centre.url}{OURS}devices")
        administrator.locator(".holders li", has_text="Lin Na").locator("button").click()
        expect(administrator.locator(".holders li", has_text="Lin Na")).to_have_count(0)

        toast = lab.locator(
            ".Toastify__toast", has_text="An administrator took your share “An eighth of the processors” back"
        )
        expect(toast).to_be_visible(timeout=30_000)
        picture(lab, "lab-share-ended-en")
        until(lambda: "NameError" in notebook.run("print(kept)"), what="a new kernel")
        assert notebook.run("import os; print(os.getppid() > 0)") == "True", "and the server is the same one"
        if cpu_enforcement().holds_parts:
            # An eighth of what is on offer is less than a fifth of one processor; without a share one may use what is idle.
            assert before < 0.5
            assert float(notebook.run(BURN)) > before
        home = sign_in(new_page(), centre.url, "lin.na")
        expect(home.locator("main")).to_contain_text(
            "An administrator took your share “An eighth of the processors” back"
        )
        expect(home.locator("main")).to_contain_text("Your server is running")
        picture(home, "home-share-ended-en")

"""Shares of devices as people meet them: chosen, held, waited for, passed on, given back. In a real browser, with real servers."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from hub.cohorts.model import Role
from hub.sandbox.limits import cpu_enforcement
from hub.state import StateDir
from hub.wiring import open_service
from tests.centre import Centre, running_centre
from tests.chromium import PHONE, picture, sign_in
from tests.visitor import PASSWORD, Notebook, Visitor, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

NewPage = Callable[..., Page]

OURS = "/services/practicum/"
EIGHTH = "h100-80gb.eighth"
LEARNERS = 40
PLACES = 16
"""Eighths of two devices."""
AT_ONCE = 4
"""Servers that start together: more would only make each slower on a small machine."""
CLAIM_S = 30


def text_of(page: Page) -> str:
    return re.sub(r"\s+", " ", page.inner_text("main"))


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """A centre with two people who have chosen their passwords; in the shared one others may have used their links."""
    with running_centre(tmp_path_factory.mktemp("people") / "state") as centre:
        with closing(Visitor(centre.url)) as visitor:
            for name in ("chen.min", "lin.na"):
                visitor.redeem(centre.invitations[name])
        yield centre


BURN = """
import os, time
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        end = time.monotonic() + 4
        while time.monotonic() < end:
            pass
        os._exit(0)
    children.append(child)
began = time.monotonic()
for child in children:
    os.waitpid(child, 0)
used = os.times()
print((used.children_user + used.children_system) / (time.monotonic() - began), len(os.sched_getaffinity(0)))
"""
"""Three busy processes for four seconds: how many processors they got, and to how many they are kept."""


def test_a_share_of_processors_is_started_with_holds_and_comes_back(people: Centre, new_page: NewPage) -> None:
    centre = people
    administrator = sign_in(new_page(), centre.url, "chen.min")
    administrator.goto(f"{centre.url}{OURS}devices")
    expect(administrator.locator("main")).not_to_contain_text("Lin Na")

    page = sign_in(new_page(), centre.url, "lin.na")
    page.click(".lessons button >> nth=0")
    page.wait_for_url(f"**{OURS}server/share?lesson=**")
    quarter = page.locator('[data-share="cpu.quarter"]')
    expect(quarter).to_contain_text("4 free")
    expect(page.locator("main")).to_contain_text("A share of processors holds here")
    quarter.click()
    page.click("#start")
    page.wait_for_url("**/lab/tree/data-processing/**", timeout=60_000)

    with signed_in(centre.url, "lin.na") as visitor:
        notebook = Notebook(centre.url, "lin.na", visitor.server_token("lin.na"))
    with closing(notebook):
        said = notebook.run("import os; print(os.environ['PRACTICUM_SHARE'], os.environ['OMP_NUM_THREADS'])")
        assert said == "cpu.quarter 1"
        used, kept_to = notebook.run(BURN).split()
    # A machine of N processors offers 75 % of them, and a quarter of that is the share.
    if cpu_enforcement().holds_parts:
        assert float(used) <= share_of_this_machine() * 1.4 + 0.05
    else:
        assert int(kept_to) == 1

    # The administrator's page has followed by itself, and follows again.
    expect(administrator.locator(".device", has_text="Lin Na")).to_contain_text("A quarter")
    page.goto(centre.url)
    assert "A quarter of the processors" in text_of(page)
    page.click("text=Stop, and give the share back")
    expect(administrator.locator("main")).not_to_contain_text("Lin Na", timeout=30_000)
    page.goto(f"{centre.url}{OURS}server/share")
    expect(page.locator('[data-share="cpu.quarter"]')).to_contain_text("4 free")
    # What was chosen last is chosen again, so one click starts it.
    expect(page.locator('[data-share="cpu.quarter"]').locator("input")).to_be_checked()

    administrator.click("text=Use in the last 30 days")
    expect(administrator.locator("table")).to_contain_text("Lin Na")
    with administrator.expect_download() as download:
        administrator.click("text=Download as a table")
    assert "青禾数据 Qinghe Data" in Path(download.value.path()).read_text("utf-8-sig")


def share_of_this_machine() -> float:
    """Processors in a quarter of what this machine offers."""
    from hub.gpu.cpus import read_cpus

    return read_cpus().cpu_milli * 0.75 / 4 / 1000


@dataclass
class Crowd:
    """A centre with two simulated devices and more learners than they have eighths."""

    centre: Centre
    visitors: dict[str, Visitor]

    @property
    def names(self) -> list[str]:
        return list(self.visitors)

    def choose(self, name: str) -> str:
        """Ask for an eighth by the page; the path one lands on."""
        visitor = self.visitors[name]
        page = visitor.submit(visitor.http.get(f"{OURS}server/share"), "server/start", share=EIGHTH)
        return urlsplit(str(page.url)).path

    def place(self, name: str) -> tuple[int, int] | None:
        """Position and how many wait, as the page says; None when it is another page."""
        page = self.visitors[name].http.get(f"{OURS}server/queue")
        found = re.search(
            r'place-number.*?</span>(\d+)<span class="place-of">of (\d+) in the queue', page.text, re.DOTALL
        )
        return (int(found[1]), int(found[2])) if found else None

    def wait_for(self, name: str, path: str, text: str, timeout_s: float = 60) -> str:
        """The person's page once it has that text."""
        began = time.monotonic()
        while time.monotonic() - began < timeout_s:
            page = self.visitors[name].http.get(path)
            if text in page.text:
                return page.text
            time.sleep(0.3)
        raise AssertionError(f"{path} of {name} never said {text!r}:\n{page.text}")

    def stop(self, name: str) -> None:
        visitor = self.visitors[name]
        visitor.submit(visitor.http.get(OURS), "server/stop")


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    state_dir: Path = tmp_path_factory.mktemp("crowd") / "state"
    state_dir.mkdir(mode=0o700)
    (state_dir / "settings.yaml").write_text(f"devices:\n  claim_s: {CLAIM_S}\n", encoding="utf-8")
    with running_centre(state_dir, "--simulate", "2xH100-80GB") as centre:
        names = [f"learner.{number:02}" for number in range(1, LEARNERS + 1)]
        service = open_service(StateDir(state_dir))
        for name in names:
            service.roster.add_person(name, f"学员 {name[-2:]}", "demo", Role.LEARNER, organisation="ACME")
            service.invitations.redeem(service.invitations.issue(name).token, PASSWORD)
        service.close()
        visitors = {name: Visitor(centre.url) for name in names}
        for name, visitor in visitors.items():
            visitor.sign_in(name)
        with closing(Visitor(centre.url)) as visitor:
            visitor.redeem(centre.invitations["chen.min"])
        yield Crowd(centre, visitors)
        for visitor in visitors.values():
            visitor.close()


def test_forty_learners_contend_for_sixteen_shares(crowd: Crowd, new_page: NewPage) -> None:
    holders, waiting = crowd.names[:PLACES], crowd.names[PLACES:]
    for at in range(0, PLACES, AT_ONCE):
        group = holders[at : at + AT_ONCE]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            assert set(threads.map(crowd.choose, group)) <= {f"{OURS}server", *(f"/user/{name}/lab" for name in group)}
        for name in group:
            crowd.wait_for(name, OURS, "Your server is running")
    for name in waiting:
        assert crowd.choose(name) == f"{OURS}server/queue"
    assert [crowd.place(name) for name in waiting] == [(at, 24) for at in range(1, 25)]

    administrator = sign_in(new_page(), crowd.centre.url, "chen.min")
    administrator.goto(f"{crowd.centre.url}{OURS}devices")
    expect(administrator.locator(".holders li", has_text="学员")).to_have_count(PLACES)
    expect(administrator.locator(".places li")).to_have_count(24)
    pictures_of(crowd, administrator, new_page)

    # The first in the queue has the page open: when somebody stops, it takes the share by itself.
    first, second, third, fourth, fifth = waiting[:5]
    last = waiting[-1]
    page = sign_in(new_page(), crowd.centre.url, first)
    page.goto(f"{crowd.centre.url}{OURS}server/queue")
    expect(page).to_have_title("Place 1 in the queue · Practicum")
    crowd.stop(holders[0])
    page.wait_for_url(f"**/user/{first}/lab**", timeout=90_000)
    assert crowd.place(second) == (1, 23)

    # The fifth works meanwhile without a share, and keeps the place.
    visitor = crowd.visitors[fifth]
    visitor.submit(visitor.http.get(f"{OURS}server/queue"), "server/start")
    crowd.wait_for(fifth, OURS, "Your server is running")
    assert crowd.place(fifth) == (4, 23)

    # The second's window is closed. The place is kept, the offer stands on the home page; untaken, it passes on.
    crowd.stop(holders[1])
    crowd.wait_for(second, OURS, "It is your turn")
    crowd.wait_for(third, OURS, "It is your turn", timeout_s=CLAIM_S + 30)
    assert "It was your turn for “An eighth of one H100-80GB”" in crowd.visitors[second].http.get(OURS).text
    visitor = crowd.visitors[third]
    visitor.submit(visitor.http.get(f"{OURS}server/queue"), "queue/claim")
    crowd.wait_for(third, OURS, "Your server is running")
    assert "An eighth of one H100-80GB" in visitor.http.get(OURS).text

    # Leaving the queue moves everybody behind.
    visitor = crowd.visitors[fourth]
    visitor.submit(visitor.http.get(f"{OURS}server/queue"), "queue/leave")
    assert crowd.place(last) == (20, 20)

    # The fifth's turn: a server that runs is not ended unasked, and starts again with the share when its owner says so.
    page = sign_in(new_page(), crowd.centre.url, fifth)
    page.goto(f"{crowd.centre.url}{OURS}server/queue")
    expect(page.locator("#auto")).not_to_be_checked()
    crowd.stop(holders[2])
    expect(page.locator("main")).to_contain_text("It is your turn", timeout=60_000)
    picture(page, "offered-desktop-en")
    page.click("text=Restart my server with the share")
    page.wait_for_url(f"**/user/{fifth}/lab**", timeout=120_000)
    page.goto(f"{crowd.centre.url}{OURS}")
    assert "Stop, and give the share back" in text_of(page)
    picture(page, "home-with-share-desktop-en")
    assert crowd.place(last) == (19, 19)


def pictures_of(crowd: Crowd, administrator: Page, new_page: NewPage) -> None:
    """Pictures for people to look at; what a program can check is that nothing is wider than the screen."""
    url = crowd.centre.url
    learner = {
        "share-choice": "server/share",
        "queue": "server/queue",
        "home-in-queue": "",
        "devices-learner": "devices",
    }
    operator = {"devices": "devices", "usage": "usage", "quotas": "quotas", "people-organisation": "people"}
    for language in ("en", "zh-CN"):
        for device, options in (("desktop", {}), ("phone", {"viewport": PHONE})):
            for name, pages in (("learner.30", learner), ("chen.min", operator)):
                page = sign_in(new_page(language=language, **options), crowd.centre.url, name)
                for label, path in pages.items():
                    page.goto(f"{url}{OURS}{path}")
                    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                    assert width <= 0, f"{page.url} is {width} px wider than the screen"
                    assert page.evaluate("document.documentElement.lang") == language
                    picture(page, f"{label}-{device}-{language}")
                page.context.close()
    assert administrator.url.endswith("/devices")

"""What a page of a learner's server can do to a browser on the centre's own origin: in a real Chromium, with controls.

The victim is whoever's browser runs the page. That is only the server's owner (`TestTheDoor`), so the administrator's own
server has gone over to the other side here, as one notebook copied from somewhere can make it.
"""

import re
import socket
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.centre import Centre, running_centre
from tests.chromium import sign_in
from tests.journeys.hostile_scene import HostilePage, NewPage, make_hostile
from tests.visitor import signed_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

OURS = "/services/practicum/"
SECRETS = re.compile(r'form_token|name="_xsrf"|xsrf_token|"kind":|"token":|[?&]code=')
"""What stands in pages and answers of ours and of the hub, and would be worth something to a script."""

TARGETS = (
    OURS,
    f"{OURS}people",
    f"{OURS}account",
    f"{OURS}server",
    f"{OURS}server/share",
    f"{OURS}server/queue",
    f"{OURS}devices",
    f"{OURS}quotas",
    f"{OURS}usage",
    f"{OURS}usage/usage.csv",
    f"{OURS}nothing",
    "/hub/login",
    "/hub/token",
    "/hub/nothing",
    "/hub/user/chen.min/",
    "/hub/api/user",
    "/hub/api/users",
    "/hub/api/users/chen.min",
    "/hub/api/users/chen.min/tokens",
    "/hub/api/oauth2/authorize?client_id=service-practicum&redirect_uri=%2Fservices%2Fpracticum%2Foauth_callback"
    f"&response_type=code&state=x&code_challenge={'x' * 43}&code_challenge_method=S256",
)


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """lin.na's and chen.min's servers are hostile, wang.wei's is an honest one."""
    with running_centre(tmp_path_factory.mktemp("hostile") / "state") as centre:
        for name in ("lin.na", "chen.min"):
            make_hostile(centre, name)
        with signed_in(centre.url, "wang.wei", centre.invitations["wang.wei"]) as visitor:
            visitor.start_server("wang.wei")
        with signed_in(centre.url, "zhao.yun", centre.invitations["zhao.yun"]):
            pass
        yield centre


@pytest.fixture(scope="module")
def administrators_browser(centre: Centre, browser: Browser) -> Iterator[BrowserContext]:
    """The administrator, signed in, for tests that leave it so."""
    context = browser.new_context(locale="en")
    context.set_default_timeout(30_000)
    page = sign_in(context.new_page(), centre.url, "chen.min")
    page.goto(f"{centre.url}/hub/token")  # so that every cookie the hub gives to browsers is there
    yield context
    context.close()


@pytest.fixture
def administrator(centre: Centre, administrators_browser: BrowserContext) -> Iterator[HostilePage]:
    """A page of the administrator's own hostile server in their browser."""
    page = administrators_browser.new_page()
    kept = set(administrators_browser.pages)
    yield HostilePage.open(page, centre.url, "chen.min")
    page.close()
    # The windows it opened: six with an event stream would take every connection a browser has for one address.
    for opened in set(administrators_browser.pages) - kept:
        opened.close()


@pytest.fixture
def unlucky(centre: Centre, new_page: NewPage) -> HostilePage:
    """The same in a browser of its own, for tests after which its cookies are no longer what they were."""
    return HostilePage.open(sign_in(new_page(), centre.url, "chen.min"), centre.url, "chen.min")


class TestReading:
    """Pages and answers of ours, of the hub and of others' servers."""

    def test_every_way_of_reading_works_where_nothing_forbids_it(self, administrator: HostilePage) -> None:
        found = administrator.call("readAll", f"{administrator.url}/bait?code=bait")
        assert [way for way, text in found.items() if not SECRETS.search(text)] == []

    @pytest.mark.parametrize("target", TARGETS)
    def test_nothing_of_ours_or_the_hubs_can_be_read(self, administrator: HostilePage, target: str) -> None:
        found = administrator.call("readAll", target)
        assert {way: text[:2000] for way, text in found.items() if SECRETS.search(text.replace(target, ""))} == {}

    def test_a_person_who_opens_those_pages_gets_them(self, administrator: HostilePage, centre: Centre) -> None:
        page = administrator.page
        for target in TARGETS[:3]:
            page.goto(centre.url + target)
            assert page.locator("main").is_visible()
            assert "form_token" in page.content()

    def test_a_service_worker_sees_redirects_of_navigations_and_nothing_behind_them(
        self, administrator: HostilePage, centre: Centre
    ) -> None:
        page = administrator.page
        assert page.evaluate(
            "navigator.serviceWorker.register('worker.js').then(() => navigator.serviceWorker.ready).then((r) => r.scope)"
        )
        page.wait_for_function("navigator.serviceWorker.controller")
        page.goto(f"{administrator.url}/page?stolen=own")
        assert "hostile" in page.inner_text("body")  # the control: it answers navigations, with what it fetched
        assert "worker saw: basic" in page.inner_text("body")
        page.goto(f"{administrator.url}/to?stolen=ours&url={OURS}people")
        assert page.inner_text("body").startswith("worker saw: opaqueredirect")
        assert not SECRETS.search(page.inner_text("body"))
        page.evaluate("navigator.serviceWorker.getRegistration().then((r) => r.unregister())")

    @pytest.mark.parametrize("scope", ["/", "/services/", OURS, "/hub/", "/user/", "/user/wang.wei/"])
    def test_a_service_worker_stays_at_its_own_server(self, administrator: HostilePage, scope: str) -> None:
        script = f"{administrator.url}/worker.js?header=Service-Worker-Allowed:/"
        refused = administrator.page.evaluate(
            "([script, scope]) => navigator.serviceWorker.register(script, {scope}).then(() => '', (e) => e.name)",
            [script, scope],
        )
        assert refused == "SecurityError"

    def test_addresses_that_were_secret_are_in_no_history(self, centre: Centre, new_page: NewPage) -> None:
        page = sign_in(new_page(), centre.url, "chen.min")
        page.goto(f"{centre.url}/user/chen.min/page?control")
        link = centre.invitations["maria.silva"]
        page.goto(link)
        expect(page.locator("#password")).to_be_visible()
        hostile = HostilePage.open(page, centre.url, "chen.min")
        seen = hostile.page.evaluate(
            "JSON.stringify([document.referrer, performance.getEntries().map((e) => e.name), navigation.entries().map((e) => e.url)])"
        )
        assert "page?control" in seen  # what is not told to be kept secret can be seen
        assert link.rpartition("/")[2] not in seen

    def test_nothing_of_ours_lies_in_storage(self, unlucky: HostilePage, centre: Centre) -> None:
        page = unlucky.page
        for target in (OURS, f"{OURS}people", f"{OURS}account", "/hub/token"):
            page.goto(centre.url + target)
        found = """async () => [Object.keys(localStorage), Object.keys(sessionStorage), await caches.keys(),
                                (await indexedDB.databases()).map((each) => each.name)].flat()"""
        HostilePage.open(page, centre.url, "chen.min")
        assert page.evaluate(found) == []
        page.evaluate("localStorage.setItem('control', 'x')")
        assert page.evaluate(found) == ["control"]

    def test_another_server_opens_neither_to_requests_nor_to_sockets(
        self, administrator: HostilePage, centre: Centre
    ) -> None:
        texts = administrator.call("readAll", "/user/wang.wei/api/status")
        assert [text for text in texts.values() if "kernels" in text] == []
        socket = centre.url.replace("http", "ws") + "/user/wang.wei/api/events/subscribe"
        assert administrator.call("socket", socket) == "refused"
        # The control: with that server's token both open.
        with signed_in(centre.url, "wang.wei") as visitor:
            headers = {"Authorization": f"token {visitor.server_token('wang.wei')}"}
        assert "kernels" in httpx.get(f"{centre.url}/user/wang.wei/api/status", headers=headers).text

    def test_an_event_stream_needs_what_stands_in_the_page(self, administrator: HostilePage) -> None:
        for stream in ("server", "server/share", "server/queue", "devices"):
            for token in ("", "?token=x", f"?token={'0' * 64}"):
                answer = administrator.page.evaluate(
                    "(url) => fetch(url).then((answer) => answer.status)", f"{OURS}{stream}/events{token}"
                )
                assert answer == 403


class TestChanging:
    """Forms and calls with the visitor's cookies."""

    FORMS = (
        ("people", {"name": "eve", "display_name": "Eve", "role": "administrator", "cohort": "demo"}),
        ("people/lin.na/link", {}),
        ("people/lin.na/active", {"active": "no"}),
        ("account/password", {"current_password": "x", "password": "x" * 12, "password_again": "x" * 12}),
        ("account/sign-out-everywhere", {}),
        ("server/stop", {}),
        ("server/start", {"share": "cpu.half", "key": "0" * 32}),
        ("server/queue/claim", {}),
        ("server/queue/leave", {}),
        (f"devices/leases/{'0' * 32}/end", {}),
        ("quotas", {"cohort": "demo", "pool": "cpu", "cohort_limit": "0", "learner_limit": "0"}),
        ("sign-out", {}),
    )

    @pytest.mark.parametrize("token", ["", "0" * 64])
    def test_no_form_is_taken_without_the_pages_token(
        self, administrator: HostilePage, centre: Centre, token: str
    ) -> None:
        page = administrator.page
        for path, fields in self.FORMS:
            with page.context.expect_page() as opened:
                administrator.call("sendForm", OURS + path, {**fields, "form_token": token})
            opened.value.wait_for_load_state()
            assert "This form has expired." in opened.value.inner_text("main")
            opened.value.close()
        page.goto(f"{centre.url}{OURS}people")
        assert page.inner_text("h1") == "People"  # still signed in
        text = page.inner_text("main")
        assert "eve" not in text.split()
        HostilePage.open(page, centre.url, "chen.min")  # and the server was not stopped

    def test_the_same_form_is_taken_from_our_page(self, centre: Centre, new_page: NewPage) -> None:
        page = sign_in(new_page(), centre.url, "chen.min")
        page.goto(f"{centre.url}{OURS}people")
        page.fill("#name", "zhou.jie")
        page.fill("#display_name", "周杰")
        page.click("main form button >> nth=0")
        expect(page.locator("#link")).to_be_visible()

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/hub/api/users/chen.min/tokens"),
            ("DELETE", "/hub/api/users/chen.min/server"),
            ("POST", "/hub/api/users/eve"),
            ("POST", "/hub/spawn"),
            ("POST", "/hub/login"),
        ],
    )
    def test_no_call_of_the_hub_is_taken(self, administrator: HostilePage, method: str, path: str) -> None:
        for headers in ({}, {"X-XSRFToken": "x"}, {"Content-Type": "application/json"}):
            status = administrator.page.evaluate(
                "([path, method, headers]) => fetch(path, {method, headers, body: '{}'}).then((answer) => answer.status)",
                [path, method, headers],
            )
            assert status in {400, 403, 405}

    def test_a_page_may_sign_its_visitor_out_by_navigating_and_no_more(
        self, unlucky: HostilePage, centre: Centre
    ) -> None:
        """The limit that docs/explanation/origin.md states; requests of scripts do not even do that."""
        page = unlucky.page
        page.evaluate("fetch('/hub/logout'); (new Image()).src = '/hub/logout'; navigator.sendBeacon('/hub/logout')")
        page.wait_for_timeout(500)
        page.goto(f"{centre.url}{OURS}people")
        assert page.inner_text("h1") == "People"
        page.goto(f"{centre.url}/hub/logout")
        page.goto(f"{centre.url}{OURS}people")
        assert "/hub/login" in page.url


class TestCookies:
    """Reading, overwriting and clearing them."""

    WORTH_NOTHING = frozenset({"practicum-door", "practicum-language", "jupyterhub-session-id", "control", ""})

    def test_the_hostile_server_is_sent_no_sign_in(self, administrator: HostilePage) -> None:
        seen = administrator.page.evaluate("fetch('seen').then((answer) => answer.json())")
        names = {
            part.split("=")[0].strip()
            for request in seen
            for header, value in request.items()
            if header.lower() == "cookie"
            for part in value.split(";")
        }
        assert "practicum-door" in names  # the control: it is sent some
        assert names <= self.WORTH_NOTHING

    @pytest.mark.parametrize(
        "path",
        [
            "/hub/static/css/style.min.css",
            "/hub/logo",
            "/hub/login",
            "/hub/api/",
            "/hub/%00",
            OURS,
            f"{OURS}%00",
            "/%00",
        ],
    )
    def test_no_script_reads_ours_or_the_hubs(self, administrator: HostilePage, path: str) -> None:
        held = {each.get("name") for each in administrator.context.cookies()}
        assert {"practicum-session", "jupyterhub-hub-login", "_xsrf"} <= held
        assert set(administrator.call("cookiesAt", path)) <= self.WORTH_NOTHING

    def test_that_way_of_reading_reads_what_scripts_may(self, administrator: HostilePage) -> None:
        administrator.page.evaluate("document.cookie = 'control=x; path=/user/chen.min/deep/'")
        assert "control" not in administrator.page.evaluate("document.cookie")
        assert "control" in administrator.call("cookiesAt", f"{administrator.url}/deep/page")

    def test_no_answer_clears_them(self, unlucky: HostilePage, centre: Centre) -> None:
        HostilePage.open(unlucky.page, centre.url, "chen.min", '?header=Clear-Site-Data:"*"')
        unlucky.page.goto(f"{centre.url}{OURS}people")
        assert unlucky.page.inner_text("h1") == "People"

    def test_one_planted_beside_ours_is_not_believed_and_does_not_lock_out(
        self, unlucky: HostilePage, centre: Centre
    ) -> None:
        page = unlucky.page
        for path in (f"{OURS}people", f"{OURS}people/", "/services/practicum", "/services"):
            page.evaluate("(path) => { document.cookie = `practicum-session=planted; path=${path}`; }", path)
        page.goto(f"{centre.url}{OURS}people")
        assert page.inner_text("h1") == "People"
        assert "Chen Min" in page.inner_text("header")

    def test_one_origin_cannot_stop_a_server_from_signing_its_visitor_in_as_somebody_else(
        self, unlucky: HostilePage, centre: Centre
    ) -> None:
        """The limit that docs/explanation/origin.md states: it holds on a single origin, and only there."""
        with signed_in(centre.url, "lin.na") as mallory:
            theirs = next(each for each in mallory.http.cookies.jar if each.name == "practicum-session").value
        planted = f"?header=Set-Cookie:practicum-session={theirs}%3BPath={OURS}"
        HostilePage.open(unlucky.page, centre.url, "chen.min", planted)
        unlucky.page.goto(centre.url + OURS)
        assert "Lin Na" in unlucky.page.inner_text("header")


class TestTheDoor:
    """Who can be brought to a hostile server's page at all."""

    def test_its_owner_can(self, centre: Centre, new_page: NewPage) -> None:
        HostilePage.open(sign_in(new_page(), centre.url, "lin.na"), centre.url, "lin.na")

    @pytest.mark.parametrize("name", ["wang.wei", "chen.min", "zhao.yun"])
    def test_nobody_else_can(self, centre: Centre, new_page: NewPage, name: str) -> None:
        page = sign_in(new_page(), centre.url, name)
        for path in (
            "/user/lin.na/page",
            "/user/lin.na",
            "/user/lin.na/files/x.html?redirects=1",
            "/hub/user/lin.na/page",
        ):
            answer = page.goto(centre.url + path)
            assert answer is not None
            assert answer.status == 404
            assert "hostile" not in page.content()
        assert "practicum-door" not in {each.get("name") for each in page.context.cookies()}

    def test_a_stranger_is_asked_to_sign_in(self, centre: Centre, new_page: NewPage) -> None:
        page = new_page()
        page.goto(f"{centre.url}/user/lin.na/page")
        assert "/hub/login" in page.url
        assert "hostile" not in page.content()

    @pytest.mark.parametrize(
        "path", ["/user/lin.na/page", "//user/lin.na/page", "/x/../user/lin.na/page", "/%75ser/lin.na/page"]
    )
    def test_no_spelling_of_the_address_passes(self, centre: Centre, path: str) -> None:
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{centre.port}\r\nConnection: close\r\n"
        assert "<p>hostile" not in exchange(centre.port, head + "\r\n")
        if path == "/user/lin.na/page":  # the control
            assert "<p>hostile" in exchange(centre.port, head + "Cookie: practicum-door=open\r\n\r\n")

    def test_a_script_with_a_token_passes(self, centre: Centre) -> None:
        for headers in ({"Authorization": "token x"}, {"Cookie": "a=b; practicum-door=open"}):
            assert "hostile" in httpx.get(f"{centre.url}/user/lin.na/page", headers=headers).text


def exchange(port: int, request: str) -> str:
    """The whole answer to a request that no client would tidy up before sending it."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request.encode())
        with connection.makefile("rb") as answer:
            return answer.read().decode()

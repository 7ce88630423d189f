"""What a page of a learner's server, which is of our own origin, can and cannot do with a visitor's cookies."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from hub.cohorts.service import CohortService
from hub.leases.desk import LeaseDesk
from hub.settings import Settings
from tests.hub.web.browser import HOME, NAVIGATION, SCRIPT, Browser, form_of
from tests.hub.web.fake_jupyterhub import FakeJupyterHub

Visit = Callable[..., Browser]

PAGES = tuple(
    HOME + path
    for path in ("", "people", "account", "server", "server/share", "devices", "usage", "usage/usage.csv", "quotas")
)

NOT_NAVIGATIONS = [
    SCRIPT,
    {**SCRIPT, "sec-fetch-mode": "same-origin"},
    {**SCRIPT, "sec-fetch-mode": "no-cors"},
    {**NAVIGATION, "sec-fetch-dest": "iframe"},
    {**NAVIGATION, "sec-fetch-dest": "embed"},
    {**NAVIGATION, "sec-fetch-dest": "object"},
]
UNSAID = [
    {**NAVIGATION, "sec-fetch-mode": ""},
    {**NAVIGATION, "sec-fetch-dest": ""},
    {**NAVIGATION, "sec-fetch-site": ""},
]


@pytest.mark.parametrize("headers", NOT_NAVIGATIONS)
@pytest.mark.parametrize("path", PAGES)
async def test_a_script_or_frame_gets_no_page(visit: Visit, path: str, headers: dict[str, str]) -> None:
    browser = visit("ada")
    await browser.open(HOME)
    answer = await browser.get(path, headers=headers)
    assert answer.status_code == 403
    assert "form_token" not in answer.text
    assert "opens only in a browser window of its own" in answer.text


@pytest.mark.parametrize("headers", UNSAID)
async def test_a_browser_that_does_not_say_what_it_asks_gets_no_page(visit: Visit, headers: dict[str, str]) -> None:
    browser = visit("ada")
    await browser.open(HOME)
    answer = await browser.get(HOME, headers=headers)
    assert answer.status_code == 403
    assert "Your browser does not say where this request comes from." in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        *NOT_NAVIGATIONS,
        *UNSAID,
        {**NAVIGATION, "sec-fetch-site": "cross-site"},
        {**NAVIGATION, "sec-fetch-site": "same-site"},
        {**NAVIGATION, "sec-fetch-site": "none"},
    ],
)
@pytest.mark.parametrize("action", ["people$", "people/lin.na/link", "people/lin.na/active"])
async def test_a_form_is_taken_from_a_window_of_this_origin_alone(
    visit: Visit, action: str, headers: dict[str, str]
) -> None:
    browser = visit("ada")
    await browser.open(f"{HOME}people")
    target, fields = form_of(browser.page, action)
    answer = await browser.post(target, data=fields, headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize("token", ["", "x", "😀", "0" * 64])
async def test_a_form_without_the_sessions_token_changes_nothing(
    visit: Visit, cohorts: CohortService, jupyterhub: FakeJupyterHub, leases: LeaseDesk, token: str
) -> None:
    browser = visit("ada")
    await browser.open(f"{HOME}people")
    for path, data in (
        ("people", {"name": "eve", "display_name": "Eve", "role": "administrator", "cohort": "spring"}),
        ("people/lin.na/link", {}),
        ("people/lin.na/active", {"active": "no"}),
        ("server/start", {}),
        ("server/start", {"share": "cpu.half", "key": "0" * 32}),
        ("server/stop", {}),
        ("server/queue/claim", {}),
        ("server/queue/leave", {}),
        (f"devices/leases/{'0' * 32}/end", {}),
        ("quotas", {"cohort": "spring", "pool": "cpu", "cohort_limit": "0"}),
        ("account/sign-out-everywhere", {}),
        ("account/password", {}),
        ("sign-out", {}),
    ):
        answer = await browser.post(HOME + path, data={**data, "form_token": token})
        assert (answer.status_code, "This form has expired." in answer.text) == (403, True)
    assert cohorts.roster.person("lin.na").active
    assert not any(call.startswith(("POST /users", "DELETE")) for call in jupyterhub.calls)
    assert await leases.list() == []
    assert await leases.quotas() == []
    assert (await browser.get(HOME)).status_code == 200


async def test_the_token_of_one_session_is_worth_nothing_in_another(visit: Visit, jupyterhub: FakeJupyterHub) -> None:
    mallory, ada = visit("lin.na"), visit("ada")
    await mallory.open(HOME)
    await ada.open(HOME)
    _, fields = form_of(mallory.page, "server/start")
    assert (await ada.post(f"{HOME}server/start", data=fields)).status_code == 403


async def test_an_event_stream_needs_the_token_that_stands_in_the_page(
    visit: Visit, jupyterhub: FakeJupyterHub
) -> None:
    browser = visit("lin.na")
    _, fields = form_of(await browser.open(HOME), "server/start")
    page = await browser.open(f"{HOME}server")
    events_url = page.text.split('data-events="')[1].split('"')[0].replace("&amp;", "&")
    jupyterhub.running.add("lin.na")
    assert (await browser.get(events_url, headers=SCRIPT)).status_code == 200
    streams = [
        HOME + path for path in ("server/events", "server/share/events", "server/queue/events", "devices/events")
    ]
    for url in (
        *streams,
        *(f"{stream}?token=x" for stream in streams),
        *(f"{stream}?token={fields['form_token']}" for stream in streams),
    ):
        answer = await browser.get(url, headers=SCRIPT)
        assert (answer.status_code, answer.json()["code"]) == (403, "form-expired")
    assert (await browser.get(events_url)).status_code == 403  # as a navigation


async def test_a_second_session_cookie_that_a_script_planted_is_not_believed(visit: Visit) -> None:
    ada, mallory = visit("ada"), visit("lin.na")
    await ada.open(HOME)
    await mallory.open(HOME)
    planted = f"practicum-session={mallory.cookies['practicum-session']}; practicum-session={ada.cookies['practicum-session']}"
    answer = await visit().get(HOME, headers={"cookie": planted})
    assert answer.headers["location"].startswith("/hub/api/oauth2/authorize")


async def test_every_response_cuts_windows_frames_and_foreign_code_off(visit: Visit) -> None:
    browser = visit("ada")
    await browser.open(HOME)
    for answer in (
        await browser.get(HOME),
        await browser.get(f"{HOME}people", headers=SCRIPT),
        await browser.get(f"{HOME}nothing"),
        await visit().get(HOME),
        await visit().get(f"{HOME}api/v1/people/ada"),
    ):
        headers = answer.headers
        assert headers["cross-origin-opener-policy"] == "noopener-allow-popups"
        policy = headers["content-security-policy"]
        for directive in (
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "form-action 'self'",
            "base-uri 'none'",
        ):
            assert directive in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] in {"same-origin", "no-referrer"}
        assert headers["cache-control"] == "no-store"


async def test_the_cookie_is_out_of_reach_of_scripts_and_of_learners_servers(
    visit: Visit, jupyterhub: FakeJupyterHub
) -> None:
    browser = visit("ada")
    first = await browser.get(HOME)
    query = parse_qs(urlsplit(first.headers["location"]).query)
    assert query["code_challenge_method"] == ["S256"]
    jupyterhub.codes["c"] = ("ada", query["code_challenge"][0])
    answer = await browser.get(f"{HOME}oauth_callback?code=c&state={query['state'][0]}")
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith("practicum-session="))
    for attribute in ("HttpOnly", "Path=/services/practicum/", "SameSite=lax"):
        assert attribute in cookie


async def test_a_code_or_state_from_another_browser_opens_no_session(visit: Visit, jupyterhub: FakeJupyterHub) -> None:
    mallory, ada = visit("lin.na"), visit("ada")
    query = parse_qs(urlsplit((await mallory.get(HOME)).headers["location"]).query)
    jupyterhub.codes["c"] = ("lin.na", query["code_challenge"][0])
    answer = await ada.get(f"{HOME}oauth_callback?code=c&state={query['state'][0]}")
    assert (answer.status_code, "Signing in was interrupted." in answer.text) == (400, True)
    own = parse_qs(urlsplit((await ada.get(HOME)).headers["location"]).query)
    answer = await ada.get(f"{HOME}oauth_callback?code=c&state={own['state'][0]}")
    assert answer.status_code == 502
    assert "practicum-session" not in ada.cookies
    for state in ("", "x", "😀", "../..", "0" * 64):
        assert (await ada.get(f"{HOME}oauth_callback", params={"code": "c", "state": state})).status_code == 400


async def test_two_tabs_that_sign_in_at_the_same_time_both_arrive(visit: Visit, jupyterhub: FakeJupyterHub) -> None:
    browser = visit("ada")
    queries = [
        parse_qs(urlsplit((await browser.get(path)).headers["location"]).query)
        for path in (f"{HOME}people", f"{HOME}account")
    ]
    for number, query in enumerate(queries):
        jupyterhub.codes[f"c{number}"] = ("ada", query["code_challenge"][0])
    landed = [
        (await browser.get(f"{HOME}oauth_callback?code=c{number}&state={query['state'][0]}")).headers["location"]
        for number, query in enumerate(queries)
    ]
    assert landed == [f"{HOME}people", f"{HOME}account"]


class TestOnHttps:
    """Where browsers reach us by TLS."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(public_url="https://train.example.org")

    async def test_cookies_are_secure_and_links_carry_the_public_address(
        self, visit: Visit, jupyterhub: FakeJupyterHub
    ) -> None:
        browser = visit("ada")
        first = await browser.get(HOME)
        target = urlsplit(first.headers["location"])
        assert (target.scheme, target.netloc) == ("https", "train.example.org")
        query = parse_qs(target.query)
        assert query["redirect_uri"] == ["https://train.example.org/services/practicum/oauth_callback"]
        assert "Secure" in first.headers["set-cookie"]
        jupyterhub.codes["c"] = ("ada", query["code_challenge"][0])
        cookie = first.headers["set-cookie"].split(";")[0]
        answer = await browser.get(f"{HOME}oauth_callback?code=c&state={query['state'][0]}", headers={"cookie": cookie})
        assert any(
            value.startswith("__Secure-practicum-session=") and "Secure" in value
            for value in answer.headers.get_list("set-cookie")
        )

import json
from collections.abc import Callable

import httpx
import pytest

from hub.clock import ManualClock
from hub.cohorts.errors import WrongPasswordError
from hub.cohorts.service import CohortService
from tests.hub.web.browser import HOME, NAVIGATION, SCRIPT, Browser, form_of
from tests.hub.web.fake_jupyterhub import FakeJupyterHub

Visit = Callable[..., Browser]
PASSWORD = "correct horse staple"


async def test_home_greets_and_lists_the_released_lessons(visit: Visit) -> None:
    page = await visit("lin.na").open(HOME)
    assert page.status_code == 200
    assert "Hello, 林娜" in page.text
    assert "Quality audit" in page.text
    assert "Your server is stopped" in page.text


async def test_opening_a_lesson_starts_the_server_waits_and_leads_to_the_notebook(
    visit: Visit, jupyterhub: FakeJupyterHub
) -> None:
    browser = visit("lin.na")
    await browser.open(HOME)
    jupyterhub.pending["lin.na"] = "spawn"  # JupyterHub is slow to start it
    action, fields = form_of(browser.page, "server/start")
    page = await browser._follow(await browser.post(action, data={**fields, "lesson": "data-processing/quality-audit"}))
    assert "“Quality audit” opens by itself" in page.text
    events_url = page.text.split('data-events="')[1].split('"')[0].replace("&amp;", "&")
    stream = await browser.get(events_url, headers=SCRIPT)
    events = [json.loads(line[6:]) for line in stream.text.splitlines() if line.startswith("data: ")]
    assert events[-1] == {
        "kind": "ready",
        "url": "/user/lin.na/lab/tree/data-processing/quality-audit/quality-audit.ipynb",
    }
    answer = await browser.get(f"{HOME}server?lesson=data-processing/quality-audit")
    assert (answer.status_code, answer.headers["location"]) == (303, events[-1]["url"])


async def test_a_refused_start_shows_jupyterhubs_sentence_and_a_way_on(
    visit: Visit, jupyterhub: FakeJupyterHub
) -> None:
    browser = visit("lin.na")
    await browser.open(HOME)
    jupyterhub.refuses_starts_with = (
        403,
        "Your home directory cannot be opened. Nothing is lost; tell your administrator.",
    )
    page = await browser.submit("server/start")
    events_url = page.text.split('data-events="')[1].split('"')[0].replace("&amp;", "&")
    stream = await browser.get(events_url, headers=SCRIPT)
    last = json.loads(stream.text.strip().splitlines()[-1][6:])
    assert last == {"kind": "failed", "text": jupyterhub.refuses_starts_with[1]}
    assert "Try again" in page.text


async def test_technical_words_of_jupyterhub_are_replaced_by_a_sentence(
    visit: Visit, jupyterhub: FakeJupyterHub
) -> None:
    browser = visit("lin.na")
    await browser.open(HOME)
    jupyterhub.refuses_starts_with = (500, "Spawner failed to start [status=None]")
    page = await browser.submit("server/start")
    events_url = page.text.split('data-events="')[1].split('"')[0].replace("&amp;", "&")
    stream = await browser.get(events_url, headers={**SCRIPT, "accept-language": "zh-CN"})
    assert json.loads(stream.text.strip().splitlines()[-1][6:])["text"].startswith("算力中心暂时无法完成此操作")


async def test_a_running_server_can_be_opened_and_stopped(visit: Visit, jupyterhub: FakeJupyterHub) -> None:
    jupyterhub.running.add("lin.na")
    browser = visit("lin.na")
    page = await browser.open(HOME)
    assert 'href="/user/lin.na/lab/tree/data-processing/quality-audit/quality-audit.ipynb"' in page.text
    page = await browser.submit("server/stop")
    assert "Your server is stopped" in page.text
    assert not jupyterhub.running


async def test_a_server_with_its_own_host_name_is_reached_from_the_page_not_by_redirect(
    visit: Visit, jupyterhub: FakeJupyterHub
) -> None:
    jupyterhub.running.add("lin.na")
    jupyterhub.server_url = "https://lin-na.train.example.org/user/lin.na/"
    page = await visit("lin.na").open(f"{HOME}server")
    assert page.status_code == 200
    assert 'data-target="https://lin-na.train.example.org/user/lin.na/lab"' in page.text


async def test_somebody_elses_lesson_is_not_found(visit: Visit) -> None:
    browser = visit("lin.na")
    await browser.open(HOME)
    for lesson in ("data-labeling/first", "../../etc/passwd", "x", "data-processing/quality-audit/..", "%00"):
        page = await browser.open(f"{HOME}server?lesson={lesson}")
        assert page.status_code == 404


async def test_people_are_for_administrators_who_see_their_own_cohorts(visit: Visit) -> None:
    page = await visit("ada").open(f"{HOME}people")
    assert "lin.na" in page.text
    assert ">bob<" not in page.text
    assert "bob" in (await visit("olga").open(f"{HOME}people")).text
    for name in ("lin.na", "ian"):
        page = await visit(name).open(f"{HOME}people")
        assert page.status_code == 403
        assert "Your role does not allow this." in page.text


async def test_adding_a_person_shows_a_link_that_lets_them_set_a_password_once(
    visit: Visit, cohorts: CohortService
) -> None:
    browser = visit("ada")
    await browser.open(f"{HOME}people")
    page = await browser.submit("people$", name="zhou.jie", display_name="周杰", role="learner", cohort="spring")
    link = page.text.split('readonly value="')[1].split('"')[0]
    assert link.startswith("http://127.0.0.1:8000/services/practicum/invitations/")
    newcomer = visit()
    page = await newcomer.open(link)
    assert "Welcome, 周杰" in page.text
    assert page.headers["referrer-policy"] == "no-referrer"
    page = await newcomer.submit("invitations", password=PASSWORD, password_again="something else")
    assert (page.status_code, "The two passwords are not the same." in page.text) == (422, True)
    page = await newcomer.submit("invitations", password="short", password_again="short")
    assert "The password is too short. Use at least 10 characters." in page.text
    page = await newcomer.submit("invitations", password=PASSWORD, password_again=PASSWORD)
    assert "Your password is set" in page.text
    assert cohorts.sign_ins.sign_in("zhou.jie", PASSWORD).display_name == "周杰"
    page = await newcomer.open(link)
    assert (page.status_code, "This link has been used already." in page.text) == (410, True)


async def test_a_refused_person_keeps_what_was_typed(visit: Visit) -> None:
    browser = visit("ada")
    await browser.open(f"{HOME}people")
    for name in ("Zhou Jie", "..", "a/b", "😀", "x" * 300, "lin.na", "", "<script>"):
        page = await browser.submit("people$", name=name, display_name="<b>Zhou</b>", role="learner", cohort="spring")
        assert page.status_code in {409, 422}
        assert 'value="&lt;b&gt;Zhou&lt;/b&gt;"' in page.text
        assert "<script>" not in page.text
    page = await browser.submit("people$", name="ok", display_name="Ok", role="operator", cohort="spring")
    assert page.status_code == 422
    await browser.open(f"{HOME}people")
    page = await browser.submit("people$", name="ok", display_name="Ok", role="learner", cohort="autumn")
    assert page.status_code == 404


async def test_an_administrator_cannot_touch_people_of_other_cohorts_or_operators(visit: Visit) -> None:
    browser = visit("ada")
    await browser.open(f"{HOME}people")
    _, fields = form_of(browser.page, "people$")
    for name in ("bob", "olga", "nobody"):
        for action in ("link", "active"):
            answer = await browser.post(f"{HOME}people/{name}/{action}", data={**fields, "active": "no"})
            assert answer.status_code in {403, 404}


async def test_deactivation_ends_sign_ins_pages_and_server_at_once(visit: Visit, jupyterhub: FakeJupyterHub) -> None:
    learner, administrator = visit("lin.na"), visit("ada")
    await learner.open(HOME)
    jupyterhub.running.add("lin.na")
    jupyterhub.api_tokens["lin.na"] = [{"id": "a1", "note": "my script", "session_id": None}]
    await administrator.open(f"{HOME}people")
    page = await administrator.submit("people/lin.na/active")
    assert "Deactivated" in page.text
    assert (jupyterhub.running, jupyterhub.api_tokens["lin.na"]) == (set(), [])
    page = await learner.open(HOME)
    assert (page.status_code, "Your account is not active." in page.text) == (403, True)


async def test_a_role_lost_while_the_page_is_open_is_lost(visit: Visit, cohorts: CohortService) -> None:
    browser = visit("ada")
    await browser.open(f"{HOME}people")
    cohorts.roster.delete_person("ada")
    action, fields = form_of(browser.page, "people/lin.na/link")
    answer = await browser.post(action, data=fields)
    assert answer.status_code == 303  # nobody is signed in any more


async def test_changing_the_password_signs_out_everywhere_but_leaves_the_servers_own_token(
    visit: Visit, cohorts: CohortService, jupyterhub: FakeJupyterHub
) -> None:
    cohorts.invitations.redeem(cohorts.invitations.issue("lin.na").token, PASSWORD)
    server_token: dict[str, object] = {"id": "a3", "note": "Server at /user/lin.na/", "session_id": None}
    jupyterhub.api_tokens["lin.na"] = [
        {"id": "a1", "note": "", "session_id": "s"},
        {"id": "a2", "note": "Server at /user/lin.na/", "session_id": "s"},
        server_token,
    ]
    here, elsewhere = visit("lin.na"), visit("lin.na")
    await elsewhere.open(HOME)
    await here.open(f"{HOME}account")
    page = await here.submit(
        "account/password", current_password="wrong", password="x" * 5 + PASSWORD, password_again="x" * 5 + PASSWORD
    )
    assert (page.status_code, "User name or password is wrong." in page.text) == (401, True)
    page = await here.submit(
        "account/password",
        current_password=PASSWORD,
        password="battery " + PASSWORD,
        password_again="battery " + PASSWORD,
    )
    assert page.headers["location"] == "/hub/logout"
    assert jupyterhub.api_tokens["lin.na"] == [server_token]
    with pytest.raises(WrongPasswordError):
        cohorts.sign_ins.sign_in("lin.na", PASSWORD)
    for browser in (here, elsewhere):
        browser.signs_in_as = ""
        assert (await browser.get(HOME)).status_code == 303


async def test_signing_out_ends_the_session_here_and_leads_to_jupyterhubs(
    visit: Visit, jupyterhub: FakeJupyterHub
) -> None:
    browser = visit("lin.na")
    await browser.open(HOME)
    session = browser.cookies["practicum-session"]
    page = await browser.submit("sign-out")
    assert page.headers["location"] == "/hub/logout"
    answer = await browser.get(HOME, headers={"cookie": f"practicum-session={session}"})
    assert answer.headers["location"].startswith("/hub/api/oauth2/authorize")


async def test_signing_out_at_jupyterhub_ends_the_session_here_at_once(
    visit: Visit, jupyterhub: FakeJupyterHub
) -> None:
    browser = visit("lin.na")
    await browser.open(HOME)
    jupyterhub.tokens.clear()
    answer = await browser.get(HOME)
    assert answer.headers["location"].startswith("/hub/api/oauth2/authorize")


async def test_the_language_is_kept_with_the_person_and_before_sign_in_in_a_cookie(
    visit: Visit, cohorts: CohortService
) -> None:
    browser = visit("lin.na", "zh-TW,zh;q=0.9,en;q=0.8")
    assert "您好，林娜" in (await browser.open(HOME)).text
    page = await browser.submit("language", language="en")
    assert "Hello, 林娜" in page.text
    assert cohorts.roster.person("lin.na").language == "en"
    other = visit("lin.na", "zh-CN")
    assert "Hello, 林娜" in (await other.open(HOME)).text
    newcomer = visit(language="en")
    answer = await newcomer.post(f"{HOME}language", data={"language": "zh-CN", "next": "/hub/login?next=x"})
    assert answer.headers["location"] == "/hub/login?next=x"
    newcomer.signs_in_as = "wang.wei"
    assert "您好，王伟" in (await newcomer.open(HOME)).text
    assert cohorts.roster.person("wang.wei").language == "zh-CN"


@pytest.mark.parametrize(
    "back",
    ["https://evil.example", "//evil.example", "/user/mallory/", "/hub/../user/m", "javascript:x", "/\\evil", ""],
)
async def test_a_change_of_language_leads_to_no_other_site_and_to_no_learners_server(visit: Visit, back: str) -> None:
    answer = await visit().post(f"{HOME}language", data={"language": "en", "next": back})
    assert answer.headers["location"] == HOME


async def test_jupyterhub_not_answering_is_a_page(visit: Visit, jupyterhub: FakeJupyterHub, app: object) -> None:
    browser = visit("lin.na")
    await browser.open(HOME)

    def unreachable(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    app.state.centre.jupyterhub._http._transport = httpx.MockTransport(unreachable)  # type: ignore[attr-defined]
    page = await browser.open(HOME)
    assert (page.status_code, "The centre is restarting. Nothing is lost" in page.text) == (503, True)


async def test_an_expired_link_says_what_to_do(visit: Visit, cohorts: CohortService, clock: ManualClock) -> None:
    token = cohorts.invitations.issue("lin.na").token
    clock.advance(8 * 86_400)
    page = await visit(language="zh-CN").open(f"{HOME}invitations/{token}")
    assert (page.status_code, "此链接已过期。" in page.text) == (410, True)
    page = await visit().open(f"{HOME}invitations/{'x' * 2000}")
    assert (page.status_code, "This link is not known here." in page.text) == (404, True)


@pytest.mark.parametrize(
    "path", [f"{HOME}nothing", f"{HOME}../etc/passwd", f"{HOME}people/x", f"{HOME}static/x/practicum.css"]
)
async def test_an_address_without_a_page_is_a_sentence_in_our_look(visit: Visit, path: str) -> None:
    page = await visit("ada").open(path)
    assert page.status_code in {404, 405}
    assert "Go back to the home page" in page.text
    assert 'class="wordmark"' in page.text


async def test_a_failure_of_ours_is_a_sentence_without_details(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, app: object
) -> None:
    browser = visit("lin.na")
    await browser.open(HOME)

    def breaks(_person: object) -> object:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(app.state.centre.cohorts.roster, "courses_of", breaks)  # type: ignore[attr-defined]
    page = await browser.open(HOME)
    assert page.status_code == 500
    assert "Something went wrong at the centre." in page.text
    assert "secret detail" not in page.text


async def test_every_page_weighs_little_and_loads_nothing_from_elsewhere(visit: Visit) -> None:
    browser = visit("ada")
    for name in ("", "people", "account", "server", "server/share", "devices", "usage", "quotas"):
        page = await browser.open(HOME + name)
        addresses = [part.split('"')[0] for part in page.text.split('src="')[1:] + page.text.split('href="')[1:]]
        assert all(address.startswith(("/", "#")) for address in addresses), addresses
        assets = {address for address in addresses if "/static/" in address}
        total = len(page.content)
        for address in assets:
            asset = await browser.get(address, headers={"sec-fetch-mode": "no-cors"})
            assert asset.status_code == 200
            assert "immutable" in asset.headers["cache-control"]
            total += len(asset.content)
        assert total <= 150_000
        assert page.headers["cache-control"] == "no-store"


async def test_a_big_request_is_refused(visit: Visit) -> None:
    page = await visit().post(f"{HOME}language", data={"language": "en", "next": "x" * 100_000})
    assert page.status_code == 413
    assert "The request is too large." in page.text


async def test_headers_of_a_navigation_are_all_it_takes(visit: Visit) -> None:
    page = await visit("lin.na").get(f"{HOME}health", headers=dict.fromkeys(NAVIGATION, ""))
    assert page.json()["status"] == "ok"

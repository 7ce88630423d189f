"""Choosing a share, waiting for it, starting with it: the pages on a real desk, with JupyterHub in memory."""

import asyncio
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from hub.clock import ManualClock
from hub.cohorts.service import CohortService
from hub.database import Database, sqlite_url
from hub.leases.desk import LeaseDesk
from hub.leases.model import EndReason, Lease, LeaseStatus, Quota, Session, SessionKind
from hub.leases.offers import make_offers
from hub.settings import DevicesSettings
from hub.web.centre import Centre
from tests.hub.web.browser import HOME, Browser, form_of
from tests.hub.web.fake_jupyterhub import FakeJupyterHub
from tests.hub.web.shares import MACHINE

Visit = Callable[..., Browser]

SHARES = f"{HOME}server/share"
QUEUE = f"{HOME}server/queue"
WHOLE, HALF, EIGHTH = "h100-80gb.whole", "h100-80gb.half", "h100-80gb.eighth"


@pytest.fixture
def leases(tmp_path: Path, cohorts: CohortService, clock: ManualClock) -> Iterator[LeaseDesk]:
    """One simulated H100 and one and a half processors: soon taken."""
    database = Database(sqlite_url(tmp_path / "practicum.sqlite"))
    yield LeaseDesk(database, make_offers(DevicesSettings(simulate="H100-80GB"), MACHINE), clock)
    database.close()


@pytest.fixture
def centre(app: FastAPI) -> Centre:
    found: Centre = app.state.centre
    return found


def server_of(name: str) -> Session:
    return Session(SessionKind.SERVER, name)


def lease_of(centre: Centre, name: str) -> Lease:
    lease = centre.leases.of_session(server_of(name))
    assert lease is not None
    return lease


async def choose(browser: Browser, share: str, **more: str) -> httpx.Response:
    """Open the choice and start with that share."""
    await browser.open(SHARES)
    return await browser.submit("server/start", share=share, **more)


async def give_back(centre: Centre, name: str) -> None:
    await centre.leases.release(lease_of(centre, name).id)


async def test_the_choice_shows_every_share_with_how_free_it_is(visit: Visit) -> None:
    page = await visit("lin.na").open(SHARES)
    for text in ("The basic server", "H100-80GB", "The whole", "1 free", "8 free", "Processors (CPU)", "simulated"):
        assert text in page.text
    assert 'name="share" value="" checked' in page.text
    assert "处理器（CPU）" in (await visit("wang.wei", "zh-CN").open(SHARES)).text


async def test_a_free_share_is_held_before_the_server_is_asked_for(
    visit: Visit, centre: Centre, jupyterhub: FakeJupyterHub
) -> None:
    browser = visit("lin.na")
    jupyterhub.pending["lin.na"] = "spawn"
    page = await choose(browser, HALF, lesson="data-processing/quality-audit")
    assert str(page.url).endswith("/server?lesson=data-processing%2Fquality-audit")
    lease = lease_of(centre, "lin.na")
    assert (lease.status, lease.ask.profile, lease.ask.owner, lease.ask.cohort) == (
        LeaseStatus.HELD,
        HALF,
        "lin.na",
        "spring",
    )
    await asyncio.sleep(0.05)
    assert jupyterhub.calls["POST /users/lin.na/server"] == 1


async def test_without_a_share_nothing_is_asked_of_the_desk(
    visit: Visit, centre: Centre, jupyterhub: FakeJupyterHub
) -> None:
    await choose(visit("lin.na"), "")
    assert centre.leases.of_session(server_of("lin.na")) is None
    await asyncio.sleep(0.05)
    assert "lin.na" in jupyterhub.running


async def test_sent_twice_the_same_form_is_one_lease_and_another_choice_is_another(
    visit: Visit, centre: Centre
) -> None:
    browser = visit("lin.na")
    await browser.open(SHARES)
    target, fields = form_of(browser.page, "server/start")
    for _ in range(2):
        await browser.post(target, data={**fields, "share": HALF})
    first = lease_of(centre, "lin.na")
    assert len(await centre.leases.list()) == 1
    await centre.leases.release(first.id)
    await browser.post(target, data={**fields, "share": HALF})  # the same form again, from the browser's history
    assert lease_of(centre, "lin.na").id != first.id


async def test_when_all_is_taken_there_is_a_place_with_its_number_and_why(visit: Visit, centre: Centre) -> None:
    await choose(visit("wang.wei"), WHOLE)
    browser = visit("lin.na")
    page = await choose(browser, EIGHTH)
    assert page.url.path == QUEUE
    text = re.sub(r"\s+", " ", page.text)
    assert "of 1 in the queue" in text
    assert "Everything of this kind is in use." in text
    assert "No estimate yet" in text
    assert lease_of(centre, "lin.na").status is LeaseStatus.WAITING
    (event,) = await browser.events()
    assert (event["kind"], event["position"]) == ("waiting", 1)


async def test_the_place_survives_a_closed_page_and_stands_on_the_home_page(visit: Visit, centre: Centre) -> None:
    await choose(visit("wang.wei"), WHOLE)
    await choose(visit("lin.na"), EIGHTH)
    elsewhere = visit("lin.na")
    page = await elsewhere.open(HOME)
    assert "Place 1 of 1 in the queue: An eighth of one H100-80GB" in page.text
    (event,) = await elsewhere.events()
    assert "Place 1 of 1 in the queue" in str(event["html"])
    await give_back(centre, "wang.wei")
    page = await visit("lin.na").open(HOME)
    assert "It is your turn: An eighth of one H100-80GB" in page.text
    assert "Take it now" in page.text


async def test_the_turn_is_claimed_and_the_server_starts(
    visit: Visit, centre: Centre, jupyterhub: FakeJupyterHub
) -> None:
    await choose(visit("wang.wei"), WHOLE)
    browser = visit("lin.na")
    await choose(browser, EIGHTH, lesson="data-processing/quality-audit")
    await browser.open(f"{QUEUE}?lesson=data-processing/quality-audit")
    page = await browser.submit("queue/claim")  # too early: the place is kept
    assert page.url.path == QUEUE
    await give_back(centre, "wang.wei")
    page = await browser.open(QUEUE)
    assert "It is your turn" in page.text
    jupyterhub.pending["lin.na"] = "spawn"
    page = await browser.submit("queue/claim", lesson="data-processing/quality-audit")
    assert str(page.url).endswith("/server?lesson=data-processing%2Fquality-audit")
    assert lease_of(centre, "lin.na").status is LeaseStatus.HELD


async def test_one_can_work_meanwhile_and_the_server_restarts_with_the_share(
    visit: Visit, centre: Centre, jupyterhub: FakeJupyterHub
) -> None:
    await choose(visit("wang.wei"), WHOLE)
    browser = visit("lin.na")
    await choose(browser, EIGHTH)
    await browser.open(QUEUE)
    assert "Start without a share now and keep my place" in browser.page.text
    await browser.submit("server/start")
    await asyncio.sleep(0.05)
    assert "lin.na" in jupyterhub.running
    assert lease_of(centre, "lin.na").status is LeaseStatus.WAITING  # the place is kept
    jupyterhub.started["lin.na"] = "2020-01-01T00:00:00.000000Z"
    await give_back(centre, "wang.wei")
    page = await browser.open(QUEUE)
    assert "Restart my server with the share" in page.text
    assert "what notebooks hold in memory is lost" in page.text
    assert 'id="auto" checked' not in page.text  # nobody's work is ended unasked
    await browser.submit("queue/claim")
    await asyncio.sleep(0.6)
    assert jupyterhub.calls["DELETE /users/lin.na/server"] == 1
    assert jupyterhub.calls["POST /users/lin.na/server"] == 2


async def test_leaving_the_queue_gives_the_place_up(visit: Visit, centre: Centre) -> None:
    await choose(visit("wang.wei"), WHOLE)
    browser = visit("lin.na")
    await choose(browser, EIGHTH)
    await browser.open(QUEUE)
    page = await browser.submit("queue/leave")
    assert page.url.path == HOME
    assert centre.leases.of_session(server_of("lin.na")) is None
    assert (await browser.open(QUEUE)).url.path == HOME


async def test_a_share_that_is_too_large_for_a_quota_says_so_and_cannot_be_chosen(visit: Visit, centre: Centre) -> None:
    await centre.leases.set_quota(Quota("spring", "h100-80gb-slice", learner_milli=250))
    browser = visit("lin.na")
    page = await browser.open(SHARES)
    assert "Larger than one learner of your cohort may hold." in page.text
    assert re.search(rf'value="{WHOLE}" disabled', page.text)
    page = await browser.submit("server/start", share=WHOLE)
    assert page.status_code == 403
    assert "larger than your quota" in page.text
    assert centre.leases.of_session(server_of("lin.na")) is None


async def test_a_place_is_not_lost_for_a_choice_that_is_refused(visit: Visit, centre: Centre) -> None:
    await centre.leases.set_quota(Quota("spring", "h100-80gb-slice", learner_milli=1000))
    await choose(visit("bob"), WHOLE)
    browser = visit("lin.na")
    await choose(browser, EIGHTH)
    await centre.leases.set_quota(Quota("spring", "h100-80gb-slice", learner_milli=250))
    page = await choose(browser, HALF)
    assert page.status_code == 403
    assert lease_of(centre, "lin.na").ask.profile == EIGHTH
    for unknown in ("no.such.share", "x" * 5000, "\x00"):
        page = await choose(browser, unknown)
        assert page.status_code == 404
        assert lease_of(centre, "lin.na").ask.profile == EIGHTH
    await choose(browser, "cpu.half")  # one that can be had replaces it
    assert lease_of(centre, "lin.na").ask.profile == "cpu.half"


@pytest.mark.parametrize("share", ["x", "h100-80gb.third", "../..", "😀", "a" * 500, "%00", "<script>"])
async def test_an_unknown_share_is_one_sentence_and_the_choice_again(visit: Visit, centre: Centre, share: str) -> None:
    page = await choose(visit("lin.na"), share)
    assert page.status_code in {400, 404}
    assert 'role="alert"' in page.text
    assert "<script>" not in page.text.replace("<script src", "")
    assert await centre.leases.list() == []


@pytest.mark.parametrize("key", ["", "x", "0" * 31, "0" * 33, "😀" * 32, "G" * 32])
async def test_a_form_without_a_key_of_ours_asks_for_nothing(visit: Visit, centre: Centre, key: str) -> None:
    page = await choose(visit("lin.na"), HALF, key=key)
    assert page.status_code == 422
    assert await centre.leases.list() == []


async def test_a_running_share_is_shown_with_how_long_and_how_to_give_it_back(
    visit: Visit, centre: Centre, jupyterhub: FakeJupyterHub
) -> None:
    browser = visit("lin.na")
    await choose(browser, HALF)
    await asyncio.sleep(0.05)
    jupyterhub.started["lin.na"] = (datetime.now(UTC) + timedelta(days=3650)).isoformat()
    page = await browser.open(HOME)
    assert "Half of one H100-80GB" in page.text
    assert "held for less than a minute" in page.text
    assert "Stop, and give the share back" in page.text
    assert "2&nbsp;GiB" in page.text  # a declared device brings no memory of its own
    assert (await browser.open(SHARES)).headers["location"].startswith("/user/lin.na/")  # nothing to choose now
    answer = await browser.post(
        f"{HOME}server/start", data={**form_of(page, "server/stop")[1], "share": WHOLE, "key": "0" * 32}
    )
    assert (answer.status_code, "Your server runs with a share." in answer.text) == (409, True)
    assert "does not use it yet" not in answer.text


async def test_a_share_of_processors_decides_the_memory(visit: Visit, jupyterhub: FakeJupyterHub) -> None:
    browser = visit("lin.na")
    await choose(browser, "cpu.half")
    await asyncio.sleep(0.05)
    page = await browser.open(HOME)
    assert "Half of the processors" in page.text
    assert "8&nbsp;GiB" in page.text


async def test_a_held_share_whose_server_did_not_start_can_be_used_again_or_given_back(
    visit: Visit, centre: Centre, jupyterhub: FakeJupyterHub
) -> None:
    jupyterhub.refuses_starts_with = (403, "Your home directory cannot be opened.")
    browser = visit("lin.na")
    page = await choose(browser, HALF)
    (event,) = await browser.events()
    assert event["kind"] == "failed"
    page = await browser.open(HOME)
    assert "not used by a server yet" in page.text
    jupyterhub.refuses_starts_with = None
    await browser.submit("server/start")
    await asyncio.sleep(0.05)
    assert "lin.na" in jupyterhub.running
    assert lease_of(centre, "lin.na").status is LeaseStatus.HELD
    jupyterhub.running.clear()
    await browser.open(HOME)
    await browser.submit("queue/leave")
    assert centre.leases.of_session(server_of("lin.na")) is None


async def test_a_basic_start_never_carries_a_share_from_before(visit: Visit, centre: Centre) -> None:
    browser = visit("lin.na")
    await choose(browser, HALF)
    await asyncio.sleep(0.05)
    await centre.jupyterhub.stop("lin.na")  # and nothing gave the share back
    await choose(browser, "")
    assert centre.leases.of_session(server_of("lin.na")) is None


async def test_a_basic_start_carries_no_share_of_a_start_that_failed_unseen(
    visit: Visit, centre: Centre, jupyterhub: FakeJupyterHub
) -> None:
    jupyterhub.refuses_starts_with = (403, "Your home directory cannot be opened.")
    browser = visit("lin.na")
    await choose(browser, HALF)
    await asyncio.sleep(0.05)
    jupyterhub.refuses_starts_with = None
    await choose(browser, "")
    assert centre.leases.of_session(server_of("lin.na")) is None


async def test_a_share_chosen_while_a_server_without_one_starts_is_what_it_starts_with(
    visit: Visit, centre: Centre, jupyterhub: FakeJupyterHub
) -> None:
    jupyterhub.pending["lin.na"], jupyterhub.started["lin.na"] = "spawn", "2020-01-01T00:00:00Z"
    browser = visit("lin.na")
    await choose(browser, "")
    await asyncio.sleep(0.05)
    await choose(browser, HALF)  # in another window, or after going back
    await asyncio.sleep(0.05)
    assert jupyterhub.calls["DELETE /users/lin.na/server"] == 1
    assert jupyterhub.calls["POST /users/lin.na/server"] == 2
    assert "lin.na" in jupyterhub.running
    assert lease_of(centre, "lin.na").status is LeaseStatus.HELD


async def test_a_start_that_is_stopped_gives_its_share_back(
    visit: Visit, centre: Centre, jupyterhub: FakeJupyterHub
) -> None:
    browser = visit("lin.na")
    await browser.open(SHARES)
    _, fields = form_of(browser.page, "server/start")
    jupyterhub.pending["lin.na"] = "spawn"
    await browser.submit("server/start", share=HALF)
    await browser.post(f"{HOME}server/stop", data=fields)  # of another window
    assert centre.leases.of_session(server_of("lin.na")) is None
    assert "lin.na" not in jupyterhub.running


async def test_a_server_that_goes_on_running_is_not_said_to_be_stopped(
    visit: Visit, centre: Centre, jupyterhub: FakeJupyterHub
) -> None:
    browser = visit("lin.na")
    await choose(browser, HALF)
    await asyncio.sleep(0.05)
    jupyterhub.cannot_write = True
    await browser.open(HOME)
    assert (await browser.submit("server/stop")).status_code == 502
    assert lease_of(centre, "lin.na").status is LeaseStatus.HELD


async def test_a_start_while_the_server_stops_waits_for_that_and_asks_anew(
    visit: Visit, centre: Centre, jupyterhub: FakeJupyterHub
) -> None:
    browser = visit("lin.na")
    await choose(browser, HALF)
    await asyncio.sleep(0.05)
    first = lease_of(centre, "lin.na")
    target, fields = f"{HOME}server/start", form_of(await browser.open(HOME), "server/stop")[1]
    jupyterhub.pending["lin.na"] = "stop"
    answer = asyncio.create_task(browser.post(target, data={**fields, "share": HALF, "key": "0" * 32}))
    await asyncio.sleep(0.1)
    assert not answer.done()
    await give_back(centre, "lin.na")  # as the spawner does once nothing is left of the server
    jupyterhub.running.clear()
    jupyterhub.pending.clear()
    assert (await answer).status_code == 303
    await asyncio.sleep(0.05)
    assert "lin.na" in jupyterhub.running
    assert lease_of(centre, "lin.na").id != first.id


async def test_a_clock_that_was_set_back_does_not_hide_that_a_share_is_in_use(
    visit: Visit, centre: Centre, jupyterhub: FakeJupyterHub
) -> None:
    browser = visit("lin.na")
    await choose(browser, HALF)
    await asyncio.sleep(0.05)
    jupyterhub.started["lin.na"] = "2020-01-01T00:00:00Z"
    assert "not used by a server yet" in (await browser.open(HOME)).text
    await centre.leases.see([lease_of(centre, "lin.na").id])
    assert "Stop, and give the share back" in (await browser.open(HOME)).text


async def test_the_last_share_is_chosen_again(visit: Visit, centre: Centre, jupyterhub: FakeJupyterHub) -> None:
    browser = visit("lin.na")
    await choose(browser, HALF)
    await give_back(centre, "lin.na")
    await asyncio.sleep(0.05)
    jupyterhub.running.clear()
    page = await browser.open(SHARES)
    assert f'value="{HALF}" checked' in page.text
    page = await browser.open(HOME)
    assert "It starts with: Half of one H100-80GB (2 free)." in page.text
    await browser.submit("server/start")
    assert lease_of(centre, "lin.na").ask.profile == HALF


@pytest.mark.parametrize(("reason", "text"), [
    (EndReason.REVOKED, "An administrator took your share “Half of one H100-80GB” back."),
    (EndReason.DEVICE_LOST, "The device of “Half of one H100-80GB” has failed"),
    (EndReason.ORPHANED, "went back, because your server was not running any more."),
    (EndReason.RELEASED, ""),
])  # fmt: skip
async def test_how_a_share_ended_is_said_at_home(
    visit: Visit, centre: Centre, clock: ManualClock, reason: EndReason, text: str
) -> None:
    browser = visit("lin.na")
    await choose(browser, HALF)
    await centre.leases.release(lease_of(centre, "lin.na").id, reason)
    page = await browser.open(HOME)
    assert text in page.text
    assert ("Your files are safe" in page.text) == bool(text)
    clock.advance(13 * 3600)
    assert "Your files are safe" not in (await browser.open(HOME)).text


async def test_an_offer_nobody_takes_is_explained(visit: Visit, centre: Centre, clock: ManualClock) -> None:
    await choose(visit("wang.wei"), WHOLE)
    browser = visit("lin.na")
    await choose(browser, EIGHTH)
    await give_back(centre, "wang.wei")
    await browser.open(QUEUE)
    clock.advance(3600)
    await centre.leases.expire()
    page = await browser.submit("queue/claim")
    assert page.url.path == HOME
    assert "It was your turn for “An eighth of one H100-80GB”, but it was not taken in time" in page.text


async def test_the_stream_of_the_choice_tells_when_a_share_is_taken(visit: Visit, clock: ManualClock) -> None:
    browser = visit("lin.na")
    await browser.open(SHARES)
    listening = asyncio.create_task(browser.events(2))
    await asyncio.sleep(0.2)
    await choose(visit("wang.wei"), WHOLE)
    clock.advance(3)  # what is free is counted at most so often
    first, second = await listening
    assert {each["name"]: each["state"] for each in first["shares"]}[WHOLE] == "free"
    assert {each["name"]: each["state"] for each in second["shares"]}[WHOLE] == "full"

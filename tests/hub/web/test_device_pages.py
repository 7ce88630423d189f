"""Devices, limits and use, as learners, administrators of a cohort and operators see them."""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI

from hub.clock import ManualClock
from hub.cohorts.service import CohortService
from hub.database import Database, sqlite_url
from hub.gpu.errors import InventoryError
from hub.gpu.nvml import DeviceUsage
from hub.leases.desk import LeaseDesk
from hub.leases.model import Ask, EndReason, Lease, LeaseStatus, Quota, Session, SessionKind
from hub.leases.offers import make_offers
from hub.settings import DevicesSettings
from hub.web.device_meter import Reading
from tests.hub.web.browser import HOME, Browser
from tests.hub.web.shares import MACHINE

Visit = Callable[..., Browser]

DEVICES, QUOTAS, USAGE = f"{HOME}devices", f"{HOME}quotas", f"{HOME}usage"
POOL = "h100-80gb-slice"


async def ask(desk: LeaseDesk, owner: str, profile: str, cohort: str = "spring", organisation: str = "ACME") -> Lease:
    session = Session(SessionKind.SERVER, owner)
    return await desk.acquire(Ask(f"key-{owner}-{profile}", session, owner, cohort, organisation, profile))


async def test_learners_see_every_device_and_no_name_but_their_own_part(visit: Visit, leases: LeaseDesk) -> None:
    browser = visit("lin.na")
    await browser.open(HOME)
    await ask(leases, "lin.na", "h100-80gb.half")
    await ask(leases, "wang.wei", "h100-80gb.quarter")
    page = await browser.open(DEVICES)
    for text in ("GPU 0", "GPU 1", "CPU", "simulated", ">you<", "in use"):
        assert text in page.text
    assert "王伟" not in page.text
    assert "wang.wei" not in page.text
    assert "/end" not in page.text


async def test_administrators_see_the_names_of_their_own_people_alone(visit: Visit, leases: LeaseDesk) -> None:
    ada = visit("ada")
    await ada.open(HOME)
    await ask(leases, "wang.wei", "h100-80gb.quarter")
    await ask(leases, "bob", "h100-80gb.half", cohort="autumn")
    page = await ada.open(DEVICES)
    assert "王伟" in page.text
    assert "Bob" not in page.text
    page = await visit("olga").open(DEVICES)
    assert "王伟" in page.text
    assert "Bob" in page.text


async def test_the_page_follows_what_happens(visit: Visit, leases: LeaseDesk) -> None:
    browser = visit("ada")
    await browser.open(DEVICES)
    lease = await ask(leases, "wang.wei", "h100-80gb.whole")
    (event,) = await browser.events()
    assert "王伟" in event["html"]
    await leases.release(lease.id)
    (event,) = await browser.events()
    assert "王伟" not in event["html"]
    assert "Nobody waits." in event["html"]


async def test_an_administrator_takes_a_share_back_and_its_learner_is_told(visit: Visit, leases: LeaseDesk) -> None:
    ada, learner = visit("ada"), visit("wang.wei")
    await ada.open(HOME)
    lease = await ask(leases, "wang.wei", "h100-80gb.quarter")
    await ada.open(DEVICES)
    page = await ada.submit(f"leases/{lease.id}/end")
    assert page.url.path == DEVICES
    ended = await leases.find(lease.id)
    assert (ended.status, ended.reason) == (LeaseStatus.ENDED, EndReason.REVOKED)
    assert "An administrator took your share" in (await learner.open(HOME)).text


async def test_who_is_switched_off_keeps_neither_share_nor_place(visit: Visit, leases: LeaseDesk) -> None:
    ada = visit("ada")
    await ada.open(f"{HOME}people")
    held = await ask(leases, "ian", "h100-80gb.whole")
    await ask(leases, "bob", "h100-80gb.whole", cohort="autumn")
    waiting = await ask(leases, "wang.wei", "h100-80gb.whole")
    assert waiting.status is LeaseStatus.WAITING
    for name in ("wang.wei", "ian"):
        await ada.submit(f"people/{name}/active")
    assert {(await leases.find(each.id)).reason for each in (held, waiting)} == {EndReason.REVOKED}


@pytest.mark.parametrize(("name", "owner", "status"), [
    ("lin.na", "wang.wei", 403), ("ian", "lin.na", 403), ("ada", "bob", 403), ("bob", "lin.na", 403), ("lin.na", "lin.na", 403),
])  # fmt: skip
async def test_nobody_else_can(visit: Visit, leases: LeaseDesk, name: str, owner: str, status: int) -> None:
    browser = visit(name)
    page = await browser.open(HOME)
    lease = await ask(leases, owner, "h100-80gb.quarter")
    token = page.text.split('name="form_token" value="')[1].split('"')[0]
    answer = await browser.post(f"{DEVICES}/leases/{lease.id}/end", data={"form_token": token})
    assert answer.status_code == status
    assert (await leases.find(lease.id)).is_live


@pytest.mark.parametrize("lease", ["x", "0" * 32, "😀", "%00", "..%2f..", "a" * 5000])
async def test_a_lease_that_is_not_there_is_a_sentence(visit: Visit, lease: str) -> None:
    browser = visit("olga")
    page = await browser.open(HOME)
    token = page.text.split('name="form_token" value="')[1].split('"')[0]
    answer = await browser.post(f"{DEVICES}/leases/{lease}/end", data={"form_token": token})
    assert answer.status_code == 404
    assert 'class="notice bad"' in answer.text


async def test_a_driver_that_fails_is_a_sentence_and_a_busy_one_is_shown(
    visit: Visit, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = visit("lin.na")
    await browser.open(HOME)
    fault = InventoryError("The GPUs of this machine could not be listed: %(cause)s.", cause="GPU is lost")
    monkeypatch.setattr(app.state.centre.meter, "_look", lambda: Reading({}, fault, 0.5, 4))
    page = await browser.open(DEVICES)
    assert "The GPUs of this machine could not be listed: GPU is lost." in page.text
    assert "load of this machine: 0.5 on 4 processors" in page.text
    assert DeviceUsage("x", 1, None, None).busy_percent is None


@pytest.mark.parametrize("node", ["simulated", "x" * 5000, "😀", "<script>", "%00"])
async def test_machines_are_found_by_name(visit: Visit, node: str) -> None:
    page = await visit("lin.na").get(DEVICES, params={"node": node}, follow_redirects=False)
    assert page.status_code in {200, 303}
    browser = visit("lin.na")
    await browser.open(HOME)
    page = await browser.get(DEVICES, params={"node": node})
    assert page.status_code == 200
    assert ("GPU 0" in page.text) == (node == "simulated")
    assert "<script>" not in page.text


async def test_limits_are_set_for_the_own_cohorts_and_hold(visit: Visit, leases: LeaseDesk) -> None:
    ada = visit("ada")
    page = await ada.open(QUOTAS)
    assert "Spring 2026" in page.text
    assert "Autumn 2026" not in page.text
    page = await ada.submit("quotas", pool=POOL, cohort_limit="1.5", learner_limit="0,5")
    assert 'value="1.5"' in page.text
    assert 'value="0.5"' in page.text
    assert await leases.quotas() == [Quota("spring", POOL, 1500, 500)]
    page = await visit("lin.na").open(f"{HOME}server/share")
    assert "Larger than one learner of your cohort may hold." in page.text
    page = await ada.submit("quotas", pool=POOL, cohort_limit="", learner_limit="")
    assert await leases.quotas() == [Quota("spring", POOL, None, None)]


async def test_what_is_reserved_for_a_cohort_is_not_lost_by_a_change_of_its_limits(
    visit: Visit, leases: LeaseDesk
) -> None:
    ada = visit("ada")
    await ada.open(QUOTAS)
    await leases.set_quota(Quota("spring", POOL, guaranteed_milli=500, borrow_milli=1000, weight=3))
    await ada.submit("quotas", pool=POOL, cohort_limit="2", learner_limit="")
    assert await leases.quotas() == [Quota("spring", POOL, 2000, None, 500, 1000, 3)]


@pytest.mark.parametrize(("field", "value", "status"), [
    ("cohort_limit", "-1", 422), ("learner_limit", "NaN", 422), ("cohort_limit", "9" * 30, 422), ("learner_limit", "<b>", 422),
    ("pool", "no-such", 422), ("cohort", "autumn", 404), ("cohort", "", 404), ("pool", "😀", 422),
])  # fmt: skip
async def test_a_limit_that_cannot_be_is_refused_in_a_sentence(
    visit: Visit, leases: LeaseDesk, field: str, value: str, status: int
) -> None:
    ada = visit("ada")
    await ada.open(QUOTAS)
    page = await ada.submit("quotas", **{"pool": POOL, "cohort_limit": "1", "learner_limit": "1", field: value})
    assert page.status_code == status
    assert 'class="notice bad"' in page.text
    assert "<b>" not in page.text
    assert await leases.quotas() == []


async def test_use_is_reported_by_learner_cohort_and_organisation(
    visit: Visit, leases: LeaseDesk, clock: ManualClock, app: FastAPI
) -> None:
    ada, olga = visit("ada"), visit("olga")
    await ada.open(HOME)
    half = await ask(leases, "wang.wei", "h100-80gb.half", organisation="=HYPERLINK(1)")
    await ask(leases, "bob", "h100-80gb.whole", cohort="autumn", organisation="Other")
    clock.advance(timedelta(hours=2).total_seconds())
    await leases.release(half.id)
    page = await ada.open(USAGE)
    assert "王伟" in page.text
    assert ">2.00<" in page.text
    assert ">1.00<" in page.text
    assert "Bob" not in page.text
    assert "Bob" in (await olga.open(USAGE)).text
    assert "Spring 2026" in (await ada.open(f"{USAGE}?by=cohort&days=7")).text
    assert "=HYPERLINK(1)" in (await ada.open(f"{USAGE}?by=organisation&days=nonsense")).text
    answer = await ada.get(f"{USAGE}/usage.csv?days=7")
    assert answer.headers["content-disposition"].startswith('attachment; filename="usage-2026-')
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row[:6] for row in rows[1:]] == [["wang.wei", "王伟", "spring", "'=HYPERLINK(1)", POOL, "h100-80gb.half"]]
    assert rows[1][-2:] == ["2.0000", "1.0000"]


@pytest.mark.parametrize("path", [USAGE, f"{USAGE}/usage.csv", QUOTAS])
@pytest.mark.parametrize("name", ["lin.na", "ian"])
async def test_use_and_limits_are_for_administrators(visit: Visit, name: str, path: str) -> None:
    page = await visit(name).open(path)
    assert (page.status_code, "Your role does not allow this." in page.text) == (403, True)


async def test_an_organisation_is_kept_with_the_person_it_sent(visit: Visit) -> None:
    ada = visit("ada")
    await ada.open(f"{HOME}people")
    await ada.submit(
        "people$", name="zhou.jie", display_name="周杰", role="learner", cohort="spring", organisation="青禾数据"
    )
    assert "青禾数据" in (await ada.open(f"{HOME}people")).text
    page = await ada.submit(
        "people$", name="li.li", display_name="Li", role="learner", cohort="spring", organisation="x" * 300
    )
    assert page.status_code == 422


class TestALargeCentre:
    """A thousand devices."""

    @pytest.fixture
    def leases(self, tmp_path: Path, cohorts: CohortService, clock: ManualClock) -> Iterator[LeaseDesk]:
        database = Database(sqlite_url(tmp_path / "practicum.sqlite"))
        yield LeaseDesk(database, make_offers(DevicesSettings(simulate="1000xH100-80GB"), MACHINE), clock)
        database.close()

    async def test_it_is_a_page_of_machines_not_of_megabytes(self, visit: Visit, leases: LeaseDesk) -> None:
        browser = visit("olga")
        await browser.open(HOME)
        for number in range(50):
            await ask(leases, f"learner.{number}", "h100-80gb.half", cohort="")
        page = await browser.open(DEVICES)
        assert len(page.content) < 250_000
        assert page.text.count('class="node folded"') == 120
        assert "120 of 126 machines are shown." in page.text
        (event,) = await browser.events()
        assert len(event["html"]) < 250_000
        one = await browser.open(f"{DEVICES}?node=simulated-124")
        assert one.text.count('<article class="device') == 8

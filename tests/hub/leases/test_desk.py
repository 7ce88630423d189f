"""The desk, on SQLite and PostgreSQL: what each call promises."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from hub.clock import ManualClock
from hub.database import DatabaseUnavailableError
from hub.leases.errors import (
    AllocatorReplacedError,
    DevicesFullError,
    FenceError,
    KeyReusedError,
    LeaseEndedError,
    NeverFitsError,
    NotOfferedError,
    QuotaExceededError,
    QuotaUsedUpError,
    SessionHasLeaseError,
    UnknownLeaseError,
    UnknownShareError,
)
from hub.leases.model import EndReason, LeaseStatus, Quota, Session, SessionKind, UsageLine, Wait
from hub.leases.tables import lease as lease_table
from tests.hub.leases.desks import (
    EIGHTH,
    GPU,
    HALF,
    MIG,
    WHOLE,
    FailingDatabase,
    KillableDesk,
    ask,
    centre,
    desk_on,
    without,
)
from tests.hub.leases.oracle import recorded


async def test_what_is_free_is_held_at_once_and_written_down(desk: KillableDesk, database: FailingDatabase) -> None:
    lease = await desk.acquire(ask("ann"))
    assert (lease.status, lease.fence, lease.pool) == (LeaseStatus.HELD, 1, GPU)
    assert recorded(database) == {lease.id: lease}
    assert desk.of_session(lease.ask.session) == lease


async def test_two_asks_with_one_key_are_one_for_ever(desk: KillableDesk, database: FailingDatabase) -> None:
    first, second = await asyncio.gather(desk.acquire(ask("ann")), desk.acquire(ask("ann")))
    assert first == second
    ended = await desk.release(first.id)
    assert await desk.acquire(ask("ann")) == ended
    desk._allocator.book._ended.clear()  # as after a restart
    assert await desk.acquire(ask("ann")) == ended
    with pytest.raises(KeyReusedError):
        await desk.acquire(ask("ann", HALF))


async def test_a_session_has_one_live_lease(desk: KillableDesk) -> None:
    lease = await desk.acquire(ask("ann"))
    with pytest.raises(SessionHasLeaseError) as refused:
        await desk.acquire(ask("ann", key="another"))
    assert refused.value.fields == {"lease": lease.id}


async def test_what_is_not_on_offer_or_never_fits_is_refused(desk: KillableDesk, database: FailingDatabase) -> None:
    with pytest.raises(UnknownShareError):
        await desk.acquire(ask("ann", "h100-80gb.sliver"))
    await desk.look([without(desk.offers, "n0/gpu0", "n0/gpu1")])
    with pytest.raises(NeverFitsError):
        await desk.acquire(ask("ann", WHOLE))
    assert recorded(database) == {}


async def test_a_turn_is_offered_claimed_and_lapses(desk: KillableDesk, clock: ManualClock) -> None:
    one, two = await desk.acquire(ask("ann", WHOLE)), await desk.acquire(ask("bob", WHOLE))
    third, fourth = await desk.acquire(ask("cao", WHOLE)), await desk.acquire(ask("dan", WHOLE))
    assert (third.status, fourth.status) == (LeaseStatus.WAITING, LeaseStatus.WAITING)
    with pytest.raises(NotOfferedError):
        await desk.claim(third.id)
    await desk.release(one.id)
    offered = await desk.find(third.id)
    assert (offered.status, offered.fence) == (LeaseStatus.OFFERED, None)
    assert offered.claim_by == clock.now() + timedelta(seconds=120)
    clock.advance(121)
    await desk.expire()
    assert (await desk.find(third.id)).reason is EndReason.UNCLAIMED
    with pytest.raises(LeaseEndedError):
        await desk.claim(third.id)
    held = await desk.claim(fourth.id)
    assert (held.status, held.fence) == (LeaseStatus.HELD, 3)
    assert await desk.claim(fourth.id) == held
    assert two.fence == 2


async def test_who_would_not_wait_is_told_at_once_and_leaves_nothing(
    desk: KillableDesk, database: FailingDatabase
) -> None:
    await desk.set_quota(Quota("spring", "cpu", cohort_milli=40_000))
    await desk.acquire(ask("dan", "cpu.half"))
    with pytest.raises(QuotaUsedUpError):
        await desk.acquire(ask("eve", "cpu.half", wait=False))
    await desk.acquire(ask("ann", WHOLE))
    with pytest.raises(DevicesFullError):  # a device is free, but none of the CPUs that go with it
        await desk.acquire(ask("bob", EIGHTH, wait=False))
    assert {lease.ask.owner for lease in recorded(database).values()} == {"ann", "dan"}
    assert desk.waiting() == []


async def test_quotas_hold_for_cohort_and_learner_and_tell_why(desk: KillableDesk) -> None:
    await desk.set_quota(Quota("spring", GPU, cohort_milli=1000, learner_milli=500))
    assert await desk.quotas() == [Quota("spring", GPU, 1000, 500)]
    with pytest.raises(QuotaExceededError):
        await desk.acquire(ask("ann", WHOLE))
    held = await desk.acquire(ask("ann", HALF))
    job = replace(ask("ann", EIGHTH, key="job"), session=Session(SessionKind.GRADING, "job-1"))
    waits = await desk.acquire(job)
    await desk.acquire(ask("bob", HALF))
    third = await desk.acquire(ask("cao", EIGHTH))
    first, other = desk.outlook(waits.id), desk.outlook(third.id)
    assert first is not None
    assert other is not None
    assert (first.why, other.why) == (Wait.COHORT_QUOTA, Wait.COHORT_QUOTA)
    assert (await desk.acquire(ask("dan", HALF, cohort="autumn"))).status is LeaseStatus.HELD
    await desk.set_quota(Quota("spring", GPU, cohort_milli=None, learner_milli=500))
    first = desk.outlook(waits.id)
    assert first is not None
    assert first.why is Wait.LEARNER_QUOTA
    assert (await desk.find(third.id)).status is LeaseStatus.OFFERED
    await desk.release(held.id)
    assert (await desk.find(waits.id)).status is LeaseStatus.OFFERED
    shares = {each.profile.name: each for each in desk.availability("dan", "spring")}
    assert shares[WHOLE].refusal == "learner-quota"
    assert desk.availability("dan", "spring")[-1].profile.pool == "cpu"


async def test_heartbeats_keep_a_lease_and_silence_ends_it(desk: KillableDesk, clock: ManualClock) -> None:
    lease = await desk.acquire(ask("job", patience_s=60, kind=SessionKind.GRADING))
    assert lease.fence is not None
    clock.advance(50)
    assert (await desk.heartbeat(lease.id, lease.fence)).seen_at == clock.now()
    with pytest.raises(FenceError):
        await desk.heartbeat(lease.id, lease.fence + 1)
    clock.advance(50)
    await desk.expire()
    assert (await desk.find(lease.id)).is_live
    clock.advance(11)
    await desk.expire()
    assert (await desk.find(lease.id)).reason is EndReason.EXPIRED
    with pytest.raises(LeaseEndedError):
        await desk.heartbeat(lease.id, lease.fence)


async def test_release_is_idempotent_and_refuses_another_ones_fence(desk: KillableDesk) -> None:
    lease = await desk.acquire(ask("ann"))
    assert lease.fence is not None
    with pytest.raises(FenceError):
        await desk.release(lease.id, fence=lease.fence + 1)
    ended = await desk.release(lease.id, fence=lease.fence)
    assert await desk.release(lease.id, EndReason.REVOKED) == ended
    for unknown in ("0" * 32, "no id at all\x00", "'; DROP TABLE lease"):
        with pytest.raises(UnknownLeaseError):
            await desk.release(unknown)


async def test_a_restart_finds_everything_and_goes_on(
    desk: KillableDesk, database: FailingDatabase, clock: ManualClock
) -> None:
    held = [await desk.acquire(ask(name, WHOLE)) for name in ("ann", "bob")]
    waits = await desk.acquire(ask("cao", WHOLE))
    clock.step_wall(-3600)
    async with desk_on(database, clock) as after:
        assert await after.list() == [*held, waits]
        ended = await after.release(held[0].id)
        assert ended.ended_at is not None
        assert ended.held_at is not None
        assert ended.ended_at >= ended.held_at  # the clock went back by an hour, time did not
        claimed = await after.claim(waits.id)
        assert claimed.fence == 3
        # The desk from before has been replaced: it writes no more.
        with pytest.raises(AllocatorReplacedError):
            await desk.release(held[1].id)
        assert await after.find(held[1].id) == held[1]


async def test_leases_that_the_devices_of_today_cannot_hold_end(
    desk: KillableDesk, database: FailingDatabase, clock: ManualClock
) -> None:
    first, second = [await desk.acquire(ask(name, WHOLE)) for name in ("ann", "bob")]
    third = await desk.acquire(ask("cao", WHOLE))
    async with desk_on(database, clock, centre(slices=0, migs=1)) as after:
        for lease in (first, second, third):
            assert (await after.find(lease.id)).reason is EndReason.WITHDRAWN
        assert {view.device.pool for view in after.devices()} == {MIG, "cpu"}


async def test_a_lost_device_ends_its_leases_and_is_offered_again_when_it_is_back(desk: KillableDesk) -> None:
    leases = [await desk.acquire(ask(name, WHOLE)) for name in ("ann", "bob")]
    waits = await desk.acquire(ask("cao", WHOLE))
    offers = desk.offers
    assert leases[0].placement is not None
    (share,) = leases[0].placement.shares
    await desk.look([without(offers, share.device)])
    assert (await desk.find(leases[0].id)).reason is EndReason.DEVICE_LOST
    assert (await desk.find(leases[1].id)).is_live
    assert (await desk.find(waits.id)).status is LeaseStatus.WAITING
    await desk.look(offers.nodes)
    assert (await desk.find(waits.id)).status is LeaseStatus.OFFERED


@pytest.mark.parametrize("fails", ["before", "after"])
async def test_a_failed_commit_changes_nothing_that_was_not_written(
    desk: KillableDesk, database: FailingDatabase, fails: str
) -> None:
    await desk.acquire(ask("ann", WHOLE))
    database.fails = fails
    answers = await asyncio.gather(*(desk.acquire(ask(name, WHOLE)) for name in ("bob", "cao")), return_exceptions=True)
    assert [type(answer) for answer in answers] == [DatabaseUnavailableError] * 2
    again = await desk.acquire(ask("bob", WHOLE))
    assert again.status is LeaseStatus.HELD
    assert recorded(database)[again.id] == again
    assert len(recorded(database)) == (2 if fails == "before" else 3)
    assert desk.of_session(again.ask.session) == again


async def test_a_decision_that_breaks_takes_nobody_with_it(desk: KillableDesk) -> None:
    with pytest.raises(Exception, match="Something went wrong"):
        await desk._allocator.run(lambda _book, _now: 1 // 0)
    assert (await desk.acquire(ask("ann"))).status is LeaseStatus.HELD


async def test_positions_reasons_and_estimates_of_those_who_wait(desk: KillableDesk, clock: ManualClock) -> None:
    for at in range(5):
        lease = await desk.acquire(ask(f"early-{at}", WHOLE))
        clock.advance(600)
        await desk.release(lease.id)
    for name in ("ann", "bob"):
        await desk.acquire(ask(name, WHOLE))
    clock.advance(100)
    waits = [await desk.acquire(ask(name, WHOLE)) for name in ("cao", "dan", "eve")]
    outlooks = [desk.outlook(lease.id) for lease in waits]
    assert [(one.position, one.waiting, one.why) for one in outlooks if one] == [
        (at, 3, Wait.DEVICES_FULL) for at in (1, 2, 3)
    ]
    # Everybody so far stayed for 600 s, so the two devices are free in 500 s, and the third has to wait for one more stay.
    assert [one.estimate_s for one in outlooks if one] == [500, 500, 1100]
    assert {share.profile.name: share.estimate_s for share in desk.availability("fay", "spring")}[WHOLE] == 1100


async def test_usage_is_summed_by_person_organisation_and_share(desk: KillableDesk, clock: ManualClock) -> None:
    began = clock.now()
    for _ in range(2):
        lease = await desk.acquire(ask("ann", HALF, key=str(clock.now())))
        clock.advance(3600)
        await desk.release(lease.id)
    await desk.acquire(ask("bob", EIGHTH))
    clock.advance(60)
    lines = await desk.usage(began + timedelta(seconds=1800), clock.now())
    assert lines == [
        UsageLine("ann", "spring", "ACME", GPU, HALF, 2, 5400, 2_700_000),
        UsageLine("bob", "spring", "ACME", GPU, EIGHTH, 1, 60, 7500),
    ]


async def test_a_change_is_told_to_whoever_waits_for_one(desk: KillableDesk) -> None:
    version = desk.version
    watcher = asyncio.create_task(desk.changed(version, 30))
    await asyncio.sleep(0)
    await desk.acquire(ask("ann"))
    assert await watcher == desk.version != version
    assert await desk.changed(desk.version, 0.01) == desk.version


async def test_devices_show_who_is_on_them(desk: KillableDesk) -> None:
    gpu, cpu = await desk.acquire(ask("ann")), await desk.acquire(ask("bob", "cpu.eighth"))
    shown = {view.device.id: view.leases for view in desk.devices()}
    assert gpu.placement is not None
    assert shown.pop(gpu.placement.shares[0].device) == (gpu,)
    assert shown.pop("n0/cpu") == (cpu,)
    assert list(shown.values()) == [()]


async def test_ended_leases_are_listed_last_asked_first(desk: KillableDesk) -> None:
    first = await desk.release((await desk.acquire(ask("ann", key="1"))).id)
    second = await desk.release((await desk.acquire(ask("ann", key="2"))).id)
    assert await desk.list(live=False, owner="ann") == [second, first]
    assert await desk.last_of_session(first.ask.session) == second
    assert await desk.list(owner="ann") == []


def test_the_database_itself_refuses_two_live_leases_of_a_session_and_a_fence_given_twice(
    database: FailingDatabase,
) -> None:
    values = {
        "key": "k",
        "session_kind": "server",
        "session_name": "ann",
        "owner": "ann",
        "cohort": "",
        "organisation": "",
        "profile": EIGHTH,
        "pool": GPU,
        "wait": True,
        "demand": "{}",
        "size_milli": 125,
        "status": "waiting",
        "overtaken": 0,
        "asked_at": ManualClock().now(),
    }
    with database.writing() as connection:
        connection.execute(lease_table.insert().values(asked_order=1, id="1", **values))
    wrong = (
        {"asked_order": 2, "id": "2", "key": "other"},  # a second live lease of the session
        {"asked_order": 2, "id": "2", "session_name": "bob"},  # the key again
        {"asked_order": 2, "id": "2", "key": "other", "session_name": "bob", "status": "held"},  # held, but nowhere
        {"asked_order": 2, "id": "2", "key": "other", "session_name": "bob", "reason": "released"},
    )
    for row in wrong:
        with pytest.raises(IntegrityError), database.writing() as connection:
            connection.execute(lease_table.insert().values(**values | row))

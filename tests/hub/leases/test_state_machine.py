"""Leases under everything that can happen to them, in any order: what must hold is worked out anew from the records after each step."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hub.clock import ManualClock
from hub.database import DatabaseUnavailableError, sqlite_url
from hub.leases import store, turns
from hub.leases.errors import (
    DevicesFullError,
    FenceError,
    KeyReusedError,
    LeaseEndedError,
    LeaseError,
    NeverFitsError,
    NotOfferedError,
    QuotaExceededError,
    SessionHasLeaseError,
)
from hub.leases.model import Ask, EndReason, Lease, LeaseStatus, Quota
from hub.leases.quotas import Quotas
from hub.migrations import migrate
from tests.hub.leases.desks import GPU, FailingDatabase, KillableDesk, ask, centre, desk_on, without
from tests.hub.leases.oracle import (
    check_no_overlap,
    check_nobody_waits_in_vain,
    fleet_with,
    recorded,
    times_overtaken,
)
from tests.postgres import PostgresServer

T = TypeVar("T")

BOUND = 3
"""Overtakings allowed here: with the product's bound hardly any of these short stories would reach it."""
CLAIM_S = 60
OFFERS = centre(slices=2, migs=1)
PROFILES = [profile.name for profile in OFFERS.profiles]
DEVICES = [device.id for node in OFFERS.nodes for device in node.devices]
LIMITED = "limited"
REFUSALS = (SessionHasLeaseError, NeverFitsError, QuotaExceededError, DevicesFullError)
INDEX = st.integers(0, 63)
ASKED = st.tuples(
    st.integers(0, 19),
    st.sampled_from(PROFILES),
    st.sampled_from([True, True, False]),
    st.sampled_from([None, None, 30]),
)


class LeaseStory(RuleBasedStateMachine):
    """Twenty people of two cohorts, one of which has quotas; three devices; a database and a service that fail."""

    new_database: Callable[[], FailingDatabase]

    def __init__(self) -> None:
        super().__init__()
        self.patches = [patch.object(module, "OVERTAKINGS", BOUND) for module in (turns, store)]
        for each in self.patches:
            each.start()
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.database = self.new_database()
        self.lost: set[str] = set()
        self.fence = 0
        self.asks: list[Ask] = []
        self.desk = self.open_desk()

    def open_desk(self) -> KillableDesk:
        desk = desk_on(self.database, self.clock, OFFERS, CLAIM_S)
        self.run(desk.__aenter__())
        return desk

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def try_to(self, works: Iterable[Coroutine[Any, Any, Lease]], *refusals: type[LeaseError]) -> list[Lease | None]:
        """The leases, which must be in the database as answered; None for one of the refusals or a failed database."""
        before = recorded(self.database)
        fails = self.database.fails
        answers = self.run(_together(works))
        now = recorded(self.database)
        failed = any(isinstance(answer, DatabaseUnavailableError) for answer in answers)
        assert not failed or fails
        assert not failed or fails == "after" or now == before
        for answer in answers:
            if isinstance(answer, Lease):
                assert now[answer.id] == answer
            else:
                assert isinstance(answer, (DatabaseUnavailableError, *refusals)), answer
        fences = [
            lease.fence or 0 for lease in now.values() if lease.id not in before or before[lease.id].fence is None
        ]
        assert all(not fence or fence > self.fence for fence in fences)
        self.fence = max([self.fence, *fences])
        return [answer if isinstance(answer, Lease) else None for answer in answers]

    def some_lease(self, at: int, *statuses: LeaseStatus) -> Lease | None:
        """One of the leases there are, preferring those with one of the statuses."""
        leases = sorted(recorded(self.database).values(), key=lambda lease: lease.order)
        preferred = [lease for lease in leases if lease.status in statuses] or leases
        return preferred[at % len(preferred)] if preferred else None

    # Hypothesis leaves some rules out of each story; without asks there would be none.
    @initialize(wanted=st.lists(ASKED, min_size=6, max_size=20))
    def a_class_begins(self, wanted: list[tuple[int, str, bool, int | None]]) -> None:
        self.acquire(wanted)

    @rule(wanted=st.lists(ASKED, min_size=1, max_size=8))
    def acquire(self, wanted: list[tuple[int, str, bool, int | None]]) -> None:
        """Several at once, so that they are decided and written together."""
        asks: list[Ask] = []
        for person, profile, wait, patience_s in wanted:
            cohort = LIMITED if person % 3 == 0 else "free"
            key = f"key-{len(self.asks) + len(asks)}"
            asks.append(ask(f"p{person}", profile, key=key, cohort=cohort, wait=wait, patience_s=patience_s))
        self.asks += asks
        self.try_to(map(self.desk.acquire, asks), *REFUSALS)

    @precondition(lambda self: self.asks)
    @rule(at=INDEX)
    def replay(self, at: int) -> None:
        made = self.asks[at % len(self.asks)]
        before = [lease for lease in recorded(self.database).values() if lease.ask.key == made.key]
        (answer,) = self.try_to([self.desk.acquire(made)], *REFUSALS)
        if before and answer is not None:
            assert [answer] == before

    @precondition(lambda self: self.asks)
    @rule(at=INDEX, profile=st.sampled_from(PROFILES))
    def replay_with_another_body(self, at: int, profile: str) -> None:
        made = self.asks[at % len(self.asks)]
        known = any(lease.ask.key == made.key for lease in recorded(self.database).values())
        if known and profile != made.profile:
            other = ask(made.owner, profile, key=made.key, cohort=made.cohort, wait=made.wait)
            with pytest.raises((KeyReusedError, DatabaseUnavailableError)):
                self.run(self.desk.acquire(other))

    @rule(at=INDEX)
    def claim(self, at: int) -> None:
        lease = self.some_lease(at, LeaseStatus.OFFERED)
        if lease is not None:
            (answer,) = self.try_to([self.desk.claim(lease.id)], NotOfferedError, LeaseEndedError)
            assert answer is None or answer.status is LeaseStatus.HELD

    @rule(at=INDEX, off=st.sampled_from([0, 0, -1, 1]))
    def heartbeat(self, at: int, off: int) -> None:
        lease = self.some_lease(at, LeaseStatus.HELD)
        if lease is not None:
            beat = self.desk.heartbeat(lease.id, (lease.fence or 0) + off)
            (answer,) = self.try_to([beat], FenceError, LeaseEndedError)
            assert answer is None or (off == 0 and answer.status is LeaseStatus.HELD)

    @rule(at=st.lists(INDEX, min_size=1, max_size=4), reason=st.sampled_from([EndReason.RELEASED, EndReason.REVOKED]))
    def release(self, at: list[int], reason: EndReason) -> None:
        leases = [self.some_lease(one, LeaseStatus.HELD) for one in at]
        answers = self.try_to([self.desk.release(lease.id, reason) for lease in leases if lease is not None])
        assert all(answer is None or answer.status is LeaseStatus.ENDED for answer in answers)

    @rule(seconds=st.sampled_from([1, 20, CLAIM_S + 1]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(seconds=st.sampled_from([-3600, -5, 30]))
    def the_clock_is_set(self, seconds: int) -> None:
        self.clock.step_wall(seconds)

    @rule()
    def expire(self) -> None:
        try:
            self.run(self.desk.expire())
        except DatabaseUnavailableError:
            return
        now = self.desk.now()
        for lease in recorded(self.database).values():
            if lease.status is LeaseStatus.OFFERED:
                assert lease.claim_by is not None
                assert lease.claim_by >= now

    @rule()
    def the_service_is_killed(self) -> None:
        self.run(asyncio.sleep(0))
        self.desk.kill()
        self.database.fails = None
        before = recorded(self.database)
        self.desk = self.open_desk()
        # The devices are as declared again until somebody looks; those that are gone are found so at once.
        self.run(self.desk.look([without(OFFERS, *self.lost)]))
        after = recorded(self.database)
        assert [lease for lease in before.values() if not lease.is_live and after[lease.id] != lease] == []
        held = [lease for lease in before.values() if lease.status is LeaseStatus.HELD]
        assert all(after[lease.id] == lease for lease in held)

    @rule(fails=st.sampled_from(["before", "after"]))
    def the_next_commit_fails(self, fails: str) -> None:
        self.database.fails = fails

    @rule(device=st.sampled_from(DEVICES))
    def a_device_is_lost_or_back(self, device: str) -> None:
        self.lost ^= {device}
        try:
            self.run(self.desk.look([without(OFFERS, *self.lost)]))
        except DatabaseUnavailableError:
            self.run(self.desk.quotas())  # whatever is asked next finds the devices as they were last seen

    @rule(milli=st.sampled_from([0, 250, 1000, 2000, None]), learner_milli=st.sampled_from([250, 1000, None]))
    def set_quota(self, milli: int | None, learner_milli: int | None) -> None:
        try:
            self.run(self.desk.set_quota(Quota(LIMITED, GPU, milli, learner_milli)))
        except DatabaseUnavailableError:
            return

    @invariant()
    def what_must_hold_holds(self) -> None:
        # A failed commit leaves the memory to be read again by the next request, so there is one.
        if self.database.fails is None:
            quotas = Quotas(self.run(self.desk.quotas()))
            leases = recorded(self.database)
            offers = self.desk.offers
            check_no_overlap(leases.values(), offers)
            check_nobody_waits_in_vain(leases.values(), offers, quotas, BOUND)
            fleet = fleet_with(leases.values(), offers)
            for profile in offers.profiles:
                assert self.desk._allocator.book.count(profile.demand) == fleet.room(profile.demand)
            assert self.run(self.desk.list()) == sorted(
                (lease for lease in leases.values() if lease.is_live), key=lambda lease: lease.order
            )
            for lease in leases.values():
                if lease.ask.cohort != LIMITED and lease.status is LeaseStatus.WAITING and not self.lost:
                    assert times_overtaken(lease, leases.values()) <= BOUND

    def teardown(self) -> None:
        self.run(self.desk.__aexit__())
        self.runner.close()
        self.database.close()
        for each in self.patches:
            each.stop()


def test_leases_hold_whatever_happens(tmp_path: Path) -> None:
    template = tmp_path / "template.sqlite"
    database = FailingDatabase(sqlite_url(template))
    migrate(database)
    database.close()
    # In memory where there is such a place: it is leases that are tried here, not a disk.
    quick = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=quick if quick.is_dir() else tmp_path) as folder:

        class OnSqlite(LeaseStory):
            def new_database(self) -> FailingDatabase:
                path = Path(folder) / "practicum.sqlite"
                for old in Path(folder).iterdir():
                    old.unlink()
                shutil.copy(template, path)
                return FailingDatabase(sqlite_url(path))

        run_state_machine_as_test(OnSqlite, settings=_settings(examples=60, steps=40))


def test_leases_hold_on_postgresql_too(postgres: PostgresServer) -> None:
    database = FailingDatabase(postgres.new_database())
    migrate(database)
    url = database.engine.url.render_as_string(hide_password=False)
    database.close()

    class OnPostgres(LeaseStory):
        def new_database(self) -> FailingDatabase:
            made = FailingDatabase(url)
            with made.writing() as connection:
                connection.exec_driver_sql("TRUNCATE lease, quota")
                connection.exec_driver_sql("UPDATE allocator SET fence = 0, asked_order = 0, clock_at = NULL")
            return made

    run_state_machine_as_test(OnPostgres, settings=_settings(examples=8, steps=30))


async def _together(works: Iterable[Coroutine[Any, Any, Lease]]) -> list[Lease | BaseException]:
    return await asyncio.gather(*works, return_exceptions=True)


def _settings(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )

"""A desk on each kind of database."""

from collections.abc import AsyncIterator, Iterator

import pytest

from hub.clock import ManualClock
from hub.migrations import migrate
from tests.hub.leases.desks import FailingDatabase, KillableDesk, desk_on


@pytest.fixture
def database(url: str) -> Iterator[FailingDatabase]:
    """A migrated, empty database; each test that uses it runs on both kinds."""
    made = FailingDatabase(url)
    migrate(made)
    yield made
    made.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def desk(database: FailingDatabase, clock: ManualClock) -> AsyncIterator[KillableDesk]:
    """Shares of two H100 and of the CPUs of one node."""
    async with desk_on(database, clock) as made:
        yield made

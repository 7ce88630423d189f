"""A filled roster on each kind of database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.clock import ManualClock
from hub.cohorts.lessons import CourseShelf
from hub.cohorts.model import Role
from hub.cohorts.service import CohortService
from hub.cohorts.uids import UidRange
from hub.database import Database
from hub.migrations import migrate

PASSWORD = "correct horse staple"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A migrated, empty database; each test that uses it runs on both kinds."""
    made = Database(url)
    migrate(made)
    yield made
    made.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def service(database: Database, clock: ManualClock, tmp_path: Path) -> CohortService:
    """An empty service that gives three uids from 200000 on."""
    return CohortService(
        database, clock, CourseShelf(tmp_path / "courses"), default_language="en", uids=UidRange(200_000, 3)
    )


@pytest.fixture
def filled(service: CohortService) -> CohortService:
    """Two cohorts: `spring` (ada administers, ian instructs, lin learns) and `autumn` (bob administers, lea learns)."""
    service.roster.add_cohort("spring", "Spring", ["data-processing"])
    service.roster.add_cohort("autumn", "Autumn", ["data-labeling"])
    service.roster.add_person("ada", "Ada", "spring", Role.ADMINISTRATOR)
    service.roster.add_person("ian", "Ian", "spring", Role.INSTRUCTOR)
    service.roster.add_person("lin.na", "林娜", "spring", Role.LEARNER)
    service.roster.add_person("bob", "Bob", "autumn", Role.ADMINISTRATOR)
    service.roster.add_person("lea", "Léa", "autumn", Role.LEARNER)
    return service


def give_password(service: CohortService, name: str, password: str = PASSWORD) -> None:
    """Set the password as the person would: by a link."""
    service.invitations.redeem(service.invitations.issue(name).token, password)

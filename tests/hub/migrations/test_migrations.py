import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

import hub.migrations
from hub.clock import ManualClock
from hub.cohorts.lessons import CourseShelf
from hub.cohorts.model import Role
from hub.cohorts.service import CohortService, open_cohorts
from hub.cohorts.tables import metadata
from hub.database import Database, DatabaseUnavailableError
from hub.errors import StateError
from hub.leases import tables as lease_tables
from hub.leases.book import Stored
from hub.leases.store import Leases
from hub.migrations import HEAD, DatabaseTooNewError, _upgrade, migrate
from hub.settings import DatabaseSettings, Settings
from hub.state import StateDir
from tests.postgres import PostgresServer


def test_the_migrated_database_has_exactly_the_stores_tables(url: str) -> None:
    database = Database(url)
    migrate(database)
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, [metadata, lease_tables.metadata]) == []  # type: ignore[arg-type]
    database.close()


def test_head_is_the_newest_revision() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(hub.migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_migrating_again_changes_nothing_and_keeps_the_people(url: str, tmp_path: Path) -> None:
    database = Database(url)
    migrate(database)
    service = CohortService(database, _clock(), CourseShelf(tmp_path), default_language="en", uids=None)
    service.roster.add_cohort("spring", "Spring")
    service.roster.add_person("lin.na", "林娜", "spring", Role.LEARNER)
    migrate(database)
    assert service.roster.person("lin.na").display_name == "林娜"
    database.close()


def test_a_filled_database_of_the_first_revision_keeps_its_people_and_can_hold_leases(url: str, tmp_path: Path) -> None:
    database = Database(url)
    with database.migrating() as connection:
        _upgrade(connection, None, to="r0001")
    with database.writing() as connection:
        _fill_first_revision(connection)
    migrate(database)
    service = CohortService(database, _clock(), CourseShelf(tmp_path), default_language="en", uids=None)
    person = service.roster.person("lin.na")
    assert (person.organisation, person.home_cohort, person.roles) == ("", "spring", ("learner",))
    assert (
        service.roster.add_person("li", "Li", "spring", Role.LEARNER, organisation=" 青禾  数据 ").organisation
        == "青禾 数据"
    )
    with database.writing() as connection:
        assert Leases(connection).take_over() == 1
        assert Leases(connection).load(["cpu"]) == Stored(served={"cpu": []})
    database.close()


def test_processes_that_start_together_migrate_once(url: str) -> None:
    databases = [Database(url) for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(migrate, databases))
    with databases[0].reading() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [HEAD]
    for database in databases:
        database.close()


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(url: str) -> None:
    database = Database(url)
    migrate(database)
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'r9999'"))
    with pytest.raises(DatabaseTooNewError, match=r"newer Practicum \(revision r9999"):
        migrate(database)
    with database.reading() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "r9999"
    database.close()


def test_a_migration_that_fails_leaves_nothing_behind(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(url)
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE quota (x INTEGER)"))  # the last table of all is in the way
    with pytest.raises((DatabaseUnavailableError, ProgrammingError)):
        migrate(database)
    with database.writing() as connection:
        connection.execute(text("DROP TABLE quota"))
    migrate(database)
    database.close()


def test_times_come_back_in_utc_and_naive_ones_are_refused(url: str, tmp_path: Path) -> None:
    database = Database(url)
    migrate(database)
    service = CohortService(database, _clock(), CourseShelf(tmp_path), default_language="en", uids=None)
    person = service.roster.add_operator("olga", "Olga")
    assert person.created_at == _clock().now()
    assert person.created_at.tzinfo is UTC
    naive = _clock().now().replace(tzinfo=None)
    with pytest.raises(Exception, match="without a time zone"), database.writing() as connection:
        connection.execute(metadata.tables["cohort"].insert().values(slug="x", name="x", created_at=naive))
    database.close()


def test_a_wrong_or_foreign_database_url_is_refused_without_repeating_it() -> None:
    for url in ("no url at all: secret", "mysql://user:secret@host/db"):
        with pytest.raises(StateError) as refused:
            Database(url)
        assert "secret" not in str(refused.value)


def test_a_database_that_does_not_answer_is_one_sentence() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(DatabaseUnavailableError), database.reading():
        pass
    database.close()


def test_the_wheel_brings_its_migrations_catalogues_and_templates(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=root,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    program = (
        "from pathlib import Path; import hub; from hub.wiring import open_service; from hub.state import StateDir\n"
        "assert 'installed' in hub.__file__, hub.__file__\n"
        f"state = StateDir(Path({str(tmp_path / 'state')!r})); state.prepare()\n"
        "service = open_service(state); print(service.roster.is_empty()); service.close()\n"
        "from hub.web.i18n import load_translators; assert load_translators()['zh-CN'].gettext('Sign out') != 'Sign out'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(tmp_path / "installed")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_the_centre_opens_on_postgresql_by_url(postgres: PostgresServer, tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state")
    state.prepare()
    settings = Settings(database=DatabaseSettings(practicum_url=postgres.new_database()))
    service = open_cohorts(state, settings)
    assert service.roster.is_empty()
    service.close()
    assert not list(state.databases.iterdir())


def _fill_first_revision(connection: Connection) -> None:
    """One learner in one cohort, with the columns there were then."""
    moment = "2026-09-01 08:00:00"
    for statement in (
        f"INSERT INTO cohort (id, slug, name, created_at) VALUES (1, 'spring', 'Spring', '{moment}')",
        "INSERT INTO person (id, name, display_name, active, operator, credentials_version, created_at) "
        f"VALUES (1, 'lin.na', '林娜', TRUE, FALSE, 1, '{moment}')",
        "INSERT INTO membership (person_id, cohort_id, role) VALUES (1, 1, 'learner')",
        f"INSERT INTO uid_grant (uid, person_id, person_name, granted_at) VALUES (200000, 1, 'lin.na', '{moment}')",
    ):
        connection.execute(text(statement))
    if connection.dialect.name == "postgresql":  # ids given by hand leave the sequence behind
        connection.execute(text("SELECT setval('person_id_seq', 1)"))


def _clock() -> ManualClock:
    return ManualClock()

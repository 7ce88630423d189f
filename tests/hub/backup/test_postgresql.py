"""A database outside the state directory is in the backup too, and comes back into an empty one only."""

import os
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from hub.backup import postgresql
from hub.backup.errors import BackupDamagedError, DatabaseToolError, StateNotEmptyError
from hub.backup.restore import restore_backup
from hub.backup.write import write_backup
from hub.clock import ManualClock
from hub.state import StateDir
from tests.postgres import PostgresServer


def run(url: str, *statements: str) -> list[tuple[object, ...]]:
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            for statement in statements[:-1]:
                connection.execute(text(statement))
            result = connection.execute(text(statements[-1]))
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


def centre(root: Path, url: str) -> StateDir:
    state = StateDir(root)
    state.prepare()
    state.settings_file.write_text(f"database:\n  practicum_url: {url}\n")
    return state


def test_what_is_in_postgresql_comes_back_into_another_database(postgres: PostgresServer, tmp_path: Path) -> None:
    before, after = postgres.new_databases(2)
    run(before, "create table person (name text)", "insert into person values ('lin.na'), ('王伟')")
    write_backup(centre(tmp_path / "old", before), tmp_path / "b.tar.gz", ManualClock())
    restore_backup(tmp_path / "b.tar.gz", centre(tmp_path / "new", after))
    assert run(after, "select name from person order by name") == [("lin.na",), ("王伟",)]
    assert not (tmp_path / "new" / "postgresql").exists()


def test_a_database_with_anything_in_it_is_not_touched(postgres: PostgresServer, tmp_path: Path) -> None:
    url = postgres.new_database()
    run(url, "create table person (name text)", "insert into person values ('a')")
    write_backup(centre(tmp_path / "old", url), tmp_path / "b.tar.gz", ManualClock())
    run(url, "insert into person values ('later')")
    again = centre(tmp_path / "new", url)
    with pytest.raises(StateNotEmptyError, match="1 tables"):
        restore_backup(tmp_path / "b.tar.gz", again)
    assert run(url, "select count(*) from person") == [(2,)]
    assert not any(again.databases.iterdir())


def test_settings_that_put_a_database_elsewhere_than_the_backup_are_refused(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    url = postgres.new_database()
    write_backup(centre(tmp_path / "old", url), tmp_path / "b.tar.gz", ManualClock())
    plain = StateDir(tmp_path / "new")
    plain.prepare()
    plain.settings_file.write_text("port: 8000\n")
    with pytest.raises(BackupDamagedError, match=r"settings\.yaml names another place for database\.practicum_url"):
        restore_backup(tmp_path / "b.tar.gz", plain)
    assert not plain.secrets_file.exists()


def test_without_the_tools_or_the_server_it_says_what_is_needed(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = make_url(postgres.new_database()).set(database="never_made").render_as_string(hide_password=False)
    with pytest.raises(DatabaseToolError, match="never_made"):
        write_backup(centre(tmp_path / "a", gone), tmp_path / "b.tar.gz", ManualClock())
    with pytest.raises(DatabaseToolError, match="only PostgreSQL"):
        write_backup(centre(tmp_path / "c", "mysql://x/y"), tmp_path / "b.tar.gz", ManualClock())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DatabaseToolError, match="pg_dump is not installed"):
        write_backup(centre(tmp_path / "d", gone), tmp_path / "b.tar.gz", ManualClock())
    assert not (tmp_path / "b.tar.gz").exists()


def test_the_password_is_handed_over_by_environment() -> None:
    variables = postgresql._variables("postgresql+psycopg://u:se%2Fcret@db.example:5433/hub?sslmode=require")
    assert variables["PGPASSWORD"] == "se/cret"
    assert variables["PGHOST"] == "db.example"
    assert variables["PGPORT"] == "5433"
    assert variables["PGSSLMODE"] == "require"
    assert set(variables) <= {"PATH", "PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE"}
    assert variables["PATH"] == os.environ["PATH"]

"""Databases outside the state directory, copied with PostgreSQL's own tools."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from hub.backup.errors import DatabaseToolError, StateNotEmptyError
from hub.settings import DatabaseSettings

FOLDER = "postgresql"
"""In the backup: one archive of `pg_dump` per setting."""


def external_databases(settings: DatabaseSettings) -> Iterator[tuple[str, str]]:
    """Setting and URL of every database that is not a file under the state directory."""
    for name in DatabaseSettings.model_fields:
        url = getattr(settings, name)
        if name.endswith("_url") and url:
            yield f"database.{name}", url


def dump(setting: str, url: str, target: Path) -> None:
    """Write a consistent copy of that database to `target`; raises `DatabaseToolError`."""
    _run(setting, url, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")


def require_empty(setting: str, url: str) -> None:
    """Raise `StateNotEmptyError` where that database has tables already."""
    try:
        engine = create_engine(url)
        try:
            tables = inspect(engine).get_table_names()
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError) as exc:
        raise DatabaseToolError(setting=setting, cause=str(exc).partition("\n")[0]) from exc
    if tables:
        raise StateNotEmptyError(path=f"The database of {setting}", found=f"{len(tables)} tables")


def load(setting: str, url: str, source: Path) -> None:
    """Put a copy back, all of it or nothing; raises `DatabaseToolError`."""
    database = make_url(url).database or ""
    _run(
        setting,
        url,
        "pg_restore",
        "--no-owner",
        "--no-privileges",
        "--single-transaction",
        f"--dbname={database}",
        str(source),
    )


def _run(setting: str, url: str, program: str, *arguments: str) -> None:
    found = shutil.which(program)
    if not make_url(url).drivername.startswith("postgresql"):
        raise DatabaseToolError(setting=setting, cause="only PostgreSQL is known here; copy it by its own means")
    if found is None:
        raise DatabaseToolError(setting=setting, cause=f"{program} is not installed")
    run = subprocess.run([found, *arguments], env=_variables(url), capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise DatabaseToolError(setting=setting, cause=run.stderr.strip().partition("\n")[0] or f"{program} failed")


def _variables(url: str) -> dict[str, str]:
    # By environment, because a password in an argument is for everybody on the machine to read.
    parts = make_url(url)
    query = {name: str(value) for name, value in parts.query.items()}
    wanted = {
        "PGHOST": query.get("host") or parts.host,
        "PGPORT": query.get("port") or parts.port,
        "PGUSER": parts.username,
        "PGPASSWORD": parts.password,
        "PGDATABASE": parts.database,
        "PGSSLMODE": query.get("sslmode"),
    }
    return {"PATH": os.environ.get("PATH", os.defpath), **{name: str(value) for name, value in wanted.items() if value}}

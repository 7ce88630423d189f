"""Brings a database of any earlier version to this one: forward only, under a lock, all or nothing.

A new revision is a module in `versions/` named `rNNNN_what.py`, and `HEAD` is moved to it; a test compares the two.
Revisions write their tables out in full and never import the stores' tables, which go on changing.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from hub.database import Database
from hub.errors import StateError

HEAD = "r0002"
"""The newest revision, written here so that an up-to-date start needs no Alembic (0.2 s and 12 MiB)."""

_LOCK_KEY = 0x70726163
"""Any number, the same for every process that migrates this database."""


class DatabaseTooNewError(StateError):
    """A newer Practicum has migrated this database; writing to it could lose what that version added."""

    code = "database-too-new"
    sentence = (
        "The database was written by a newer Practicum (revision %(found)s, known here: %(known)s). Upgrade first."
    )


def migrate(database: Database) -> None:
    """The database is at `HEAD` afterwards. Processes that start together wait for one another.

    Raises `DatabaseTooNewError` for a database of a newer version, which is left as it is.
    """
    with database.migrating() as connection:
        if connection.dialect.name == "postgresql":
            # On SQLite the write transaction itself is the lock.
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        found = _revision(connection)
        if found != HEAD:
            _upgrade(connection, found)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _upgrade(connection: Connection, found: str | None, to: str = HEAD) -> None:
    from alembic.config import Config  # noqa: PLC0415 - see HEAD
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415 - see HEAD
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see HEAD

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    if found is not None and found not in {script.revision for script in scripts.walk_revisions()}:
        raise DatabaseTooNewError(found=found, known=HEAD)

    def steps(revision: Any, _context: Any) -> Any:
        return scripts._upgrade_revs(to, revision)  # noqa: SLF001 - what alembic.command.upgrade calls; env.py-less

    with EnvironmentContext(config, scripts, fn=steps) as environment:
        environment.configure(connection=connection, transactional_ddl=False, transaction_per_migration=False)
        # Our own transaction is already open: Alembic must neither begin nor commit one.
        environment.run_migrations()

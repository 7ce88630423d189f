"""The `practicum` and `grader` services' databases: connections and transactions on SQLite or PostgreSQL, times in UTC.

SQL itself lives in the stores; a service opens one transaction here, hands it to its stores and thereby owns it.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, DateTime, Dialect, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError
from sqlalchemy.types import TypeDecorator

from hub.errors import HubError, StateError

BUSY_TIMEOUT_MS = 10_000
"""How long a SQLite writer waits for another before it gives up; transactions here last milliseconds."""
CONNECT_TIMEOUT_S = 5


class DatabaseUnavailableError(HubError):
    """The database does not answer, or another writer held it for too long."""

    code = "database-unavailable"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    sentence = "The centre's database does not answer. Nothing is lost; try again in a minute."


class DiskFullError(HubError):
    """Nothing can be written any more."""

    code = "disk-full"
    status = HTTPStatus.INSUFFICIENT_STORAGE
    sentence = "The centre's disk is full, so nothing could be saved. Tell your administrator."


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes on both databases; a naive one is refused, because its zone would be a guess."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a time zone")
        moment = value.astimezone(UTC)
        # SQLite has no type for zones: it keeps the naive UTC time as text, which also sorts.
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """Transactions on one database. Safe to share between threads.

    `reading()` and `writing()` commit at the end of the block and roll back on any exception. Failures of the
    database itself come out as `DatabaseUnavailableError` or `DiskFullError`.
    """

    def __init__(self, url: str) -> None:
        self._engine = _make_engine(url)

    @property
    def engine(self) -> Engine:
        return self._engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with _plain_failures(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write. On SQLite it is the only writer from its first statement on.

        SQLite's default is to lock at the first write: of two transactions that have both read by then, one fails
        at once, whatever the busy timeout. Taking the lock at the beginning makes the second one wait instead.
        """
        with (
            _plain_failures(),
            self._engine.connect() as connection,
            connection.execution_options(practicum_writes=True).begin(),
        ):
            yield connection

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """A writing transaction in which tables may be rebuilt: foreign keys are checked once, at its end.

        SQLite changes a table by copying and dropping it, and the drop would cascade into every table that refers to
        it; the switch for that works only outside a transaction.
        """
        is_sqlite = self._engine.dialect.name == "sqlite"
        with _plain_failures(), self._engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            if is_sqlite:
                driver.execute("PRAGMA foreign_keys=OFF")
            try:
                with connection.execution_options(practicum_writes=True).begin():
                    yield connection
                    if is_sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()):
                        raise RuntimeError(f"the migration left dangling references: {broken[:5]}")
            finally:
                if is_sqlite:
                    driver.execute("PRAGMA foreign_keys=ON")

    def close(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()


def sqlite_url(path: Path) -> str:
    """The SQLAlchemy URL of a SQLite file."""
    return f"sqlite:///{path}"


def _make_engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        # The URL may hold a password, so the sentence does not repeat it.
        raise StateError(
            "Under `database:` in settings.yaml stands no database URL such as postgresql+psycopg://host/name."
        ) from exc
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.get_backend_name() == "postgresql":
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "options": "-c timezone=UTC -c lock_timeout=10s"},
        )
    raise StateError(
        "Under `database:` in settings.yaml: %(kind)s is not supported; use SQLite or PostgreSQL.",
        kind=parsed.get_backend_name(),
    )


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # None hands BEGIN over to us (`_begin_sqlite`): the driver's own comes too late and not before DDL.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    _change_to_wal(cursor)
    for pragma in (
        "synchronous=FULL",  # in WAL mode NORMAL may lose the last commits at a power cut
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _change_to_wal(cursor: Any) -> None:
    """Have a write-ahead log, which a file keeps for ever. SQLite takes the lock for the change without waiting for whoever else is
    changing the same new file, so that the waiting is ours."""
    deadline_s = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    is_changed = False
    while not is_changed:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            is_changed = True
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline_s:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("practicum_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _plain_failures() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as exc:
        if "disk is full" in str(exc.orig) or "No space left" in str(exc.orig):
            raise DiskFullError from exc
        raise DatabaseUnavailableError from exc

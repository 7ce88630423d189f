"""A real PostgreSQL for tests: Debian's, in a temporary directory, on a unix socket only."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from hub.database import sqlite_url

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


class PostgresServer:
    """One running server; `new_database()` gives the URL of an empty database."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: list[str] = []
        self._made = 0

    def new_database(self) -> str:
        """The URL of a database nobody has used. The ones given before are dropped: each takes 7 MB of disk."""
        return self.new_databases(1)[0]

    def new_databases(self, count: int) -> list[str]:
        """The URLs of databases nobody has used; the ones given before are dropped."""
        old, self._names = self._names, [f"practicum_{self._made + each}" for each in range(count)]
        self._made += count
        engine = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for name in old:
                connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            for name in self._names:
                connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return [self._url(name) for name in self._names]

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self._folder}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server for the whole test run; skips where Debian's package `postgresql` is not installed."""
    if not _BINARIES:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    binaries = _BINARIES[-1].parent
    # Short, because the socket's whole path must fit into 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="practicum-pg-", dir="/tmp"))
    user = None
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = "postgres"
        shutil.chown(folder, user)
    data = folder / "data"

    def run(*command: str) -> None:
        done = subprocess.run(command, user=user, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr or done.stdout

    # Files instead of pipes for the server's output: pg_ctl's child would keep a pipe open for ever.
    control = (str(binaries / "pg_ctl"), "-D", str(data), "-l", str(folder / "log"), "-w")
    run(str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
    run(*control, "-o", f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off", "start")
    try:
        yield PostgresServer(folder)
    finally:
        run(*control, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, once for each kind."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "database.sqlite")
    made: str = request.getfixturevalue("postgres").new_database()
    return made

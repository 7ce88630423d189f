"""A real PostgreSQL for tests: Debian's, in a temporary directory, on a unix socket only."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


class PostgresServer:
    """One running server; `new_database()` gives the URL of an empty database."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def new_database(self) -> str:
        """The URL of a database nobody has used. The one given before is dropped: each takes 7 MB of disk."""
        last, self._count = self._name, self._count + 1
        engine = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {last} WITH (FORCE)"))
            connection.execute(text(f"CREATE DATABASE {self._name}"))
        engine.dispose()
        return self._url(self._name)

    @property
    def _name(self) -> str:
        return f"practicum_{self._count}"

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

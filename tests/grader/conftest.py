"""Fixtures of the grader's tests: real databases, real nbgrader, real sandboxes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.migrations import migrate
from hub.database import Database, sqlite_url
from tests.postgres import postgres, url

__all__ = ["postgres", "url"]


@pytest.fixture
def both(url: str) -> Iterator[Database]:
    """The grader's database on SQLite and on PostgreSQL."""
    database = Database(url)
    migrate(database)
    yield database
    database.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """The grader's database on SQLite."""
    made = Database(sqlite_url(tmp_path / "grader.sqlite"))
    migrate(made)
    yield made
    made.close()

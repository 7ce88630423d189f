"""The lease benchmark in small: the real service, all three loads, and what it refuses to report."""

import argparse
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bench import leases
from bench.run import names
from hub.state import StateDir

SMALL = argparse.Namespace(seconds=2.0, connections=4, rate=10.0, devices=16)


def test_it_is_on_the_command_line() -> None:
    assert "leases" in names()
    assert "lease_load" not in names()


def test_pairs_and_latencies_are_measured_and_the_database_agrees() -> None:
    rate, latency = leases.run(SMALL)
    assert len(rate.ours.values) == 2
    assert all(pairs > 0 for pairs in rate.ours.values)
    assert len(latency.ours.values) == len(latency.peer.values) == leases.ROUNDS
    assert (rate.least, latency.most) == (leases.LEAST_PAIRS_PER_S, leases.MOST_P99_MS)
    assert "quoted, not measured" in rate.peer.name
    assert all(value > 0 for value in (*latency.ours.values, *latency.peer.values))
    assert any("none live" in note for note in rate.notes)


@pytest.mark.parametrize(
    "spoil", ["UPDATE lease SET status = 'held' WHERE id = 1", "UPDATE lease SET fence = 1", "DELETE FROM lease"]
)
def test_a_database_that_disagrees_is_no_result(tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "practicum.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE lease (id INTEGER, status TEXT, fence INTEGER, held_at TEXT)")
        database.executemany("INSERT INTO lease VALUES (?, 'ended', ?, 'now')", [(1, 1), (2, 2)])
    assert "2 leases" in leases.checked(path, pairs=2)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(spoil)
    with pytest.raises(leases.LoadFailedError):
        leases.checked(path, pairs=2)


def test_a_wrong_answer_ends_the_run(tmp_path: Path) -> None:
    with leases.running_service(StateDir(tmp_path / "state"), devices=1) as service:
        # A ninth eighth has to wait, which in a closed loop of nine connections is not what was asked for.
        nine = argparse.Namespace(connections=9, rate=0.0)
        with pytest.raises(leases.LoadFailedError, match="waiting"):
            leases.loaded(service, nine, "closed", seconds=5.0)

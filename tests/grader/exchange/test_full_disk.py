"""A disk that fills while somebody hands in: a sentence, nothing half-accepted, and on it goes when there is room."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from grader.exchange.errors import StorageFullError, UploadIncompleteError
from grader.migrations import migrate
from grader.store.submissions import Submissions
from hub.database import Database, DiskFullError, sqlite_url
from tests.grader.exchange.conftest import LIN, NOTEBOOKS, bundle_of, desk_at
from tests.grader.exchange.test_intake import begin, send


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], check=False, capture_output=True
        ).returncode
    )
    if not mounted:
        pytest.skip("needs to mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_said_and_nothing_is_half_accepted(database: Database, small_disk: Path) -> None:
    desk = desk_at(database, small_disk / "submissions")
    kept = desk.submit(bundle_of("fits"))
    big = bundle_of("big" * 200_000)
    upload_id = begin(desk, big)
    with pytest.raises(StorageFullError):
        send(desk, upload_id, big)
    arrived = desk.intake.progress(upload_id, LIN).offset
    assert 0 < arrived < len(big)
    with pytest.raises(UploadIncompleteError):
        desk.intake.finish(upload_id, LIN, NOTEBOOKS)
    assert desk.objects.path(kept.sha256).read_bytes() == bundle_of("fits")
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    desk.intake.append(upload_id, LIN, arrived, big[arrived:])
    assert desk.intake.finish(upload_id, LIN, NOTEBOOKS).attempt == 2


def fill(folder: Path) -> Path:
    """A file that takes what room is left."""
    path = folder / "filling"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return path


def test_a_disk_that_fills_before_the_row_leaves_nothing_half_accepted(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    with closing(Database(sqlite_url(small_disk / "grader.sqlite"))) as database:
        migrate(database)
        desk = desk_at(database, small_disk / "submissions")
        kept, data = desk.submit(bundle_of("fits")), bundle_of("next" * 20_000)
        upload_id = begin(desk, data)
        send(desk, upload_id, data)
        filling = fill(small_disk)
        for attempt in (lambda: desk.intake.finish(upload_id, LIN, NOTEBOOKS), lambda: begin(desk, bundle_of("third"))):
            with pytest.raises((StorageFullError, DiskFullError)):
                attempt()
        with database.reading() as connection:
            assert [each.receipt for each in Submissions(connection).all_of(LIN)] == [kept]
        assert desk.objects.path(kept.sha256).read_bytes() == bundle_of("fits")
        filling.unlink()
        receipt = desk.intake.finish(upload_id, LIN, NOTEBOOKS)
        assert receipt.attempt == 2
        assert desk.objects.path(receipt.sha256).read_bytes() == data
        assert desk.reconciler.run(deep=True).findings == ()

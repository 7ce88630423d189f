"""Logs stay bounded while their writers, which nobody can ask to reopen them, go on."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hub.supervisor import logs


def test_a_small_log_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    assert not logs.rotate(log)
    log.write_text("line\n")
    assert not logs.rotate(log, largest_bytes=5)
    assert [each.name for each in tmp_path.iterdir()] == ["x.log"]


def test_copies_move_up_and_the_oldest_goes(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    for round_ in range(5):
        log.write_text(f"round {round_}\n" * 3)
        assert logs.rotate(log, largest_bytes=10, kept=3)
    assert log.read_text() == ""
    assert [(tmp_path / f"x.log.{n}").read_text()[:7] for n in (1, 2, 3)] == ["round 4", "round 3", "round 2"]
    assert not (tmp_path / "x.log.4").exists()


def test_a_writer_that_is_not_our_child_goes_on_at_the_new_end(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    descriptor = logs.open_log(path)
    writer = subprocess.Popen(
        [sys.executable, "-uc", "import time\nfor n in range(2000):\n print(n); n % 50 or time.sleep(0.01)"],
        stdout=descriptor,
    )
    os.close(descriptor)
    while writer.poll() is None:
        logs.rotate(path, largest_bytes=2000, kept=50)
        time.sleep(0.01)
    copies = sorted(tmp_path.glob("x.log.*"), key=lambda copy: -int(copy.suffix[1:]))
    assert len(copies) > 2
    lines = "".join(each.read_text() for each in [*copies, path]).split()
    # In order, none twice, no hole of NUL bytes; a few may be lost between copy and cut.
    numbers = [int(line) for line in lines]
    assert numbers == sorted(set(numbers))
    assert len(numbers) > 1900
    assert numbers[-1] == 1999


def test_logs_and_their_copies_are_private(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    os.close(logs.open_log(path))
    path.write_text("long enough\n")
    logs.rotate(path, largest_bytes=1)
    assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o600}


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system, which needs root")
def test_a_full_disk_loses_the_copy_and_gets_its_room_back(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", tmp_path], check=True)
    try:
        path = tmp_path / "x.log"
        with path.open("wb") as log:
            log.write(b"x" * 200_000)
        assert logs.rotate(path, largest_bytes=1000)
        assert path.stat().st_size == 0
        assert [each.name for each in tmp_path.iterdir()] == ["x.log"]
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_last_lines_of_a_log_and_of_none(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    assert logs.last_lines(log) == []
    log.write_text("a\n" * 20_000 + "b\n\nc\n")
    assert logs.last_lines(log, 2) == ["b", "c"]

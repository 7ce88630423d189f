"""The file a server is told its share by: whole at every moment, readable for the learner, and what the kit reads."""

import os
import threading
from pathlib import Path

from courses.kit.share.notice import ShareNotice, read_notice
from hub.spawn.share_file import NAME, share_folder, write_share
from hub.state import StateDir


def state_in(path: Path) -> StateDir:
    state = StateDir(path / "state")
    state.prepare()
    return state


def test_the_kit_reads_what_the_spawner_wrote(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    folder = write_share(state, "lin.na", lease="l1", profile="cpu.half")
    assert folder == share_folder(state, "lin.na")
    assert read_notice(folder / NAME) == ShareNotice("l1", "cpu.half")
    write_share(state, "lin.na", lease=None, profile=None, notice={"en": "Ended.", "zh-CN": "已结束。"})
    assert read_notice(folder / NAME) == ShareNotice(sentences={"en": "Ended.", "zh-CN": "已结束。"})


def test_it_can_be_read_and_not_written_by_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        folder = write_share(state_in(tmp_path), "lin.na", lease="l1", profile="cpu.half")
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o755
    assert (folder / NAME).stat().st_mode & 0o777 == 0o644


def test_a_reader_never_sees_a_part(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    file = write_share(state, "lin.na", lease="l0", profile="p") / NAME
    stop = threading.Event()

    def write() -> None:
        count = 0
        while not stop.is_set():
            count += 1
            write_share(state, "lin.na", lease=f"l{count}", profile="p" * (count % 3000), notice={"en": "x" * 2000})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert all(read_notice(file) is not None for _ in range(2000))
    finally:
        stop.set()
        writer.join()

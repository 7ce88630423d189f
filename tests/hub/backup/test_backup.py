"""A backup gives everything back, can be trusted, and cannot be used by a learner against the centre."""

import contextlib
import gzip
import io
import json
import os
import sqlite3
import stat
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.backup.clear import clear_state
from hub.backup.errors import BackupDamagedError, BackupWriteError, StateNotEmptyError
from hub.backup.manifest import MANIFEST
from hub.backup.restore import restore_backup
from hub.backup.write import write_backup
from hub.clock import ManualClock
from hub.errors import StateError
from hub.state import StateDir

ROOT = os.geteuid() == 0
CLOCK = ManualClock()


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    """A centre with a database, secrets, a lesson, and a home that tries everything."""
    made = StateDir(tmp_path / "state")
    made.prepare()
    made.settings_file.write_text("port: 8123\n")
    made.secrets_file.write_text('{"cookie_secret": "s"}')
    made.secrets_file.chmod(0o600)
    with sqlite3.connect(made.databases / "practicum.sqlite") as database:
        database.execute("pragma journal_mode = wal")
        database.execute("create table person (name text)")
        database.execute("insert into person values ('lin.na')")
    database.close()
    (made.courses / "c").mkdir()
    (made.courses / "c" / "lesson.ipynb").write_text("{}")
    (made.logs / "jupyterhub.log").write_text("lost without harm")
    home = made.homes / "lin.na"
    home.mkdir(mode=0o700)
    (home / "work.txt").write_text("hours of it")
    (home / "数据 \udcff.csv").write_bytes(b"\x00\x01")
    (home / "empty").mkdir(mode=0o500)
    (home / "passwd").symlink_to("/etc/passwd")
    (home / "up").symlink_to("../..")
    os.mkfifo(home / "pipe")
    if ROOT:
        for path in (home, *home.iterdir()):
            os.chown(path, 200_017, 200_018, follow_symlinks=False)
    return made


def names_in(backup: Path) -> set[str]:
    with tarfile.open(backup) as tar:
        return set(tar.getnames())


def facts(root: Path) -> dict[str, tuple[object, ...]]:
    """Everything about a tree that must come back, by path."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content: object = None
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_file():
            content = path.read_bytes()
        owner = (status.st_uid, status.st_gid) if ROOT else ()
        found[str(path.relative_to(root))] = (stat.filemode(status.st_mode), *owner, int(status.st_mtime), content)
    return found


def test_everything_comes_back_with_owners_modes_times_and_links(state: StateDir, tmp_path: Path) -> None:
    backup = tmp_path / "b.tar.gz"
    written = write_backup(state, backup, CLOCK)
    assert written.left_out == {"homes/lin.na/pipe": "neither file, directory nor link"}
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    again = StateDir(tmp_path / "again")
    again.prepare()
    restore_backup(backup, again)
    (state.homes / "lin.na" / "pipe").unlink()
    expected = facts(state.homes)
    expected["lin.na"] = facts(again.homes)["lin.na"][:-2] + expected["lin.na"][-2:]  # its time moved with the pipe
    restored = facts(again.homes)
    restored["lin.na"] = expected["lin.na"]
    assert restored == expected
    assert again.settings_file.read_text() == "port: 8123\n"
    assert facts(again.courses) == facts(state.courses)
    assert stat.S_IMODE(again.secrets_file.stat().st_mode) == 0o600
    with sqlite3.connect(again.databases / "practicum.sqlite") as database:
        assert database.execute("select name from person").fetchall() == [("lin.na",)]
    database.close()
    assert not (again.root / ".restoring").exists()


def test_what_can_be_lost_is_not_in_it_and_nothing_is_followed(state: StateDir, tmp_path: Path) -> None:
    backup = tmp_path / "b.tar.gz"
    write_backup(state, backup, CLOCK)
    names = names_in(backup)
    assert not {name for name in names if name.partition("/")[0] in {"run", "logs", "servers", "lock"}}
    with tarfile.open(backup) as tar:
        assert tar.getmember("homes/lin.na/passwd").issym()
        assert tar.getmembers()[-1].name == MANIFEST


def test_records_are_copied_before_the_bytes_they_speak_of(state: StateDir, tmp_path: Path) -> None:
    """1. The row says which bytes there are; 2. they are copied. The other way round, a hand-in between the two is lost."""
    (state.submissions / "objects").mkdir()
    (state.submissions / "objects" / "a").write_bytes(b"a")
    (state.courses / "birds").mkdir()
    for path in (state.courses / "birds" / "gradebook.db", state.databases / "grader.sqlite"):
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE mark (points REAL)")
    write_backup(state, tmp_path / "backup.tar.gz", ManualClock())
    with tarfile.open(tmp_path / "backup.tar.gz") as tar:
        names = tar.getnames()
    assert names.index("db/grader.sqlite") < names.index("courses/birds/gradebook.db")
    assert names.index("db/grader.sqlite") < names.index("submissions/objects/a")
    assert len(names) == len(set(names))


def test_a_database_that_is_written_meanwhile_is_whole(state: StateDir, tmp_path: Path) -> None:
    path = state.databases / "practicum.sqlite"
    stop = threading.Event()

    def write() -> None:
        database = sqlite3.connect(path, timeout=30)
        number = 0
        while not stop.is_set():
            number += 1
            # Two rows a time: a snapshot in the middle would have an odd count.
            with database:
                database.executemany("insert into person values (?)", [(f"a{number}",), (f"b{number}",)])
        database.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(5):
            backup = tmp_path / f"b{number}.tar.gz"
            write_backup(state, backup, CLOCK)
            again = StateDir(tmp_path / f"again{number}")
            again.prepare()
            restore_backup(backup, again)
            database = sqlite3.connect(again.databases / "practicum.sqlite")
            assert database.execute("pragma integrity_check").fetchone() == ("ok",)
            assert database.execute("select count(*) from person").fetchone()[0] % 2 == 1
            database.close()
            assert {each.name for each in again.databases.iterdir()} == {"practicum.sqlite"}
    finally:
        stop.set()
        thread.join()


def test_a_home_that_changes_under_the_backup_leads_nowhere_else(state: StateDir, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key.txt").write_text("KEY MATERIAL")
    home = state.homes / "lin.na"
    swapper = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os, sys\n"
            "home, secret = sys.argv[1:]\n"
            "for n in range(10**9):\n"
            "    d = home + '/d'\n"
            "    os.mkdir(d); open(d + '/key.txt', 'w').write('mine'); os.remove(d + '/key.txt'); os.rmdir(d)\n"
            "    os.symlink(secret, d); os.remove(d)\n"
            "    f = home + '/f'\n"
            "    open(f, 'w').write('x'); os.remove(f); os.symlink(secret + '/key.txt', f); os.remove(f)\n",
            str(home),
            str(secret),
        ]
    )
    try:
        for number in range(30):
            backup = tmp_path / f"b{number}.tar.gz"
            write_backup(state, backup, CLOCK)
            assert b"KEY MATERIAL" not in gzip.decompress(backup.read_bytes())
            backup.unlink()
    finally:
        swapper.kill()
        swapper.wait()


def test_files_that_hold_nothing_but_size_are_left_out_with_the_reason(state: StateDir, tmp_path: Path) -> None:
    with (state.homes / "lin.na" / "huge").open("wb") as huge:
        huge.truncate(2**42)
    written = write_backup(state, tmp_path / "b.tar.gz", CLOCK)
    assert "sparse" in written.left_out["homes/lin.na/huge"]


def test_directories_without_end_are_left_out_with_the_reason(state: StateDir, tmp_path: Path) -> None:
    deep = os.open(state.homes / "lin.na", os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=deep)
        below = os.open("d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(deep)
    written = write_backup(state, tmp_path / "b.tar.gz", CLOCK)
    assert "nested too deeply" in written.left_out.values()


def test_neither_overwrites_nor_copies_itself(state: StateDir, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("precious")
    with pytest.raises(BackupWriteError, match="exists already"):
        write_backup(state, tmp_path / "there", CLOCK)
    with pytest.raises(BackupWriteError, match="inside the state directory"):
        write_backup(state, state.root / "b.tar.gz", CLOCK)
    with pytest.raises(BackupWriteError, match="No such file"):
        write_backup(state, tmp_path / "missing" / "b.tar.gz", CLOCK)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if not ROOT:
        pytest.skip("mounts a small file system, which needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_a_sentence_and_leaves_no_file(state: StateDir, small_disk: Path) -> None:
    (state.homes / "lin.na" / "noise").write_bytes(os.urandom(2**20))
    with pytest.raises(BackupWriteError, match="the disk is full"):
        write_backup(state, small_disk / "b.tar.gz", CLOCK)
    assert list(small_disk.iterdir()) == []


def test_a_full_disk_while_restoring_leaves_an_empty_state(state: StateDir, tmp_path: Path, small_disk: Path) -> None:
    (state.homes / "lin.na" / "noise").write_bytes(os.urandom(2**20))
    write_backup(state, tmp_path / "b.tar.gz", CLOCK)
    again = StateDir(small_disk / "again")
    again.prepare()
    with pytest.raises(StateError, match="No space left"):
        restore_backup(tmp_path / "b.tar.gz", again)
    assert not any(again.homes.iterdir())
    assert not (again.root / ".restoring").exists()


def test_only_an_empty_state_is_restored_into(state: StateDir, tmp_path: Path) -> None:
    write_backup(state, tmp_path / "b.tar.gz", CLOCK)
    before = facts(state.root)
    with pytest.raises(StateNotEmptyError):
        restore_backup(tmp_path / "b.tar.gz", state)
    assert facts(state.root) == before


def test_settings_that_are_there_stay(state: StateDir, tmp_path: Path) -> None:
    write_backup(state, tmp_path / "b.tar.gz", CLOCK)
    again = StateDir(tmp_path / "again")
    again.prepare()
    again.settings_file.write_text("port: 9\n")
    restore_backup(tmp_path / "b.tar.gz", again)
    assert again.settings_file.read_text() == "port: 9\n"
    assert (again.root / "settings.yaml.restored").read_text() == "port: 8123\n"


def test_after_clearing_a_backup_fits_again(state: StateDir, tmp_path: Path) -> None:
    write_backup(state, tmp_path / "b.tar.gz", CLOCK)
    clear_state(state)
    assert [each.name for each in state.root.iterdir()] == ["settings.yaml"]
    state.prepare()
    restore_backup(tmp_path / "b.tar.gz", state)
    assert (state.homes / "lin.na" / "work.txt").read_text() == "hours of it"


def repacked(source: Path, target: Path, change: object) -> Path:
    """The backup with its list of (member, content) changed."""
    members = []
    with tarfile.open(source) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isreg() else None
            members.append((member, file.read() if file else b""))
    change(members)  # type: ignore[operator]
    with tarfile.open(target, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return target


def add(name: str, kind: bytes = tarfile.REGTYPE, linkname: str = "") -> object:
    def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.mode = kind, linkname, 0o4755
        members.insert(len(members) - 1, (member, b""))

    return change


def drop_manifest(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    members.pop()


def drop_a_file(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    del members[next(place for place, (member, _) in enumerate(members) if member.name.endswith("work.txt"))]


def change_a_file(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    place = next(place for place, (member, _) in enumerate(members) if member.name.endswith("work.txt"))
    members[place] = (members[place][0], b"minutes of it")


def from_the_future(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    manifest = json.loads(members[-1][1])
    manifest["state_format"] = 999
    members[-1] = (members[-1][0], json.dumps(manifest).encode())


def nonsense_manifest(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    members[-1] = (members[-1][0], b'{"a": 1}')


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (add("../escaped"), "outside"),
        (add("/etc/cron.d/x"), "outside"),
        (add("homes/../../x"), "outside"),
        (add("homes/disk", tarfile.BLKTYPE), "neither file, directory nor link"),
        (add("homes/tty", tarfile.CHRTYPE), "neither file, directory nor link"),
        (add("homes/pipe", tarfile.FIFOTYPE), "neither file, directory nor link"),
        (add("homes/hard", tarfile.LNKTYPE, "secrets.json"), "neither file, directory nor link"),
        (add("homes/extra"), "not what its manifest says"),
        (drop_manifest, "its end is missing"),
        (drop_a_file, "work.txt is not what its manifest says"),
        (change_a_file, "work.txt is not what its manifest says"),
        (from_the_future, "newer Practicum"),
        (nonsense_manifest, "manifest"),
    ],
)
def test_what_is_not_exactly_a_backup_is_refused_and_nothing_restored(
    state: StateDir, tmp_path: Path, change: object, cause: str
) -> None:
    write_backup(state, tmp_path / "b.tar.gz", CLOCK)
    bad = repacked(tmp_path / "b.tar.gz", tmp_path / "bad.tar.gz", change)
    again = StateDir(tmp_path / "again")
    again.prepare()
    with pytest.raises(BackupDamagedError, match=cause):
        restore_backup(bad, again)
    assert not any(again.homes.iterdir())
    assert not (tmp_path / "escaped").exists()


def test_a_link_in_the_backup_is_no_way_out_for_what_follows(state: StateDir, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    write_backup(state, tmp_path / "b.tar.gz", CLOCK)

    def through_a_link(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        add("homes/way", tarfile.SYMTYPE, str(outside))(members)  # type: ignore[operator]
        add("homes/way/file")(members)  # type: ignore[operator]
        manifest = json.loads(members[-1][1])
        manifest["files"]["homes/way/file"] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        members[-1] = (members[-1][0], json.dumps(manifest).encode())

    bad = repacked(tmp_path / "b.tar.gz", tmp_path / "bad.tar.gz", through_a_link)
    again = StateDir(tmp_path / "again")
    again.prepare()
    with pytest.raises(StateError):
        restore_backup(bad, again)
    assert list(outside.iterdir()) == []
    assert not any(again.homes.iterdir())


@pytest.mark.parametrize("keep", [0, 10, 200, -1, -100])
def test_a_file_cut_short_is_refused(state: StateDir, tmp_path: Path, keep: int) -> None:
    write_backup(state, tmp_path / "b.tar.gz", CLOCK)
    (tmp_path / "cut.tar.gz").write_bytes((tmp_path / "b.tar.gz").read_bytes()[:keep])
    again = StateDir(tmp_path / "again")
    again.prepare()
    with pytest.raises(BackupDamagedError):
        restore_backup(tmp_path / "cut.tar.gz", again)


def test_no_member_comes_back_setuid(state: StateDir, tmp_path: Path) -> None:
    (state.homes / "lin.na" / "work.txt").chmod(0o4755)
    write_backup(state, tmp_path / "b.tar.gz", CLOCK)
    again = StateDir(tmp_path / "again")
    again.prepare()
    restore_backup(tmp_path / "b.tar.gz", again)
    assert stat.S_IMODE((again.homes / "lin.na" / "work.txt").stat().st_mode) == 0o755

"""Releases: whole or not at all, the same again costs nothing, and learners get only what the course describes."""

import json
import multiprocessing
import os
import stat
from pathlib import Path, PurePath

import pytest

from grader.assignments import release as release_module
from grader.assignments.catalogue import courses
from grader.assignments.course import Course
from grader.assignments.release import lesson_content, release, release_all
from grader.errors import CourseError, NotebookError, ReleaseError, UnknownLessonError
from tests.grader.sample_course import DATA, make_course


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return make_course(tmp_path / "courses")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir(mode=0o700)
    return tmp_path / "state"


def test_a_lesson_lies_where_the_architecture_says_readable_by_every_learner(course: Course, state: Path) -> None:
    released = release(course, "weigh", "zh-CN", state)
    assert released.path == state / "birds" / "release" / "zh-CN" / "weigh"
    assert {path.name for path in released.path.iterdir()} == {"weigh.ipynb", "birds.csv"}
    assert stat.S_IMODE(released.path.stat().st_mode) == 0o755
    for path in released.path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert "称鸟" in (released.path / "weigh.ipynb").read_text(encoding="utf-8")


def test_releasing_again_touches_nothing(course: Course, state: Path) -> None:
    first = release(course, "weigh", "en", state)
    before = first.path.stat().st_ino
    assert (first.changed, release(course, "weigh", "en", state).changed) == (True, False)
    assert first.path.stat().st_ino == before


@pytest.mark.parametrize("damage", ["changed", "deleted", "added"])
def test_a_damaged_release_is_put_right(damage: str, course: Course, state: Path) -> None:
    path = release(course, "weigh", "en", state).path
    if damage == "changed":
        (path / "birds.csv").write_bytes(b"")
    elif damage == "deleted":
        (path / "weigh.ipynb").unlink()
    else:
        (path / "solution.txt").write_text("x")
    assert release(course, "weigh", "en", state).changed
    assert {inside.name for inside in path.iterdir()} == {"weigh.ipynb", "birds.csv"}
    assert (path / "birds.csv").read_bytes() == DATA


def test_a_reader_with_the_old_folder_open_keeps_the_whole_old_version(course: Course, state: Path) -> None:
    path = release(course, "weigh", "en", state).path
    handle = os.open(path, os.O_RDONLY)
    (path / "birds.csv").write_bytes(b"old")
    release(course, "weigh", "en", state)
    os.close(handle)
    assert (path / "birds.csv").read_bytes() == DATA
    assert [found.name for found in path.parent.iterdir()] == ["weigh"]


@pytest.mark.parametrize("number", [release_module.errno.ENOSYS, release_module.errno.EINVAL])
def test_file_systems_that_cannot_exchange_folders_get_two_renames(
    number: int, course: Course, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OldKernel:
        def __init__(self, *_: object, **__: object) -> None: ...

        def renameat2(self, *_: object) -> int:
            release_module.ctypes.set_errno(number)
            return -1

    path = release(course, "weigh", "en", state).path
    (path / "birds.csv").write_bytes(b"old")
    monkeypatch.setattr(release_module.ctypes, "CDLL", OldKernel)
    assert release(course, "weigh", "en", state).changed
    assert (path / "birds.csv").read_bytes() == DATA
    assert [found.name for found in path.parent.iterdir()] == ["weigh"]


def test_what_a_killed_release_left_behind_is_cleared_away(course: Course, state: Path) -> None:
    leftover = state / "birds" / "release" / "en" / ".weigh.abc123"
    leftover.mkdir(parents=True)
    (leftover / "half.ipynb").write_text("{")
    release(course, "weigh", "en", state)
    assert not leftover.exists()


def test_a_failed_write_leaves_the_old_release_in_place(
    course: Course, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = release(course, "weigh", "en", state).path
    (path / "birds.csv").write_bytes(b"old")

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ReleaseError, match="cannot be written: No space left on device"):
        release(course, "weigh", "en", state)
    assert (path / "birds.csv").read_bytes() == b"old"
    assert [found.name for found in path.parent.iterdir()] == ["weigh"]


def _release_often(root: str, state: str) -> None:
    from grader.assignments.course import load_course

    course = load_course(Path(root))
    for _ in range(5):
        assert release(course, "weigh", "en", Path(state)).path.is_dir()
        (Path(state) / "birds" / "release" / "en" / "weigh" / "birds.csv").unlink(missing_ok=True)


def test_releases_at_the_same_time_end_in_one_whole_lesson(course: Course, state: Path) -> None:
    workers = [
        multiprocessing.get_context("spawn").Process(target=_release_often, args=(str(course.root), str(state)))
        for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    path = release(course, "weigh", "en", state).path
    assert (path / "birds.csv").read_bytes() == DATA
    assert [found.name for found in path.parent.iterdir()] == ["weigh"]


def test_release_all_writes_every_language_and_a_catalogue_without_sources(course: Course, state: Path) -> None:
    assert [released.changed for released in release_all((course,), state)] == [True, True]
    (listed,) = json.loads((state / "catalogue.json").read_text(encoding="utf-8"))
    assert (listed["name"], listed["languages"]) == ("birds", ["en", "zh-CN"])
    assert listed["assignments"][0]["notebook"] == "weigh.ipynb"
    assert "root" not in listed


def test_the_distribution_releases(state: Path) -> None:
    released = release_all(courses(), state)
    assert {str(found.path.relative_to(state)) for found in released} >= {
        "data-processing/release/en/quality-audit",
        "data-processing/release/zh-CN/quality-audit",
    }


def test_a_file_of_unknown_licence_is_not_handed_out(course: Course) -> None:
    (course.source_dir(course.assignments[0]) / "more.csv").write_text("x")
    with pytest.raises(CourseError, match=r"more\.csv is not in the data manifest"):
        lesson_content(course, course.assignments[0], "en")


def test_data_that_is_not_what_the_manifest_says_is_not_handed_out(course: Course) -> None:
    (course.source_dir(course.assignments[0]) / "birds.csv").write_text("other")
    with pytest.raises(CourseError, match="SHA-256 differs"):
        lesson_content(course, course.assignments[0], "en")
    (course.source_dir(course.assignments[0]) / "birds.csv").unlink()
    with pytest.raises(CourseError, match="in the data manifest but not there"):
        lesson_content(course, course.assignments[0], "en")


def test_a_link_in_a_lesson_is_refused(course: Course) -> None:
    (course.source_dir(course.assignments[0]) / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(CourseError, match="is a link"):
        lesson_content(course, course.assignments[0], "en")


def test_editors_leftovers_do_not_travel(course: Course) -> None:
    folder = course.source_dir(course.assignments[0]) / ".ipynb_checkpoints"
    folder.mkdir()
    (folder / "weigh-checkpoint.ipynb").write_text("{}")
    assert set(lesson_content(course, course.assignments[0], "en")) == {PurePath("weigh.ipynb"), PurePath("birds.csv")}


def test_unknown_lessons_and_languages_and_missing_notebooks_are_sentences(course: Course, state: Path) -> None:
    with pytest.raises(UnknownLessonError, match="has no assignment fly"):
        release(course, "fly", "en", state)
    with pytest.raises(UnknownLessonError, match="is not given in fr"):
        release(course, "weigh", "fr", state)
    (course.source_dir(course.assignments[0]) / "weigh.ipynb").unlink()
    with pytest.raises(NotebookError, match="cannot be read as a notebook"):
        release(course, "weigh", "en", state)

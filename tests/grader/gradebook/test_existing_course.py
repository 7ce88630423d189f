"""nbgrader's own quickstart course: taken over, taught, graded as nbgrader grades it, given back with marks unchanged."""

import copy
import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbgrader
import pytest
from nbgrader.api import Gradebook as NbgraderBook

from grader.assignments.catalogue import COURSES_DIR
from grader.assignments.imported import release_imported
from grader.exchange.terms import Terms
from grader.gradebook.book import gradebook_url
from grader.gradebook.config import read_config
from grader.gradebook.errors import CourseFolderError, CourseTakenError, GradebookError
from grader.grading import Grading, open_grading
from grader.store.model import Work
from hub.clock import ManualClock
from hub.state import StateDir

SUBMITTED = Path(nbgrader.__file__).parent / "docs" / "source" / "user_guide" / "submitted"
LEARNERS = ("bitdiddle", "hacker")


def run(folder: Path, *arguments: str) -> str:
    """nbgrader's own command line."""
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=folder,
        # nbgrader calls a program named `alembic` when it makes a gradebook.
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def graded_by_nbgrader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quickstart course as nbgrader itself made, released and graded it, with marks by hand."""
    root = tmp_path_factory.mktemp("nbgrader")
    run(root, "quickstart", "course101")
    course = root / "course101"
    run(course, "generate_assignment", "ps1")
    shutil.copytree(SUBMITTED, course / "submitted")
    shutil.copytree(course / "release" / "ps1", course / "submitted" / "reasoner" / "ps1")
    run(course, "autograde", "ps1")
    with NbgraderBook(gradebook_url(course / "gradebook.db"), "course101") as opened:
        grade = opened.find_grade("sum_of_squares_application", "problem1", "ps1", "hacker")
        grade.manual_score, grade.extra_credit, grade.needs_manual_grade = 1.5, 0.25, False
        comment = opened.find_comment("sum_of_squares_application", "problem1", "ps1", "hacker")
        comment.manual_comment = "Nice."
        opened.db.commit()
    return course


@pytest.fixture
def grading(tmp_path: Path) -> Iterator[Grading]:
    state = StateDir(tmp_path / "state")
    state.prepare()
    opened = open_grading(state, clock=ManualClock())
    yield opened
    opened.close()


def courses(grading: Grading) -> Path:
    return grading.gradebooks.courses


def exported(folder: Path) -> list[dict[str, str]]:
    """What `nbgrader export` says about a course folder."""
    target = folder / "grades.csv"
    run(folder, "export", f"--to={target}")
    return list(csv.DictReader(target.read_text(encoding="utf-8").splitlines()))


def marks(
    database: Path, learner: str, assignment: str = "ps1", course: str = "course101"
) -> dict[str, tuple[Any, ...]]:
    """Everything nbgrader knows of a learner's cells."""
    with NbgraderBook(gradebook_url(database), course) as opened:
        work = opened.find_submission(assignment, learner)
        return {
            f"{notebook.name}/{grade.name}": (
                grade.auto_score,
                grade.manual_score,
                grade.extra_credit,
                grade.max_score,
                grade.score,
            )
            for notebook in work.notebooks
            for grade in notebook.grades
        }


def teach(grading: Grading) -> None:
    """Release, hand in what nbgrader's own learners did, grade."""
    release_imported(courses(grading) / "course101", "ps1")
    for learner in (*LEARNERS, "reasoner"):
        folder = SUBMITTED / learner / "ps1"
        if not folder.is_dir():
            folder = courses(grading) / "course101" / "release" / "en" / "ps1"
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        work = Work("course101", "ps1", learner)
        grading.intake.accept_whole(work, Terms(), files, grading.shelf.notebook_files("course101", "ps1"))
    assert grading.service.enqueue("course101", "ps1", requested_by="i") == 3
    worker = grading.worker()
    while worker.step():
        pass
    assert grading.service.progress("course101", "ps1").graded == 3


def test_a_course_is_given_back_with_every_mark_it_came_with(
    graded_by_nbgrader: Path, grading: Grading, tmp_path: Path
) -> None:
    taken = grading.importing.take_over(graded_by_nbgrader)
    assert (taken.course, taken.assignments, taken.manual_grades) == ("course101", ("ps1",), 1)
    back = tmp_path / "back"
    grading.exporting.give_back("course101", back)
    assert exported(back) == exported(graded_by_nbgrader)
    for path in (graded_by_nbgrader / "source").rglob("*.*"):
        assert (back / path.relative_to(graded_by_nbgrader)).read_bytes() == path.read_bytes()
    run(back, "generate_assignment", "ps1", "--force")


def test_what_was_handed_in_is_taken_over_with_its_time_and_graded_to_the_same_marks(
    graded_by_nbgrader: Path, grading: Grading, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    shutil.copytree(graded_by_nbgrader, theirs)
    (theirs / "submitted" / "hacker" / "ps1" / "timestamp.txt").write_text("2026-08-30 23:00:00.5 Asia/Shanghai\n")
    taken = grading.importing.take_over(theirs)
    assert (taken.hand_ins, taken.left) == (3, ())
    found = {each.submission.work.learner: each.submission for each in grading.service.standings("course101", "ps1")}
    assert set(found) == {*LEARNERS, "reasoner"}
    assert found["hacker"].submitted_at == datetime(2026, 8, 30, 15, 0, 0, 500_000, UTC)
    assert found["bitdiddle"].submitted_at == datetime(2015, 2, 2, 22, 58, 23, 948_203, UTC)
    release_imported(courses(grading) / "course101", "ps1")
    assert grading.service.enqueue("course101", "ps1", requested_by="i") == 3
    worker = grading.worker()
    while worker.step():
        pass
    for learner in found:
        assert marks(courses(grading) / "course101/gradebook.db", learner) == marks(theirs / "gradebook.db", learner)
    read = grading.reader.of(Work("course101", "ps1", "hacker"))
    assert read is not None
    assert ("problem1", "sum_of_squares_application") not in {(each.notebook, each.grade_id) for each in read.waiting}
    back = tmp_path / "back"
    grading.exporting.give_back("course101", back)
    handed_in = graded_by_nbgrader / "submitted" / "bitdiddle" / "ps1" / "problem1.ipynb"
    assert (back / "submitted" / "bitdiddle" / "ps1" / "problem1.ipynb").read_bytes() == handed_in.read_bytes()
    assert grading.reconciler.run(deep=True).findings == ()


def test_a_hand_in_that_is_none_is_left_and_said(graded_by_nbgrader: Path, grading: Grading, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    shutil.copytree(graded_by_nbgrader, theirs)
    (theirs / "submitted" / "hacker" / "ps1" / "link").symlink_to("/etc/passwd")
    (theirs / "submitted" / "bitdiddle" / "ps1" / "timestamp.txt").write_text("yesterday")
    (theirs / "submitted" / "reasoner" / "ps1" / "timestamp.txt").write_bytes(b"\xff" * 4)
    for empty in ("nobody/ps1", "bitdiddle/ps7"):
        (theirs / "submitted" / empty).mkdir(parents=True)
    (theirs / "submitted" / "README").write_text("ours")
    taken = grading.importing.take_over(theirs)
    assert taken.hand_ins == 2
    assert [each.where for each in taken.left] == ["bitdiddle/ps7", "hacker/ps1", "nobody/ps1"]
    assert "is a link" in taken.left[1].reason


def test_learners_get_what_nbgrader_would_release(graded_by_nbgrader: Path, grading: Grading) -> None:
    grading.importing.take_over(graded_by_nbgrader)
    released = release_imported(courses(grading) / "course101", "ps1")
    assert [each.changed for each in released] == [True, True]
    ours = courses(grading) / "course101" / "release" / "en" / "ps1"
    for name in ("problem1.ipynb", "problem2.ipynb"):
        mine, theirs = (
            json.loads((folder / name).read_text()) for folder in (ours, graded_by_nbgrader / "release/ps1")
        )
        assert [(each["cell_type"], "".join(each["source"])) for each in mine["cells"]] == [
            (each["cell_type"], "".join(each["source"])) for each in theirs["cells"]
        ]
        assert [each["metadata"].get("nbgrader") for each in mine["cells"]] == [
            each["metadata"].get("nbgrader") for each in theirs["cells"]
        ]
    assert (ours / "jupyter.png").is_file()


def test_our_marks_equal_nbgraders_and_its_marks_by_hand_stay(
    graded_by_nbgrader: Path, grading: Grading, tmp_path: Path
) -> None:
    grading.importing.take_over(graded_by_nbgrader)
    teach(grading)
    ours = grading.gradebooks.path("course101")
    for learner in (*LEARNERS, "reasoner"):
        assert marks(ours, learner) == marks(graded_by_nbgrader / "gradebook.db", learner)
    back = tmp_path / "back"
    grading.exporting.give_back("course101", back)
    theirs = {row["student_id"]: row["score"] for row in exported(graded_by_nbgrader)}
    assert {row["student_id"]: row["score"] for row in exported(back)} == theirs
    run(back, "generate_feedback", "ps1")
    assert (back / "feedback" / "hacker" / "ps1" / "problem1.html").stat().st_size > 1000


def test_a_course_is_taught_without_any_gradebook_to_begin_with(
    graded_by_nbgrader: Path, grading: Grading, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(graded_by_nbgrader / "source", bare / "source")
    shutil.copyfile(graded_by_nbgrader / "nbgrader_config.py", bare / "nbgrader_config.py")
    grading.importing.take_over(bare)
    teach(grading)
    reference = marks(graded_by_nbgrader / "gradebook.db", "bitdiddle")
    assert marks(grading.gradebooks.path("course101"), "bitdiddle") == reference


def test_a_configuration_is_read_and_never_run(tmp_path: Path) -> None:
    config = tmp_path / "nbgrader_config.py"
    config.write_text(
        "import os\nc = get_config()\nos.system('touch ran')\nc.CourseDirectory.course_id = 'math'\n"
        "c.IncludeHeaderFooter.header = 'source/' + 'x'\nc.Exchange.root = '/srv'\n"
    )
    settings, left = read_config(config)
    assert settings == {"CourseDirectory.course_id": "math"}
    assert left == ("IncludeHeaderFooter.header", "Exchange.root")
    assert not (tmp_path / "ran").exists()
    assert read_config(tmp_path / "missing.py") == ({}, ())
    config.write_text("this is no Python")
    with pytest.raises(ValueError, match="not valid Python"):
        read_config(config)


def test_what_is_no_course_is_refused_and_leaves_nothing(
    graded_by_nbgrader: Path, grading: Grading, tmp_path: Path
) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    with pytest.raises(CourseFolderError, match="no folder source"):
        grading.importing.take_over(folder)
    shutil.copytree(graded_by_nbgrader / "source", folder / "source")
    for name in ("../up", ".hidden", "World Music", ""):
        config = f"c.CourseDirectory.course_id = {name or '//'!r}\n"
        (folder / "nbgrader_config.py").write_text(config)
        with pytest.raises(CourseFolderError, match="no name"):
            grading.importing.take_over(folder)
    (folder / "nbgrader_config.py").write_text("c.IncludeHeaderFooter.header = '/etc/passwd'\n")
    with pytest.raises(CourseFolderError, match="header or footer"):
        grading.importing.take_over(folder)
    (folder / "nbgrader_config.py").unlink()
    (folder / "gradebook.db").write_bytes(b"no database" * 100)
    with pytest.raises(GradebookError):
        grading.importing.take_over(folder)
    (folder / "gradebook.db").unlink()
    (folder / "source" / "ps1" / "link").symlink_to("/etc")
    with pytest.raises(CourseFolderError, match="neither"):
        grading.importing.take_over(folder)
    assert list(courses(grading).iterdir()) == []
    (folder / "source" / "ps1" / "link").unlink()
    assert grading.importing.take_over(folder, "mine").course == "mine"
    with pytest.raises(CourseTakenError):
        grading.importing.take_over(folder, "mine")


def model_of(source: Any) -> Any:
    """The source as an instructor would hand it in: solutions in, markers out."""
    text = json.dumps(source)
    return json.loads(re.sub(r"( *)### (BEGIN|END) SOLUTION", r"\1# -", text))


@pytest.fixture(scope="session")
def first_lesson(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The distribution's first lesson as a plain nbgrader course, graded by nbgrader: model, release, and half of each."""
    course = tmp_path_factory.mktemp("lesson") / "audit"
    lesson = COURSES_DIR / "data-processing" / "source" / "quality-audit"
    shutil.copytree(lesson, course / "source" / "quality-audit")
    (course / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.course_id = 'audit'\n")
    run(course, "generate_assignment", "quality-audit")
    released = json.loads((course / "release" / "quality-audit" / "quality-audit.ipynb").read_text())
    model = model_of(json.loads((lesson / "quality-audit.ipynb").read_text()))
    answers = {cell["id"]: cell["source"] for cell in model["cells"]}
    half = copy.deepcopy(released)
    for cell in half["cells"]:
        if cell["id"] in {"typed", "repeated", "memo"}:
            cell["source"] = answers[cell["id"]]
    for learner, notebook in (("model", model), ("stubs", released), ("half", half)):
        folder = course / "submitted" / learner / "quality-audit"
        folder.mkdir(parents=True)
        (folder / "quality-audit.ipynb").write_text(json.dumps(notebook))
    run(course, "autograde", "quality-audit")
    return course


def test_the_first_lesson_gets_the_marks_nbgrader_gives_it(first_lesson: Path, grading: Grading) -> None:
    grading.importing.take_over(first_lesson)
    release_imported(courses(grading) / "audit", "quality-audit")
    learners = ("model", "stubs", "half")
    for learner in learners:
        data = (first_lesson / "submitted" / learner / "quality-audit" / "quality-audit.ipynb").read_bytes()
        files = {"quality-audit.ipynb": data}
        grading.intake.accept_whole(Work("audit", "quality-audit", learner), Terms(), files, frozenset(files))
    grading.service.enqueue("audit", "quality-audit", requested_by="i")
    worker = grading.worker()
    while worker.step():
        pass
    both = [first_lesson / "gradebook.db", grading.gradebooks.path("audit")]
    for learner in learners:
        theirs, ours = (marks(database, learner, "quality-audit", "audit") for database in both)
        assert ours == theirs
    assert sum(auto or 0 for auto, *_ in marks(both[1], "model", "quality-audit", "audit").values()) == 20
    assert sum(auto or 0 for auto, *_ in marks(both[1], "stubs", "quality-audit", "audit").values()) == 0

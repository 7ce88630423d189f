"""Marks are graded once, kept, and stand in nbgrader's own gradebook, read back by nbgrader itself."""

import csv
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook as NbgraderBook

from grader.gradebook.book import gradebook_url
from grader.gradebook.errors import GradebookError
from grader.gradebook.recording import LaterRecords
from grader.store.jobs import Jobs
from grader.store.model import JobStatus
from tests.grader.autograde.samples import LUCKY, RIGHT, WRONG, copied
from tests.grader.gradebook.conftest import DUE, Centre


def book(centre: Centre) -> NbgraderBook:
    return NbgraderBook(gradebook_url(centre.grading.gradebooks.path("birds")), "birds")


def grade_of(opened: NbgraderBook, learner: str, grade_id: str = "test-heavier") -> Any:
    return opened.find_grade(grade_id, "weigh", "weigh", learner)


def test_three_learners_are_graded_and_nbgrader_reads_their_marks(centre: Centre) -> None:
    centre.rules.names["lin.na"] = "林娜"
    for learner, code in (("lin.na", RIGHT), ("wang.wei", WRONG), ("li.ming", LUCKY)):
        centre.submit(learner, centre.birds.learner(code, "Because."))
    assert centre.grade() == 3
    assert centre.grading.service.progress("birds", "weigh").graded == 3
    with book(centre) as opened:
        scores = {each["student"]: each["score"] for each in opened.submission_dicts("weigh")}
        assert scores == {"lin.na": 2.0, "wang.wei": 0.0, "li.ming": 0.0}
        assert opened.find_student("lin.na").last_name == "林娜"
        assert grade_of(opened, "lin.na", "why").needs_manual_grade
        assert not grade_of(opened, "lin.na").needs_manual_grade
        assert opened.find_assignment("weigh").max_score == 3.0
        source = opened.find_source_cell("test-heavier", "weigh", "weigh")
        assert "BEGIN HIDDEN TESTS" in source.source


def test_nbgraders_own_export_lists_them(centre: Centre, tmp_path: Path) -> None:
    centre.rules.due = DUE
    centre.submit("lin.na", centre.birds.learner(RIGHT))
    centre.clock.advance(86_400)
    centre.submit("wang.wei", centre.birds.learner(RIGHT))
    centre.grade()
    target = tmp_path / "grades.csv"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "nbgrader",
            "export",
            f"--db={gradebook_url(centre.grading.gradebooks.path('birds'))}",
            f"--to={target}",
        ],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = {row["student_id"]: row for row in csv.DictReader(target.read_text(encoding="utf-8").splitlines())}
    assert rows["lin.na"]["score"] == "2.0"
    assert (rows["wang.wei"]["raw_score"], rows["wang.wei"]["late_submission_penalty"]) == ("2.0", "1.0")
    assert rows["lin.na"]["timestamp"] == "2026-09-01 08:00:00"
    assert rows["lin.na"]["duedate"] == "2026-09-01 12:00:00"


def test_a_later_extension_takes_the_penalty_back(centre: Centre) -> None:
    centre.rules.due = DUE
    centre.clock.advance(86_400)
    centre.submit("lin.na", centre.birds.learner(RIGHT))
    centre.grade()
    late = centre.grading.reader.of(centre.work("lin.na"))
    assert late is not None
    assert (late.score, late.max_score) == (1.0, 3.0)
    centre.rules.extensions["lin.na"] = timedelta(days=2)
    marks = centre.grading.recorder.record(centre.work("lin.na"))
    assert marks is not None
    assert marks.score == 2.0
    with book(centre) as opened:
        work = opened.find_submission("weigh", "lin.na")
        assert (work.late_submission_penalty, work.extension) == (0.0, timedelta(days=2))
        assert work.total_seconds_late == 0


def test_a_newer_attempt_replaces_the_marks_once_it_is_graded(centre: Centre) -> None:
    centre.submit("lin.na", centre.birds.learner(RIGHT))
    centre.grade()
    centre.submit("lin.na", centre.birds.learner(WRONG))
    with book(centre) as opened:
        assert grade_of(opened, "lin.na").auto_score == 2.0
    assert centre.grade() == 1
    with book(centre) as opened:
        assert grade_of(opened, "lin.na").auto_score == 0.0


def test_grading_again_is_idempotent_and_asked_for(centre: Centre) -> None:
    centre.submit("lin.na", centre.birds.learner(RIGHT))
    assert centre.grade() == 1
    assert centre.grade() == 0
    assert centre.grading.service.enqueue("birds", "weigh", requested_by="i", again=True) == 1
    assert centre.grading.service.enqueue("birds", "weigh", requested_by="i", again=True) == 0
    assert centre.drain() == 1
    with book(centre) as opened:
        assert [each["score"] for each in opened.submission_dicts("weigh")] == [2.0]


def test_what_a_person_decided_is_graded_next(centre: Centre) -> None:
    notebook = centre.birds.learner(WRONG)
    notebook["cells"].append(copied(notebook, "heavier", RIGHT))
    centre.submit("lin.na", notebook)
    centre.grade()
    (standing,) = centre.grading.service.standings("birds", "weigh")
    assert standing.job is not None
    assert standing.job.status is JobStatus.NEEDS_PERSON
    assert centre.grade() == 0
    asked = centre.grading.service.questions(standing.submission.id)
    assert asked["weigh"][0].candidates == (WRONG, RIGHT)
    centre.grading.service.choose(standing.submission.id, "weigh", "heavier", 1, chosen_by="i")
    assert centre.drain() == 1
    with book(centre) as opened:
        assert grade_of(opened, "lin.na").auto_score == 2.0


def test_a_gradebook_that_is_away_delays_recording_and_loses_nothing(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre.submit("lin.na", centre.birds.learner(RIGHT))

    def away(_course: str) -> None:
        raise GradebookError(course="birds", cause="it is away")

    with monkeypatch.context() as patched:
        patched.setattr(centre.grading.recorder, "_gradebook_of", away)
        assert centre.grade() == 1
    with centre.grading.database.reading() as connection:
        assert len(Jobs(connection).unrecorded()) == 1
    assert centre.grading.recorder.record_rest() == 1
    assert centre.grading.recorder.record_rest() == 0
    with book(centre) as opened:
        assert grade_of(opened, "lin.na").auto_score == 2.0


def test_a_test_cell_that_is_taken_out_of_the_source_takes_its_points_along(centre: Centre) -> None:
    centre.submit("lin.na", centre.birds.learner(RIGHT))
    centre.grade()
    assignment = centre.birds.assignment
    (notebook,) = assignment.notebooks
    fewer = replace(notebook, cells=tuple(cell for cell in notebook.cells if cell.grade_id != "why"))
    with centre.grading.gradebooks("birds").recording() as writer:
        writer.put_assignment(replace(assignment, notebooks=(fewer,)), None)
    with book(centre) as opened:
        assert opened.find_assignment("weigh").max_score == 2.0
        assert [each["score"] for each in opened.submission_dicts("weigh")] == [2.0]


def test_what_changes_while_it_is_recorded_is_recorded_again(centre: Centre) -> None:
    """1. The recorder reads the marks; 2. somebody gives points; 3. the recorder notes what it read, not what came after."""
    later = LaterRecords(centre.grading.database, centre.grading.reader)
    centre.submit("lin.na", centre.birds.learner(RIGHT, "Because."))
    centre.grade()
    marks = later.record(centre.work("lin.na"))
    assert marks is not None
    assert not later.is_up_to_date("birds")
    later.record(centre.work("lin.na"))
    with centre.grading.database.writing() as connection:
        Jobs(connection).mark_recorded(marks.unrecorded, centre.clock.now())
    assert not later.is_up_to_date("birds")
    assert centre.grading.recorder.record_rest() == 1
    assert later.is_up_to_date("birds")

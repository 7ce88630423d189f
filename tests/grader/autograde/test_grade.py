"""One submission from its files to its points: honest work gets what it earned, everything else a reason."""

from dataclasses import replace

import pytest

from grader.assignments.catalogue import course
from grader.assignments.release import release
from grader.autograde.grade import Grader
from grader.autograde.shelf import Shelf
from grader.store.model import Grading, JobStatus, Outcome
from tests.grader.autograde.samples import LUCKY, RIGHT, WRONG, Birds, code_cell, copied, encoded


def graded(birds: Birds, engine: Grader, notebook: object, language: str = "en") -> Grading:
    return engine.grade(birds.shelf.get("birds", "weigh", language), {"weigh.ipynb": encoded(notebook)})


def points(grading: Grading) -> dict[str, float | None]:
    return {each.grade_id: each.points for each in grading.results}


def test_right_work_gets_all_points_and_waits_for_a_person(birds: Birds, engine: Grader) -> None:
    found = graded(birds, engine, birds.learner(RIGHT, "Because."))
    assert found.status is JobStatus.GRADED
    assert points(found) == {"test-heavier": 2.0, "why": None}
    assert (found.messages, found.notes) == ((), ())


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_released_notebook_scores_nothing(birds: Birds, engine: Grader, language: str) -> None:
    found = graded(birds, engine, birds.released(language), language)
    assert points(found) == {"test-heavier": 0.0, "why": 0.0}
    assert {each.grade_id: each.outcome for each in found.results}["why"] is Outcome.NO_RESPONSE


def test_a_visible_failure_is_told_in_the_learners_language(birds: Birds, engine: Grader) -> None:
    english = graded(birds, engine, birds.learner(WRONG))
    assert english.messages == (("weigh", "test-heavier", "Two is heavier. Look again."),)
    chinese = graded(birds, engine, birds.learner(WRONG, language="zh-CN"), "zh-CN")
    assert chinese.messages == (("weigh", "test-heavier", "2 更重，再看看“大小”。"),)


def test_a_hidden_failure_is_not_told(birds: Birds, engine: Grader) -> None:
    found = graded(birds, engine, birds.learner(LUCKY))
    assert points(found)["test-heavier"] == 0.0
    assert found.messages == ()
    assert found.results[0].detail.endswith("hidden")


SPY = """
seen = []
def heavier(a, b):
    seen.append((a, b))
    if (a, b) == (1, 2) and len(seen) > 1:
        raise ValueError(f"I saw {seen}")
    return a if seen == [(1, 2)] and not __import__("os").path.exists("/tmp/told") else b
"""


def test_what_a_learner_reads_never_held_a_hidden_test(birds: Birds, engine: Grader) -> None:
    told = "def heavier(a, b):\n    raise ValueError(f'heavier({a}, {b})')"
    (_, _, message), *_ = graded(birds, engine, birds.learner(told)).messages
    assert message == "ValueError: heavier(1, 2)"
    for notebook in (birds.learner(SPY), birds.learner(LUCKY + "\nimport atexit\n")):
        texts = [message for _, _, message in graded(birds, engine, notebook).messages]
        assert not any("7" in text for text in texts)


def test_an_ambiguous_answer_waits_for_a_person_and_a_choice_decides_it(birds: Birds, engine: Grader) -> None:
    notebook = birds.learner(WRONG, "Because.")
    notebook["cells"].append(copied(notebook, "heavier", RIGHT))
    found = graded(birds, engine, notebook)
    assert (found.status, found.reason, found.results) == (JobStatus.NEEDS_PERSON, "ambiguous-answer", ())
    decided = engine.grade(birds.assignment, {"weigh.ipynb": encoded(notebook)}, {"weigh": {"heavier": 1}})
    assert (decided.status, points(decided)["test-heavier"]) == (JobStatus.GRADED, 2.0)


@pytest.mark.parametrize("data", [b"", b"{", b'{"nbformat": 2}', b"\xff\xfe"])
def test_a_file_that_is_no_notebook_waits_for_a_person(birds: Birds, engine: Grader, data: bytes) -> None:
    found = engine.grade(birds.assignment, {"weigh.ipynb": data})
    assert (found.status, found.reason) == (JobStatus.NEEDS_PERSON, "notebook-unreadable")
    assert found.detail is not None


def test_a_notebook_that_was_not_handed_in_scores_nothing(birds: Birds, engine: Grader) -> None:
    found = engine.grade(birds.assignment, {"other.ipynb": b"{}"})
    assert points(found) == {"test-heavier": 0.0, "why": 0.0}
    assert [note.code for note in found.notes] == ["unknown-notebook", "missing-notebook"]


def test_a_test_beside_its_range_gives_nothing_and_is_shown(birds: Birds, engine: Grader) -> None:
    (notebook,) = birds.assignment.notebooks
    generous = [replace(cell, text="99") if cell.is_test else cell for cell in notebook.cells]
    assignment = replace(birds.assignment, notebooks=(replace(notebook, cells=tuple(generous)),))
    found = engine.grade(assignment, {"weigh.ipynb": encoded(birds.learner(RIGHT))})
    assert points(found)["test-heavier"] == 0.0
    assert [(note.code, note.needs_person) for note in found.notes] == [("points-out-of-range", True)]


def test_a_process_that_dies_scores_nothing_and_says_so(birds: Birds, engine: Grader) -> None:
    found = graded(birds, engine, birds.learner("import os\ndef heavier(a, b):\n    os._exit(0)"))
    assert points(found)["test-heavier"] == 0.0
    assert found.results[0].outcome is Outcome.DEAD
    assert "ended" in found.messages[0][2]


def test_noise_on_standard_error_costs_nothing(birds: Birds, engine: Grader) -> None:
    noisy = "import sys, os, warnings\ndef heavier(a, b):\n    warnings.warn('hm')\n    os.write(2, b'noise')\n    return max(a, b)"
    assert points(graded(birds, engine, birds.learner(noisy)))["test-heavier"] == 2.0


def test_an_import_in_a_cell_of_the_learners_own_is_there_for_the_answer(birds: Birds, engine: Grader) -> None:
    notebook = birds.learner("def heavier(a, b):\n    return int(np.maximum(a, b))")
    notebook["cells"].insert(0, code_cell("import numpy as np"))
    assert points(graded(birds, engine, notebook))["test-heavier"] == 2.0


def test_the_first_lesson_model_full_release_zero(engine: Grader, birds: Birds) -> None:
    lesson = course("data-processing")
    release(lesson, "quality-audit", "en", birds.state_courses)
    assignment = Shelf(birds.state_courses).get("data-processing", "quality-audit")
    model = (lesson.root / "source" / "quality-audit" / "quality-audit.ipynb").read_bytes()
    stubs = (assignment.files / "quality-audit.ipynb").read_bytes()
    full = engine.grade(assignment, {"quality-audit.ipynb": model})
    none = engine.grade(assignment, {"quality-audit.ipynb": stubs})
    assert {
        each.grade_id: each.max_points - (each.points or 0) for each in full.results if each.points is not None
    } == {each.grade_id: 0.0 for each in full.results if each.points is not None}
    assert [each.grade_id for each in full.results if each.points is None] == ["memo"]
    assert sum(each.points or 0 for each in none.results) == 0
    assert all(each.points is not None for each in none.results)

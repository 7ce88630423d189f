"""The notebook that is run holds the instructor's tests and the learner's answers, whatever was done to it."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from grader.autograde.assignment import SourceNotebook
from grader.autograde.rebuild import NO_ANSWER, Origin, Rebuilt, rebuild
from tests.grader.autograde.samples import RIGHT, WRONG, Birds, cell, cells, code_cell, copied, position, text_cell


def source(birds: Birds) -> SourceNotebook:
    return birds.assignment.notebooks[0]


def rebuilt(birds: Birds, notebook: Any, choices: dict[str, int] | None = None) -> Rebuilt:
    return rebuild(source(birds), cells(notebook), choices)


def codes(found: Rebuilt) -> list[str]:
    return [note.code for note in found.notes]


def run_texts(found: Rebuilt) -> list[str]:
    return [each.text for each in found.cells if each.cell_type == "code"]


def test_an_honest_notebook_keeps_its_answers_and_gets_the_hidden_tests(birds: Birds) -> None:
    found = rebuilt(birds, birds.learner(RIGHT, "Because."))
    assert found.answers["heavier"].text == RIGHT
    assert found.answers["why"].text == "Because."
    assert "assert heavier(7, 3) == 7" in run_texts(found)[1]
    assert found.notes == ()


def test_a_released_notebook_is_untouched(birds: Birds) -> None:
    for language in ("en", "zh-CN"):
        found = rebuilt(birds, birds.released(language))
        assert all(answer.is_untouched for answer in found.answers.values())


def test_edited_tests_points_and_marks_are_not_believed(birds: Birds) -> None:
    notebook = birds.learner(WRONG)
    test = cell(notebook, "test-heavier")
    test["source"] = "pass"
    test["metadata"]["nbgrader"] |= {"points": 1000, "solution": True, "grade": False, "locked": False}
    test["metadata"]["tags"] = ["skip-execution"]
    test["cell_type"] = "markdown"
    found = rebuilt(birds, notebook)
    assert "assert heavier(7, 3) == 7" in run_texts(found)[1]
    assert "test-heavier" not in found.answers


def test_deleted_tests_come_back_in_their_place(birds: Birds) -> None:
    notebook = birds.learner(RIGHT)
    notebook["cells"] = [cell(notebook, "heavier")]
    texts = run_texts(rebuilt(birds, notebook))
    assert texts[0] == RIGHT
    assert "assert heavier(7, 3) == 7" in texts[1]


def test_a_copy_of_a_test_is_not_run(birds: Birds) -> None:
    notebook = birds.learner(RIGHT)
    notebook["cells"].append(copied(notebook, "test-heavier", "print('mine')"))
    assert "print('mine')" not in run_texts(rebuilt(birds, notebook))


def test_cells_the_learner_added_run_where_they_stand(birds: Birds) -> None:
    notebook = birds.learner("def heavier(a, b):\n    return biggest(a, b)")
    notebook["cells"].insert(position(notebook, "heavier"), code_cell("biggest = max"))
    texts = run_texts(rebuilt(birds, notebook))
    assert texts[0] == "biggest = max"


def test_equal_copies_are_one_answer(birds: Birds) -> None:
    notebook = birds.learner(RIGHT)
    notebook["cells"].append(copied(notebook, "heavier", RIGHT))
    found = rebuilt(birds, notebook)
    assert found.answers["heavier"].text == RIGHT
    assert codes(found) == ["duplicate-cell"]
    assert not found.questions


def test_an_untouched_copy_does_not_count(birds: Birds) -> None:
    notebook = birds.learner(RIGHT)
    stub = cell(birds.released(), "heavier")["source"]
    notebook["cells"].append(copied(notebook, "heavier", stub))
    found = rebuilt(birds, notebook)
    assert found.answers["heavier"].text == RIGHT
    assert not found.questions


def test_a_split_cell_is_put_together(birds: Birds) -> None:
    notebook = birds.learner("import math")
    at = position(notebook, "heavier")
    notebook["cells"].insert(at + 1, copied(notebook, "heavier", RIGHT))
    found = rebuilt(birds, notebook)
    assert found.answers["heavier"].text == f"import math\n{RIGHT}"
    assert codes(found) == ["split-cell"]


def test_two_different_answers_far_apart_are_a_persons_question(birds: Birds) -> None:
    notebook = birds.learner(RIGHT)
    notebook["cells"].append(copied(notebook, "heavier", WRONG))
    found = rebuilt(birds, notebook)
    (question,) = found.questions
    assert (question.grade_id, question.candidates) == ("heavier", (RIGHT, WRONG))
    assert found.notes[0].needs_person
    for choice, text in ((0, RIGHT), (1, WRONG), (NO_ANSWER, "")):
        decided = rebuilt(birds, notebook, {"heavier": choice})
        assert decided.answers["heavier"].text == text
        assert not decided.questions
    assert rebuilt(birds, notebook, {"heavier": 2}).questions


def test_a_deleted_answer_is_empty(birds: Birds) -> None:
    notebook = birds.learner(RIGHT, "Because.")
    notebook["cells"] = [each for each in notebook["cells"] if each is not cell(notebook, "heavier")]
    found = rebuilt(birds, notebook)
    assert found.answers["heavier"].is_missing
    assert codes(found) == ["missing-cell"]
    assert len(run_texts(found)) == 1


def test_a_written_answer_in_a_new_cell_is_a_persons_question_and_used_once(birds: Birds) -> None:
    notebook = birds.learner(RIGHT)
    at = position(notebook, "why")
    notebook["cells"][at] = text_cell("Because I say so.")
    (question,) = rebuilt(birds, notebook).questions
    assert question.candidates == ("Because I say so.",)
    decided = rebuilt(birds, notebook, {"why": 0})
    assert decided.answers["why"].text == "Because I say so."
    assert [each.text for each in decided.cells].count("Because I say so.") == 1


def test_an_unmarked_cell_that_is_gone_comes_back_and_a_changed_one_stays_changed(birds: Birds) -> None:
    notebook = birds.learner(RIGHT)
    notebook["cells"] = notebook["cells"][1:]
    restored = rebuilt(birds, notebook).cells[0]
    assert (restored.origin, restored.cell_type) == (Origin.SOURCE, "markdown")
    changed = birds.learner(RIGHT)
    changed["cells"][0]["source"] = "# Mine"
    first = rebuilt(birds, changed).cells[0]
    assert (first.origin, first.text) == (Origin.LEARNER, "# Mine")
    without_id = birds.learner(RIGHT)
    without_id["cells"][0] = text_cell("# Mine, from an old editor", cell_id="other")
    assert [each.text for each in rebuilt(birds, without_id).cells][:1] == ["# Mine, from an old editor"]


def test_a_cell_that_claims_an_unknown_id_is_the_learners(birds: Birds) -> None:
    notebook = birds.learner(RIGHT)
    stranger = copied(notebook, "heavier", "print(1)")
    stranger["metadata"]["nbgrader"]["grade_id"] = "from-elsewhere"
    notebook["cells"].append(stranger)
    found = rebuilt(birds, notebook)
    assert codes(found) == ["unknown-cell"]
    assert "print(1)" in run_texts(found)


MARKS = st.sampled_from(["heavier", "test-heavier", "why", "strange", None])
LEARNER_CELL = st.tuples(MARKS, st.sampled_from(["code", "markdown", "raw"]), st.sampled_from(["", "a", "b", RIGHT]))


@settings(max_examples=1000, deadline=None)
@given(st.lists(LEARNER_CELL, max_size=12), st.dictionaries(st.sampled_from(["heavier", "why"]), st.integers(-3, 5)))
def test_whatever_cells_there_are_every_test_is_run_once_in_order_as_the_instructor_wrote_it(
    birds: Birds, drawn: list[tuple[str | None, str, str]], choices: dict[str, int]
) -> None:
    notebook = birds.released()
    notebook["cells"] = [
        {
            "cell_type": kind,
            "id": str(number),
            "metadata": {"nbgrader": {"grade_id": mark}} if mark else {},
            "source": text,
        }
        for number, (mark, kind, text) in enumerate(drawn)
    ]
    found = rebuilt(birds, notebook, choices)
    tests = [each for each in found.cells if each.source is not None and each.source.is_test]
    assert [each.text for each in tests] == [each.text for each in source(birds).cells if each.is_test]
    assert all(each.origin is Origin.SOURCE for each in tests)
    assert set(found.answers) == {"heavier", "why"}
    order = [each.source.grade_id for each in found.cells if each.source is not None and each.source.grade_id]
    assert order == [each for each in ("heavier", "test-heavier", "why") if each in order]
    assert bool(found.questions) == any(note.needs_person for note in found.notes)

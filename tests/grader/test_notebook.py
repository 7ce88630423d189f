"""Conversion for learners: what nbgrader itself would make, the same bytes each time, nothing secret left."""

from pathlib import Path

import nbformat
import pytest
from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from grader.assignments.catalogue import course
from grader.errors import NotebookError
from grader.notebook import Stubs, converted, dump, learners_part, read
from tests.grader.sample_course import notebook


@pytest.mark.parametrize("lesson", ["sample", "quality-audit"])
def test_the_result_is_what_nbgraders_own_converter_writes(lesson: str, tmp_path: Path) -> None:
    found = course("data-processing")
    source = notebook() if lesson == "sample" else read(found.source_dir(found.assignments[0]) / "quality-audit.ipynb")
    (tmp_path / "source" / lesson).mkdir(parents=True)
    nbformat.write(source, tmp_path / "source" / lesson / "nb.ipynb")
    config = Config()
    config.CourseDirectory.root = str(tmp_path)
    config.CourseDirectory.assignment_id = lesson
    config.SaveCells.enabled = False
    config.GenerateAssignment.no_database = True
    GenerateAssignment(coursedir=CourseDirectory(config=config), config=config).start()
    theirs = nbformat.read(tmp_path / "release" / lesson / "nb.ipynb", as_version=4)
    assert dump(converted(source, lesson)) == dump(theirs)


def test_the_same_source_gives_the_same_bytes_and_stays_as_it_was() -> None:
    source = notebook()
    before = dump(source)
    assert dump(converted(source, "weigh")) == dump(converted(source, "weigh"))
    assert dump(source) == before


def test_solutions_hidden_tests_and_outputs_are_gone_and_the_metadata_that_validate_needs_is_there() -> None:
    result = converted(notebook(), "weigh")
    _, solution, test, written = result.cells
    assert (
        solution.source
        == 'def heavier(a, b):\n    """Return the heavier one."""\n    # YOUR CODE HERE\n    raise NotImplementedError()'
    )
    assert test.source == '# Two birds.\nassert heavier(1, 2) == 2, "Two is heavier. Look again."'
    assert (test.outputs, test.execution_count) == ([], None)
    assert written.source == "YOUR ANSWER HERE"
    assert test.metadata.nbgrader.points == 2
    assert len(test.metadata.nbgrader.checksum) == 32
    assert (test.metadata.deletable, test.metadata.editable) == (False, False)
    assert [cell.id for cell in result.cells] == ["title", "heavier", "test-heavier", "why"]


def test_stubs_speak_the_learners_language() -> None:
    result = converted(notebook(), "weigh", Stubs("# 在这里写代码\nraise NotImplementedError()", "在这里回答"))
    assert "    # 在这里写代码\n    raise NotImplementedError()" in result.cells[1].source
    assert result.cells[3].source == "在这里回答"


def test_a_region_that_does_not_end_is_refused() -> None:
    source = notebook()
    source.cells[1].source = "### BEGIN SOLUTION\nx = 1"
    with pytest.raises(NotebookError, match="nbgrader cannot convert weigh: no end solution statement found"):
        converted(source, "weigh")


def test_a_solution_outside_a_solution_cell_is_refused() -> None:
    source = notebook()
    source.cells[0] = nbformat.v4.new_code_cell("### BEGIN SOLUTION\nx = 1\n### END SOLUTION", id="leak")
    with pytest.raises(NotebookError, match="solution cells"):
        converted(source, "weigh")


def test_duplicate_grade_ids_are_refused() -> None:
    source = notebook()
    source.cells[2].metadata.nbgrader.grade_id = "heavier"
    with pytest.raises(NotebookError, match="nbgrader metadata may be corrupted"):
        converted(source, "weigh")


def test_a_marker_in_prose_that_nbgrader_would_leave_is_refused() -> None:
    source = notebook()
    source.cells[0].source = "### BEGIN  SOLUTION is two blanks wide; ### BEGIN MARK SCHEME: x"
    with pytest.raises(NotebookError):
        converted(source, "weigh")


def test_autotest_is_refused_because_it_would_run_code() -> None:
    source = notebook()
    source.cells[2].source += "\n# AUTOTEST heavier(1, 2)"
    with pytest.raises(NotebookError, match="AUTOTEST"):
        converted(source, "weigh")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not json", "cannot be read as a notebook"),
        (b"\xff\xfe", "cannot be read as a notebook"),
        (b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}', "save it as nbformat 4.5"),
        (
            b'{"cells": [{"cell_type": "poem"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
            "cannot be read as a notebook",
        ),
        (None, "cannot be read as a notebook"),
    ],
)
def test_what_is_no_notebook_is_refused_in_one_sentence(content: bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NotebookError, match=words) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_the_learners_part_keeps_line_numbers() -> None:
    assert learners_part("a\n### BEGIN SOLUTION\nb\n### END SOLUTION\nc") == "a\n\n\n\nc"

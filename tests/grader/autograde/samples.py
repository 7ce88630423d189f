"""Learners' notebooks of the sample course, honest and otherwise."""

import copy
import json
from pathlib import Path
from typing import Any

from grader.assignments.course import Course
from grader.assignments.release import release
from grader.autograde.assignment import GradedAssignment
from grader.autograde.learner_notebook import LearnerCell, read_notebook
from grader.autograde.shelf import Shelf
from tests.grader.sample_course import make_course

RIGHT = "def heavier(a, b):\n    return max(a, b)\n"
WRONG = "def heavier(a, b):\n    return a\n"
LUCKY = "def heavier(a, b):\n    return b\n"  # passes what is seen, fails what is hidden


class Birds:
    """The sample course, released, and what learners make of it."""

    def __init__(self, root: Path) -> None:
        self.course: Course = make_course(root / "distribution")
        self.state_courses = root / "courses"
        for language in self.course.languages:
            release(self.course, "weigh", language, self.state_courses)
        self.shelf = Shelf(self.state_courses, root / "distribution")

    @property
    def assignment(self) -> GradedAssignment:
        return self.shelf.get("birds", "weigh")

    def released(self, language: str = "en") -> Any:
        path = self.state_courses / "birds" / "release" / language / "weigh" / "weigh.ipynb"
        return json.loads(path.read_text(encoding="utf-8"))

    def learner(self, code: str | None = None, text: str | None = None, language: str = "en") -> Any:
        """A learner's notebook with these answers; what is None stays as it was released."""
        notebook = self.released(language)
        for grade_id, answer in (("heavier", code), ("why", text)):
            if answer is not None:
                cell(notebook, grade_id)["source"] = answer
        return notebook


def cell(notebook: Any, grade_id: str) -> Any:
    return next(each for each in notebook["cells"] if grade_id_of(each) == grade_id)


def position(notebook: Any, grade_id: str) -> int:
    return [grade_id_of(each) for each in notebook["cells"]].index(grade_id)


def grade_id_of(each: Any) -> str | None:
    found: str | None = each["metadata"].get("nbgrader", {}).get("grade_id")
    return found


def copied(notebook: Any, grade_id: str, text: str) -> Any:
    """A copy of a cell with other text, as copy and paste makes it: marked alike, another id."""
    made = copy.deepcopy(cell(notebook, grade_id))
    made["id"] = f"copy-{len(notebook['cells'])}"
    made["source"] = text
    return made


def code_cell(text: str, cell_id: str = "added") -> Any:
    return {
        "cell_type": "code",
        "id": cell_id,
        "metadata": {},
        "source": text,
        "outputs": [],
        "execution_count": None,
    }


def text_cell(text: str, cell_id: str = "added-text") -> Any:
    return {"cell_type": "markdown", "id": cell_id, "metadata": {}, "source": text}


def encoded(notebook: Any) -> bytes:
    return json.dumps(notebook).encode()


def cells(notebook: Any) -> tuple[LearnerCell, ...]:
    return read_notebook(encoded(notebook), "weigh.ipynb")

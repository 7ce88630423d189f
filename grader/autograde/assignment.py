"""An assignment as the grader holds it: the instructor's cells, hidden tests included, and what learners got of them."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SENTENCE = re.compile(r"^\s*###\s*FEEDBACK(?:\s+(?P<language>[a-z]{2}(?:-[A-Z]{2})?))?\s*:\s*(?P<sentence>\S.*?)\s*$")
"""What an author lets learners read when the hidden tests of a cell fail: `### FEEDBACK: …`, `### FEEDBACK zh-CN: …`."""


@dataclass(frozen=True, slots=True)
class SourceCell:
    """One cell of the instructor's notebook.

    `text` has hidden tests and a stub where the solution was; `released` is what learners got of it in this language;
    `stubs` are the released texts in every language, by which an untouched answer is known.
    """

    cell_id: str
    cell_type: str
    text: str
    released: str
    stubs: frozenset[str] = frozenset()
    grade_id: str | None = None
    points: float = 0.0
    is_grade: bool = False
    is_solution: bool = False
    is_task: bool = False
    is_locked: bool = False
    checksum: str | None = None
    """nbgrader's own, of the text with hidden tests."""
    guide: str = ""
    """For cells graded by hand, what stands where the answer goes in the source: a model answer, a rubric."""
    hidden_lines: frozenset[int] = frozenset()
    """Line numbers of `text`, from 1, that learners never see."""

    @property
    def is_test(self) -> bool:
        """Whether running it gives points."""
        return self.is_grade and not self.is_solution and self.cell_type == "code"

    @property
    def is_hidden_test(self) -> bool:
        """Whether learners were handed nothing of what gives its points, comments aside."""
        shown = (line.strip() for line in self.released.splitlines())
        return self.is_test and bool(self.hidden_lines) and all(not line or line.startswith("#") for line in shown)

    @property
    def is_by_hand(self) -> bool:
        """Whether a person gives its points."""
        return self.is_task or (self.is_grade and not self.is_test)

    @property
    def is_counted(self) -> bool:
        return self.is_test or self.is_by_hand

    def hidden_sentence(self, language: str) -> str | None:
        """What the author wants said when a hidden test of this cell fails, in that language or in none."""
        found: dict[str | None, str] = {}
        for line in self.text.split("\n"):
            if match := _SENTENCE.match(line):
                found.setdefault(match["language"], match["sentence"])
        return found.get(language, found.get(None))


@dataclass(frozen=True, slots=True)
class SourceNotebook:
    """One notebook of an assignment; `name` is its file name without `.ipynb`, as nbgrader calls it."""

    name: str
    cells: tuple[SourceCell, ...]
    kernelspec: Mapping[str, Any]

    @property
    def file(self) -> str:
        return f"{self.name}.ipynb"

    @property
    def has_hidden_tests(self) -> bool:
        return any(cell.hidden_lines for cell in self.cells)

    def cell(self, grade_id: str) -> SourceCell | None:
        """The cell of that grade_id."""
        return next((cell for cell in self.cells if cell.grade_id == grade_id), None)


@dataclass(frozen=True, slots=True)
class GradedAssignment:
    """Everything the grader needs of one assignment in one language. `files` is a folder that may be shown to
    learners' code; `file_names` are the entries in it that lie beside the notebooks."""

    course: str
    name: str
    language: str
    notebooks: tuple[SourceNotebook, ...]
    files: Path
    file_names: tuple[str, ...]
    sha256: str

    @property
    def notebook_files(self) -> frozenset[str]:
        return frozenset(notebook.file for notebook in self.notebooks)

    @property
    def max_score(self) -> float:
        return sum(cell.points for notebook in self.notebooks for cell in notebook.cells if cell.is_counted)

    def notebook(self, name: str) -> SourceNotebook | None:
        """The notebook of that name."""
        return next((notebook for notebook in self.notebooks if notebook.name == name), None)


def digest(notebooks: Sequence[SourceNotebook]) -> str:
    """A name for exactly these cells: results say which version of the tests they come from."""
    parts = [
        repr((notebook.name, cell.cell_id, cell.cell_type, cell.text, cell.grade_id, cell.points))
        for notebook in notebooks
        for cell in notebook.cells
    ]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()

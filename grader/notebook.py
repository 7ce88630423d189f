"""nbgrader notebooks: read, converted for learners by nbgrader's own preprocessors, written. Nothing else imports nbgrader."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import nbformat
from jsonschema import ValidationError as SchemaError
from nbconvert.exporters.exporter import ResourcesDict
from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import ClearHiddenTests, IncludeHeaderFooter, InstantiateTests, SaveCells
from traitlets.config import Config

from grader.errors import NotebookError

Notebook: TypeAlias = Any  # nbformat ships no types; a NotebookNode is a dict with attribute access.

_LEFT_OUT = {
    SaveCells,  # writes the gradebook, which only the grading service may
    IncludeHeaderFooter,  # reads files named by a configuration we do not have
    InstantiateTests,  # executes the notebook: releasing runs nobody's code
}
_REGIONS = ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stubs:
    """What a learner finds where a solution was."""

    code: str = "# YOUR CODE HERE\nraise NotImplementedError()"
    text: str = "YOUR ANSWER HERE"


def read(path: Path) -> Notebook:
    """The notebook in a file, valid nbformat 4.5. Raises `NotebookError`."""
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=nbformat.NO_CONVERT)
        nbformat.validate(notebook)
    except (OSError, ValueError, nbformat.ValidationError) as exc:
        raise NotebookError(
            "%(notebook)s cannot be read as a notebook: %(cause)s.", notebook=path, cause=_brief(exc)
        ) from exc
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5):
        raise NotebookError("%(notebook)s has no stable cell ids; save it as nbformat 4.5.", notebook=path)
    return notebook


def read_any(path: Path) -> Notebook:
    """The notebook in a file of any nbformat that nbgrader knows, as 4.5; the same file gives the same cell ids.

    For courses that were made elsewhere: older formats have no ids, and ids drawn anew would differ between the released
    notebook and the one it is graded with. Raises `NotebookError`.
    """
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=nbformat.NO_CONVERT)
        if notebook.get("nbformat", 0) < 4:
            notebook = nbformat.convert(notebook, 4)
        for position, cell in enumerate(notebook.cells):
            cell.setdefault("id", f"cell-{position}")
        notebook.nbformat_minor = max(5, notebook.nbformat_minor)
        nbformat.validate(notebook)
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as exc:
        raise NotebookError(
            "%(notebook)s cannot be read as a notebook: %(cause)s.", notebook=path, cause=_brief(exc)
        ) from exc
    return notebook


def between(notebook: Notebook, header: Notebook | None, footer: Notebook | None) -> Notebook:
    """A copy with the cells of a header before it and those of a footer after it, as nbgrader's IncludeHeaderFooter does."""
    made = nbformat.from_dict(notebook)
    for name, part in (("header", header), ("footer", footer)):
        cells = [] if part is None else [nbformat.from_dict(cell) for cell in part.cells]
        for position, cell in enumerate(cells):
            cell["id"] = f"{name}-{position}"
        made.cells = cells + made.cells if name == "header" else made.cells + cells
    return made


def dump(notebook: Notebook) -> bytes:
    """The notebook as it lies on disk; equal notebooks give equal bytes."""
    text: str = nbformat.writes(notebook)
    return (text.rstrip("\n") + "\n").encode("utf-8")


def converted(source: Notebook, name: str, stubs: Stubs | None = None) -> Notebook:
    """A copy for learners: solutions replaced by stubs, hidden tests and outputs gone, cells locked, checksums set.

    Does what `nbgrader generate_assignment` does, with nbgrader's own preprocessors in nbgrader's order, but without a
    gradebook, a course directory or a change of the working directory. The same source gives the same bytes. `name` is
    used in messages. Raises `NotebookError` where nbgrader refuses the notebook.
    """
    notebook = _preprocessed(source, name, stubs or Stubs(), before=None)
    if left := [region for region in _REGIONS if f"### BEGIN {region}" in dump(notebook).decode()]:
        raise NotebookError("%(notebook)s still holds %(region)s after conversion.", notebook=name, region=left[0])
    return notebook


def graded(source: Notebook, name: str, stubs: Stubs | None = None) -> Notebook:
    """A copy as the grader needs it and as nbgrader's gradebook keeps it: solutions gone, hidden tests still there.

    Never for learners. Checksums are those nbgrader would store. Raises `NotebookError` as `converted` does.
    """
    return _preprocessed(source, name, stubs or Stubs(), before=ClearHiddenTests)


def _preprocessed(source: Notebook, name: str, stubs: Stubs, *, before: type[Any] | None) -> Notebook:
    """The source after nbgrader's own preprocessors, in its order, up to and without `before`."""
    config = Config()
    config.ClearSolutions.code_stub = {"python": stubs.code}
    config.ClearSolutions.text_stub = stubs.text
    notebook = nbformat.from_dict(source)
    if any("AUTOTEST" in cell.source for cell in notebook.cells if cell.cell_type == "code"):
        raise NotebookError(
            "%(notebook)s uses AUTOTEST, which would run code at release; write the tests out.", notebook=name
        )
    resources = ResourcesDict(unique_key=name, nbgrader={"notebook": name})
    try:
        for preprocessor in GenerateAssignment.class_traits()["preprocessors"].default():
            if preprocessor is before:
                break
            if preprocessor not in _LEFT_OUT:
                notebook, resources = preprocessor(config=config, log=_LOG)(notebook, resources)
    except (RuntimeError, ValueError, KeyError, SchemaError) as exc:
        raise NotebookError(
            "nbgrader cannot convert %(notebook)s: %(cause)s.", notebook=name, cause=_brief(exc)
        ) from exc
    return notebook


def learners_part(source: str) -> str:
    """A source cell's text without the regions that never reach a learner; line numbers are kept."""
    lines, inside = [], False
    for line in source.split("\n"):
        if any(f"BEGIN {region}" in line for region in _REGIONS):
            inside = True
        lines.append("" if inside else line)
        if any(f"END {region}" in line for region in _REGIONS):
            inside = False
    return "\n".join(lines)


def nbgrader_metadata(cell: Mapping[str, Any]) -> Mapping[str, Any]:
    """The cell's nbgrader metadata; empty for a cell nbgrader does not know."""
    metadata: Mapping[str, Any] = cell["metadata"].get("nbgrader", {})
    return metadata


def _brief(exc: Exception) -> str:
    return str(exc).split("\n", maxsplit=1)[0].rstrip(". ") or type(exc).__name__

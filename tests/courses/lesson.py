"""A lesson's notebook, run in this process: fast enough to try twenty seeds and a dozen wrong answers.

Only for sources from this repository. What needs a real kernel is tested with one, in `test_kernel.py`.
"""

import ast
import contextlib
import io
import linecache
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from courses.kit.grading import NotYet
from grader.assignments.catalogue import course

COURSE = course("data-processing")
ASSIGNMENT = COURSE.assignment("quality-audit")
SOURCE_FILE = COURSE.source_dir(ASSIGNMENT) / ASSIGNMENT.notebook


@dataclass
class Run:
    """What every cell gave: points by grade_id, the sentences of tests that answered, other errors."""

    namespace: dict[str, Any]
    points: dict[str, float] = field(default_factory=dict)
    sentences: dict[str, str] = field(default_factory=dict)
    errors: dict[str, Exception] = field(default_factory=dict)


def source() -> Any:
    return nbformat.read(SOURCE_FILE, as_version=4)


def with_answers(notebook: Any, answers: Mapping[str, str]) -> Any:
    """The source with other solution cells, as a grader rebuilds it; also for answers that are stubs."""
    notebook = nbformat.from_dict(notebook)
    unknown = answers.keys() - {cell.id for cell in notebook.cells}
    assert not unknown, unknown
    for cell in notebook.cells:
        cell.source = answers.get(cell.id, cell.source)
    return notebook


def run(notebook: Any, *, folder: Path = SOURCE_FILE.parent, environment: Mapping[str, str] | None = None) -> Run:
    result = Run({"__name__": "__main__", "display": lambda *_: None})
    with contextlib.chdir(folder), _environment(environment or {}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a kernel only prints them; how tests treat them is tested with the kit
        for cell in notebook.cells:
            if cell.cell_type == "code":
                _run_cell(cell, result)
    return result


def _run_cell(cell: Any, result: Run) -> None:
    points = cell.metadata.get("nbgrader", {}).get("points")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            value = _execute(cell.id, cell.source, result.namespace)
    except NotYet as exc:
        result.sentences[cell.id] = str(exc)
        value = 0.0
    except Exception as exc:  # noqa: BLE001 - a kernel goes on after any error, and so does this
        result.errors[cell.id] = exc
        value = 0.0
    if points is not None:
        # As nbgrader does: a cell without a value has full marks.
        result.points[cell.id] = points if value is None else float(value)


def _execute(name: str, text: str, namespace: dict[str, Any]) -> Any:
    filename = f"<cell {name} {hash(text)}>"
    linecache.cache[filename] = (len(text), None, [line + "\n" for line in text.split("\n")], filename)
    tree = ast.parse(text, filename)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, filename, "exec"), namespace)
    if isinstance(last, ast.Expr):
        return eval(compile(ast.Expression(last.value), filename, "eval"), namespace)
    return None


@contextlib.contextmanager
def _environment(extra: Mapping[str, str]):  # type: ignore[no-untyped-def]
    before = {name: os.environ.get(name) for name in extra}
    os.environ.update(extra)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)

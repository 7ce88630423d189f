"""A learner's notebook file, read without trusting a byte of it.

Only three things are taken: which cells there are, in which order, and their text; for feedback, also the outputs, as
data. Points, tags, locks, timestamps and execution counts are not even looked at.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grader.autograde.errors import UnreadableNotebookError

MAX_CELLS = 2000
MAX_CELL_CHARACTERS = 1_000_000
_MAX_ID = 128


@dataclass(frozen=True, slots=True)
class LearnerCell:
    """One cell. `grade_id` is what the cell claims to be."""

    cell_type: str
    text: str
    grade_id: str | None = None
    cell_id: str | None = None
    outputs: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    @property
    def is_code(self) -> bool:
        return self.cell_type == "code"


def read_notebook(data: bytes, name: str) -> tuple[LearnerCell, ...]:
    """The cells of a notebook file (nbformat 3 and 4); raises `UnreadableNotebookError` with the reason in words."""
    try:
        notebook = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as exc:
        raise UnreadableNotebookError(notebook=name, reason="it is not text in UTF-8") from exc
    except ValueError as exc:
        raise UnreadableNotebookError(notebook=name, reason="it is not valid JSON") from exc
    except RecursionError as exc:
        raise UnreadableNotebookError(notebook=name, reason="it is nested too deeply") from exc
    if not isinstance(notebook, dict):
        raise UnreadableNotebookError(notebook=name, reason="it holds no notebook")
    raw = _raw_cells(notebook, name)
    if len(raw) > MAX_CELLS:
        raise UnreadableNotebookError(notebook=name, reason=f"it has more than {MAX_CELLS} cells")
    return tuple(_cell(each, name) for each in raw)


def _raw_cells(notebook: Mapping[str, Any], name: str) -> list[Any]:
    version = notebook.get("nbformat")
    if version == 3:
        sheets = notebook.get("worksheets")
        sheets = sheets if isinstance(sheets, list) else []
        return [cell for sheet in sheets if isinstance(sheet, dict) for cell in _list(sheet.get("cells"))]
    if version != 4:
        raise UnreadableNotebookError(notebook=name, reason="its notebook format is not known here")
    if not isinstance(notebook.get("cells"), list):
        raise UnreadableNotebookError(notebook=name, reason="it has no list of cells")
    return _list(notebook["cells"])


def _cell(raw: Any, name: str) -> LearnerCell:
    if not isinstance(raw, dict):
        raise UnreadableNotebookError(notebook=name, reason="one of its cells is no cell")
    text = _text(raw.get("source", raw.get("input", "")))
    if text is None:
        raise UnreadableNotebookError(notebook=name, reason="the text of one of its cells is no text")
    if len(text) > MAX_CELL_CHARACTERS:
        raise UnreadableNotebookError(notebook=name, reason="one of its cells is longer than a million characters")
    kind = raw.get("cell_type")
    return LearnerCell(
        cell_type=kind if kind in ("code", "markdown") else "raw",
        text=text,
        grade_id=_grade_id(raw.get("metadata")),
        cell_id=_short(raw.get("id")),
        outputs=tuple(each for each in _list(raw.get("outputs")) if isinstance(each, dict)),
    )


def _grade_id(metadata: Any) -> str | None:
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return _short(nbgrader.get("grade_id")) if isinstance(nbgrader, dict) else None


def _short(value: Any) -> str | None:
    return _clean(value) if isinstance(value, str) and 0 < len(value) <= _MAX_ID else None


def _text(value: Any) -> str | None:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = "".join(value)
    return _clean(value) if isinstance(value, str) else None


def _clean(text: str) -> str:
    # JSON can spell halves of surrogate pairs, which no file or database can hold.
    return text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n").replace("\0", "�")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

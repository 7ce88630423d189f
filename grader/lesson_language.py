"""In which language a learner worked, by what is still in their notebook of the lesson they were given."""

from collections.abc import Mapping
from pathlib import Path

from grader.autograde.errors import UnreadableNotebookError
from grader.autograde.learner_notebook import read_notebook


def language_of(notebook: bytes, name: str, lessons: Mapping[str, Path]) -> str:
    """The language whose released lesson shares most cells with this notebook; empty where none shares any.

    `lessons` are the folders of the released lesson by language; of equals the first wins.
    """
    mine = _texts(notebook, name)
    shared = {language: len(mine & _texts(_bytes(folder / name), name)) for language, folder in lessons.items()}
    best = max(shared, key=lambda language: shared[language], default="")
    return best if shared.get(best) else ""


def _texts(notebook: bytes, name: str) -> set[str]:
    try:
        return {cell.text.strip() for cell in read_notebook(notebook, name)} - {""}
    except UnreadableNotebookError:
        return set()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""

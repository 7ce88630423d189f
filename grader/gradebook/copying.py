"""Copying what nbgrader keeps in files, without following links and without halves of a database."""

import contextlib
import shutil
import sqlite3
from pathlib import Path

from grader.gradebook.errors import CourseFolderError

CONFIG = "nbgrader_config.py"


def copy_plain(source: Path, target: Path) -> None:
    """Files and folders; a link anywhere is refused, because it would be followed later by somebody with more rights."""
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        if any(part in {".ipynb_checkpoints", "__pycache__"} for part in inside.parts):
            continue
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise CourseFolderError(path=source, cause=f"{inside} is neither a file nor a folder")
        if path.is_file():
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / inside)
    target.mkdir(parents=True, exist_ok=True)


def copy_database(source: Path, target: Path) -> None:
    """A consistent copy, even while somebody writes."""
    with (
        contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as reading,
        contextlib.closing(sqlite3.connect(target)) as writing,
    ):
        reading.backup(writing)

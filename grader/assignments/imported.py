"""A course that was made for nbgrader elsewhere: its sources as they came, and its lessons for learners.

`COURSE/source/` is nbgrader's own layout, unchanged, so that it can be given back; `COURSE/nbgrader.json` holds what was
read from its configuration. Such a course is not translated: every language gets the same lesson.
"""

import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from grader.assignments.catalogue import assignments_of
from grader.assignments.release import Released, put_lesson
from grader.errors import CourseError, UnknownLessonError
from grader.notebook import Notebook, between, converted, dump, read_any

LANGUAGES = ("en", "zh-CN")
FACTS = "nbgrader.json"


def source_of(notebook: Path) -> Notebook:
    """The notebook with the course's header and footer, as nbgrader would release it. Raises `NotebookError`."""
    course_folder = notebook.parent.parent.parent
    facts = facts_of(course_folder)
    parts = {name: facts.get(name) for name in ("header", "footer")}
    read = {name: read_any(course_folder / part) if isinstance(part, str) else None for name, part in parts.items()}
    return between(read_any(notebook), read["header"], read["footer"])


def facts_of(course_folder: Path) -> Mapping[str, Any]:
    """What was read from the course's configuration when it was imported."""
    try:
        facts: Mapping[str, Any] = json.loads((course_folder / FACTS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return facts


def release_imported(course_folder: Path, assignment: str) -> list[Released]:
    """The lesson where learners' servers mount it from, in every language. Raises `UnknownLessonError`, `NotebookError`,
    `CourseError` for a link, `ReleaseError`."""
    folder = course_folder / "source" / assignment
    if assignment not in assignments_of(course_folder):
        raise UnknownLessonError(
            "The course %(course)s has no assignment %(name)s.", course=course_folder.name, name=assignment
        )
    content: dict[PurePath, bytes] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_symlink():
            raise CourseError("%(path)s is a link; a lesson holds plain files only.", path=path)
        if path.is_dir() or any(part.startswith((".", "__")) for part in inside.parts):
            continue
        is_lesson = path.suffix == ".ipynb" and path.parent == folder
        content[inside] = dump(converted(source_of(path), path.stem)) if is_lesson else path.read_bytes()
    return [put_lesson(content, course_folder, language, assignment) for language in LANGUAGES]

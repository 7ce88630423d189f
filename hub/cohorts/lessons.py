"""Released lessons, read from the shelf (`STATE/courses`) at every request: releasing one needs no restart."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.cohorts.model import Course, Lesson

_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class CourseShelf:
    """COURSE/release/LANGUAGE/ASSIGNMENT/ directories, described by `catalogue.json` beside the courses.

    The directories say what is released; the catalogue says how it is called, how long it takes, and in which order it
    comes. Both are written by whoever releases lessons. A lesson the catalogue does not know is shown by its name.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def courses(self, names: tuple[str, ...]) -> tuple[Course, ...]:
        """These courses in this order, each with the lessons that are released in any language."""
        catalogue = _by_name(_read_json(self._root / "catalogue.json"))
        return tuple(self._course(name, catalogue.get(name, {})) for name in names)

    def _course(self, name: str, described: Mapping[str, Any]) -> Course:
        released = self._released(name)
        lessons = _by_name(described.get("assignments"))
        order = [*(lesson for lesson in lessons if lesson in released), *sorted(released - lessons.keys())]
        return Course(
            name,
            _texts(described.get("title")),
            _texts(described.get("summary")),
            tuple(_lesson(name, lesson, lessons.get(lesson, {})) for lesson in order),
        )

    def _released(self, name: str) -> set[str]:
        if not _SLUG.fullmatch(name):
            return set()
        # A release is swapped in by rename, so a directory that is there is complete; one may vanish under the scan.
        found = {path.name for path in (self._root / name / "release").glob("*/*/") if path.is_dir()}
        return {lesson for lesson in found if _SLUG.fullmatch(lesson)}


def _lesson(course: str, name: str, described: Mapping[str, Any]) -> Lesson:
    notebook, minutes = described.get("notebook"), described.get("minutes")
    is_plain = isinstance(notebook, str) and notebook.endswith(".ipynb") and _SLUG.fullmatch(notebook)
    return Lesson(
        course,
        name,
        notebook=str(notebook) if is_plain else f"{name}.ipynb",
        minutes=minutes if isinstance(minutes, int) else None,
        titles=_texts(described.get("title")),
        summaries=_texts(described.get("summary")),
    )


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # titles are decoration: the folder's name serves


def _by_name(found: object) -> dict[str, Mapping[str, Any]]:
    entries = found if isinstance(found, list) else []
    return {each["name"]: each for each in entries if isinstance(each, dict) and isinstance(each.get("name"), str)}


def _texts(found: object) -> dict[str, str]:
    entries = found.items() if isinstance(found, dict) else ()
    return {str(language): text for language, text in entries if isinstance(text, str)}

"""Released lessons, read from the shelf (`STATE/courses`) at every request: releasing one needs no restart."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.cohorts.model import Course, Lesson

_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Titles = tuple[tuple[str, str], ...]


class CourseShelf:
    """COURSE/release/LANGUAGE/ASSIGNMENT/ directories, and titles from COURSE/titles.json where there is one.

    `titles.json`: `{"title": {"en": …, "zh-CN": …}, "lessons": [{"name": ASSIGNMENT, "title": {…}}, …]}`; the order of
    its lessons is the order people see.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def course(self, name: str) -> Course:
        """The course with the lessons that are released in any language."""
        if not _SLUG.fullmatch(name):
            return Course(name, (), ())
        folder = self._root / name
        description = _read_titles(folder / "titles.json")
        titles: dict[str, Titles] = {}
        for each in description.get("lessons") or ():
            if isinstance(each, dict) and isinstance(each.get("name"), str):
                titles[each["name"]] = _titles(each.get("title"))
        released = _released(folder / "release")
        order = [*(lesson for lesson in titles if lesson in released), *sorted(released - titles.keys())]
        lessons = tuple(Lesson(name, lesson, titles.get(lesson, ())) for lesson in order)
        return Course(name, _titles(description.get("title")), lessons)


def _released(folder: Path) -> set[str]:
    # The release is swapped in by rename, so a directory that is there is complete; one may vanish under the scan.
    found = {path.name for path in folder.glob("*/*/") if path.is_dir()}
    return {name for name in found if _SLUG.fullmatch(name)}


def _read_titles(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # titles are decoration: the folder's name serves
    return data if isinstance(data, dict) else {}


def _titles(found: object) -> Titles:
    if not isinstance(found, dict):
        return ()
    return tuple((str(language), str(title)) for language, title in found.items())

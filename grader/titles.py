"""What courses and assignments are called, in every language, and which notebook a learner opens: for pages and programs.

Read from `STATE/courses` whenever it has changed: the catalogue beside the courses for those of the distribution, the
folder's own names for courses that were imported.
"""

import json
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from grader.assignments.catalogue import assignments_of

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


class Titles:
    """Safe to share between threads."""

    def __init__(self, courses: Path) -> None:
        self._courses = courses
        self._lock = threading.Lock()
        self._read: tuple[int, Mapping[str, Mapping[str, Any]]] = (0, {})

    def course(self, course: str, language: str) -> str:
        """The course's title; a readable form of its name where it has none."""
        return _in(self._catalogue().get(course, {}).get("title"), language) or _readable(course)

    def assignment(self, course: str, assignment: str, language: str) -> str:
        """The assignment's title, likewise."""
        return _in(self._described(course, assignment).get("title"), language) or _readable(assignment)

    def assignments(self, course: str) -> Sequence[str]:
        """Names of the course's assignments in the course's order; none for a course that is not here."""
        if _NAME.match(course) and (self._courses / course / "source").is_dir():
            return assignments_of(self._courses / course)
        return [each["name"] for each in self._catalogue().get(course, {}).get("assignments", ())]

    def languages(self, course: str, assignment: str) -> list[str]:
        """Languages the assignment is released in, English first."""
        released = self._courses / course / "release"
        if not (_NAME.match(course) and _NAME.match(assignment) and released.is_dir()):
            return []
        found = sorted(path.name for path in released.iterdir() if (path / assignment).is_dir())
        return sorted(found, key=lambda language: language != "en")

    def lessons(self, course: str, assignment: str) -> Mapping[str, Path]:
        """Where the released lesson lies, by language, English first."""
        released = self._courses / course / "release"
        return {language: released / language / assignment for language in self.languages(course, assignment)}

    def folder(self, course: str, assignment: str, language: str) -> Path | None:
        """Where the released lesson lies in that language, else in another; None if it is not released in any."""
        lessons = self.lessons(course, assignment)
        return lessons.get(language) or next(iter(lessons.values()), None)

    def _described(self, course: str, assignment: str) -> Mapping[str, Any]:
        for each in self._catalogue().get(course, {}).get("assignments", ()):
            if each["name"] == assignment:
                found: Mapping[str, Any] = each
                return found
        return {}

    def _catalogue(self) -> Mapping[str, Mapping[str, Any]]:
        path = self._courses / "catalogue.json"
        try:
            changed_ns = path.stat().st_mtime_ns
            with self._lock:
                if self._read[0] != changed_ns:
                    courses = json.loads(path.read_text(encoding="utf-8"))
                    self._read = (changed_ns, {course["name"]: course for course in courses})
                return self._read[1]
        except (OSError, ValueError, KeyError, TypeError):
            return {}  # titles are decoration: the folder's name serves


def _in(texts: Mapping[str, str] | None, language: str) -> str:
    return (texts or {}).get(language) or (texts or {}).get("en") or ""


def _readable(slug: str) -> str:
    return slug.replace("-", " ").replace("_", " ").capitalize()

"""The courses that come with this distribution. Their sources hold solutions: the folders are for the centre alone."""

from pathlib import Path
from typing import Any

from grader.assignments.course import Course, load_course
from grader.errors import UnknownLessonError

COURSES_DIR = Path(__file__).resolve().parents[2] / "courses"
"""Beside this package, in a checkout and in an installed wheel alike; `courses` itself is a namespace, not a module."""


def courses(root: Path = COURSES_DIR) -> tuple[Course, ...]:
    """Every course under `root`, by name. Raises `CourseError` for one that cannot be used."""
    return tuple(load_course(path.parent) for path in sorted(root.glob("*/course.yaml")))


def course(name: str, root: Path = COURSES_DIR) -> Course:
    """The course of that name; raises `UnknownLessonError`."""
    for found in courses(root):
        if found.name == name:
            return found
    raise UnknownLessonError("There is no course %(name)s here.", name=name)


def assignments_of(course_folder: Path) -> list[str]:
    """Names of an imported course's assignments: the folders under `source/` that have a notebook."""
    source = course_folder / "source"
    return sorted(path.name for path in source.iterdir() if path.is_dir() and any(path.glob("*.ipynb")))


def listing(of: tuple[Course, ...]) -> list[dict[str, Any]]:
    """What pages need to show courses, as JSON: names, titles and summaries per language, notebooks. No sources."""
    return [
        {
            "name": course.name,
            "title": course.title,
            "summary": course.summary,
            "languages": list(course.languages),
            "assignments": [
                {
                    "name": assignment.name,
                    "title": assignment.title,
                    "summary": assignment.summary,
                    "minutes": assignment.minutes,
                    "notebook": assignment.notebook,
                }
                for assignment in course.assignments
            ],
        }
        for course in of
    ]

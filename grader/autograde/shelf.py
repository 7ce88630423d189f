"""Where the grader finds an assignment: among the distribution's courses, or in a course folder that was imported.

The files that learners' code may see come from the released lesson, which holds no solution, never from the source.
"""

import threading
from pathlib import Path

from grader.assignments.catalogue import COURSES_DIR, assignments_of
from grader.assignments.course import SOURCE_LANGUAGE, Course, load_course
from grader.autograde.assignment import GradedAssignment, SourceNotebook, digest
from grader.autograde.conversions import Conversions, address_of
from grader.errors import UnknownLessonError


class Shelf:
    """Assignments by name, converted once per version of their files. Safe to share between threads.

    `state_courses` is the state directory's `courses/`: releases are in `COURSE/release/LANGUAGE/ASSIGNMENT`, imported
    courses' sources in `COURSE/source/ASSIGNMENT`. An imported course hides one of the distribution of the same name.
    `conversions` is where what one process converted is found by the others.
    """

    def __init__(
        self, state_courses: Path, distribution: Path = COURSES_DIR, conversions: Conversions | None = None
    ) -> None:
        self._conversions = conversions
        self._state_courses = state_courses
        self._distribution = distribution
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str, str], tuple[object, GradedAssignment]] = {}

    def get(self, course: str, assignment: str, language: str = SOURCE_LANGUAGE) -> GradedAssignment:
        """The assignment in that language, in English where it is not given in it.

        Raises `UnknownLessonError`, and `CourseError`, `NotebookError` or `TranslationError` for an unfit source.
        """
        folder, described = self._find(course, assignment)
        if described is None or language not in described.languages:
            language = SOURCE_LANGUAGE
        state = _state_of(folder.parent.parent if described else folder)
        key = (course, assignment, language)
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and kept[0] == state:
            return kept[1]
        made = self._put_together(
            course, assignment, language, self._converted(folder, described, assignment, language, state)
        )
        with self._lock:
            self._kept[key] = (state, made)
        return made

    def notebook_files(self, course: str, assignment: str) -> frozenset[str]:
        """File names of the assignment's notebooks, empty if there is no such assignment any more."""
        try:
            folder, _ = self._find(course, assignment)
        except UnknownLessonError:
            return frozenset()
        return frozenset(path.name for path in _notebooks_in(folder))

    def assignments(self, course: str) -> list[str]:
        """Names of the course's assignments; raises `UnknownLessonError`."""
        if (self._state_courses / course / "source").is_dir():
            return assignments_of(self._state_courses / course)
        return [each.name for each in self._described(course).assignments]

    def folder(self, course: str, assignment: str) -> Path:
        """Where the assignment's source lies; raises `UnknownLessonError`."""
        return self._find(course, assignment)[0]

    def _find(self, course: str, assignment: str) -> tuple[Path, Course | None]:
        if "/" in course or "/" in assignment or course.startswith(".") or assignment.startswith("."):
            raise UnknownLessonError("There is no such course or assignment.")
        imported = self._state_courses / course / "source" / assignment
        if imported.is_dir():
            return imported, None
        described = self._described(course)
        return described.source_dir(described.assignment(assignment)), described

    def _described(self, course: str) -> Course:
        if "/" in course or not (self._distribution / course / "course.yaml").is_file():
            raise UnknownLessonError("There is no course %(course)s here.", course=course)
        return load_course(self._distribution / course)

    def _converted(
        self, folder: Path, described: Course | None, assignment: str, language: str, state: object
    ) -> tuple[SourceNotebook, ...]:
        name = address_of(str(folder), language, state)
        found = self._conversions.find(name) if self._conversions else None
        if found is None:
            # nbgrader takes seconds and 50 MiB to load; who finds everything converted does without.
            from grader.autograde.conversion import convert  # noqa: PLC0415

            found = convert(_notebooks_in(folder), described, assignment, language)
            if self._conversions:
                self._conversions.keep(name, found)
        return found

    def _put_together(
        self, course: str, assignment: str, language: str, notebooks: tuple[SourceNotebook, ...]
    ) -> GradedAssignment:
        files = self._state_courses / course / "release" / language / assignment
        if not files.is_dir():
            raise UnknownLessonError(
                "The assignment %(assignment)s of %(course)s has not been released.",
                assignment=assignment,
                course=course,
            )
        names = tuple(
            sorted(path.name for path in files.iterdir() if path.suffix != ".ipynb" and not path.name.startswith("."))
        )
        return GradedAssignment(course, assignment, language, notebooks, files, names, digest(notebooks))


def _notebooks_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.ipynb") if path.is_file())


def _state_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes when a file below is written: name, time of change (ns) and size of each."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in {".ipynb", ".md", ".yaml"}:
            status = path.stat()
            found.append((str(path), status.st_mtime_ns, status.st_size))
    return tuple(found)

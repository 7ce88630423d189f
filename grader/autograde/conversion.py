"""An assignment's source notebooks as the grader needs them: nbgrader's conversions, in every language. Loads nbgrader."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.assignments.course import SOURCE_LANGUAGE, Course
from grader.assignments.imported import source_of
from grader.assignments.translation import load_translation, translated
from grader.autograde.assignment import SourceCell, SourceNotebook
from grader.notebook import Notebook, Stubs, converted, graded, nbgrader_metadata, read

_BEGIN, _END = "BEGIN HIDDEN TESTS", "END HIDDEN TESTS"
_SOLUTION = re.compile(r"^[^\n]*BEGIN SOLUTION[^\n]*\n(.*?)^[^\n]*END SOLUTION", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Version:
    """One language's source of a notebook, with the stubs it is released with."""

    language: str
    source: Notebook
    stubs: Stubs


def convert(
    notebooks: Sequence[Path], described: Course | None, assignment: str, language: str
) -> tuple[SourceNotebook, ...]:
    """These files in that language. Raises `CourseError`, `NotebookError` or `TranslationError` for an unfit source."""
    return tuple(_notebook(path.stem, _versions(path, described, assignment), language) for path in notebooks)


def source_notebook(
    source: Notebook, name: str, graded: Notebook, released: Notebook, others: Sequence[Notebook] = ()
) -> SourceNotebook:
    """From a source and nbgrader's two versions of it, cell by cell; `others` are the released versions in other languages."""
    stubs: dict[str, set[str]] = {}
    for version in (released, *others):
        for cell in version.cells:
            if grade_id := nbgrader_metadata(cell).get("grade_id"):
                stubs.setdefault(grade_id, set()).add(cell.source)
    guides = {str(nbgrader_metadata(cell).get("grade_id")): _guide(cell.source) for cell in source.cells}
    cells = tuple(_cell(mine, theirs, stubs, guides) for mine, theirs in zip(graded.cells, released.cells, strict=True))
    return SourceNotebook(name, cells, dict(graded.metadata.get("kernelspec", {})))


def _versions(path: Path, described: Course | None, assignment: str) -> Sequence[Version]:
    if described is None:
        return [Version(SOURCE_LANGUAGE, source_of(path), Stubs())]
    source = read(path)
    versions = [Version(SOURCE_LANGUAGE, source, Stubs())]
    if described is not None:
        for language in described.languages:
            if language != SOURCE_LANGUAGE:
                translation = load_translation(described, described.assignment(assignment), language)
                versions.append(Version(language, translated(source, translation), translation.stubs))
    return versions


def _notebook(name: str, versions: Sequence[Version], language: str) -> SourceNotebook:
    def made(how: Callable[[Notebook, str, Stubs | None], Notebook], version: Version) -> Notebook:
        return how(version.source, name, version.stubs)

    mine = next(version for version in versions if version.language == language)
    others = [made(converted, version) for version in versions if version is not mine]
    return source_notebook(mine.source, name, made(graded, mine), made(converted, mine), others)


def _cell(mine: Any, theirs: Any, stubs: Mapping[str, set[str]], guides: Mapping[str, str]) -> SourceCell:
    metadata = nbgrader_metadata(mine)
    grade_id = metadata.get("grade_id") or None
    is_task = bool(metadata.get("task", False))
    is_grade = bool(metadata.get("grade", False))
    return SourceCell(
        cell_id=mine.get("id", ""),
        cell_type=mine.cell_type,
        text=mine.source,
        released=theirs.source,
        stubs=frozenset(stubs.get(grade_id, ())) if grade_id else frozenset(),
        grade_id=grade_id,
        points=float(metadata.get("points", 0)) if is_grade or is_task else 0.0,
        is_grade=is_grade,
        is_solution=bool(metadata.get("solution", False)),
        is_task=is_task,
        is_locked=bool(metadata.get("locked", False)),
        checksum=metadata.get("checksum"),
        guide=guides.get(grade_id, "") if grade_id and is_grade and mine.cell_type != "code" else "",
        hidden_lines=_hidden_lines(mine.source),
    )


def _guide(text: str) -> str:
    return "\n\n".join(match[1].strip() for match in _SOLUTION.finditer(text))


def _hidden_lines(text: str) -> frozenset[int]:
    inside, found = False, set()
    for number, line in enumerate(text.split("\n"), start=1):
        inside = inside or _BEGIN in line
        if inside:
            found.add(number)
        if _END in line:
            inside = False
    return frozenset(found)

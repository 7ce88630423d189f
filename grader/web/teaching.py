"""The assignment an instructor's page is about, and the words every action of theirs is noted with."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from anyio import to_thread
from fastapi import Depends

from grader.autograde.errors import UnknownSubmissionError
from grader.autograde.service import Standing
from grader.errors import GraderError, UnknownLessonError
from grader.web.access import DeskOf
from grader.web.desk import HOME, Desk

log = logging.getLogger("grader.actions")


@dataclass(frozen=True, slots=True)
class Taught:
    """One assignment of a course, by name."""

    course: str
    assignment: str

    @property
    def url(self) -> str:
        """Path of its page, without a slash at the end."""
        return f"{HOME}teach/{quote(self.course, safe='')}/{quote(self.assignment, safe='')}"

    def title(self, desk: Desk, language: str) -> str:
        return desk.titles.assignment(self.course, self.assignment, language)


async def taught_of(course: str, assignment: str, desk: DeskOf) -> Taught:
    """The assignment of the address. Raises `UnknownLessonError` where the course has none of that name."""
    if assignment not in await to_thread.run_sync(desk.titles.assignments, course):
        raise UnknownLessonError(
            "This course has no such assignment. Go back to your assignments and choose from there."
        )
    return Taught(course, assignment)


TaughtOf = Annotated[Taught, Depends(taught_of)]


async def standing_of(submission_id: int, desk: DeskOf, taught: TaughtOf) -> Standing:
    """The hand-in of the address, if it belongs to the assignment of the address. Raises `UnknownSubmissionError`."""
    if not 0 <= submission_id < 2**31:
        raise UnknownSubmissionError
    standing = await to_thread.run_sync(desk.grading.service.standing, submission_id)
    work = standing.submission.work
    if (work.course, work.assignment) != (taught.course, taught.assignment):
        raise UnknownSubmissionError
    return standing


StandingOf = Annotated[Standing, Depends(standing_of)]


def cell_order(desk: Desk, course: str, assignment: str) -> Mapping[tuple[str, str], int]:
    """Places of the assignment's cells, by (notebook, grade_id); empty where the source cannot be read any more."""
    try:
        notebooks = desk.grading.shelf.get(course, assignment).notebooks
    except GraderError:
        return {}
    cells = [(notebook.name, cell.grade_id) for notebook in notebooks for cell in notebook.cells if cell.grade_id]
    return {cell: place for place, cell in enumerate(cells)}


def note(actor: str, action: str, taught: Taught, **details: Any) -> None:
    """One line in the service's log for what an instructor did."""
    told = " ".join(f"{name}={value}" for name, value in details.items())
    log.info("%s: %s %s/%s %s", actor, action, taught.course, taught.assignment, told)

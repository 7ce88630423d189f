"""The first page: what is due, for learners; what is released and waits to be graded, for instructors."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from grader.autograde.service import Progress
from grader.people import Person
from grader.store.model import Offer
from grader.web.access import DeskOf, PageVisitor
from grader.web.desk import Desk

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Taught:
    """An assignment of a course somebody teaches."""

    course: str
    assignment: str
    offer: Offer | None
    progress: Progress


@router.get("/")
async def show_home(request: Request, desk: DeskOf, visitor: PageVisitor) -> Response:
    """Everything of the visitor's, whichever roles they have."""
    person = visitor.person
    entries, taught = await to_thread.run_sync(lambda: (desk.overview.of(person), list(_taught(desk, person))))
    return desk.renderer.page(
        request,
        "home",
        signed_in=visitor,
        mine={course: list(found) for course, found in groupby(entries, key=lambda each: each.work.course)},
        taught={course: list(found) for course, found in groupby(taught, key=lambda each: each.course)},
        titles=desk.titles,
        now=desk.grading.clock.now(),
    )


def _taught(desk: Desk, person: Person) -> Iterator[Taught]:
    offers = {(each.course, each.assignment): each for each in desk.grading.offers.of_courses(person.taught)}
    for course in person.taught:
        for assignment in desk.titles.assignments(course):
            progress = desk.grading.service.progress(course, assignment)
            yield Taught(course, assignment, offers.get((course, assignment)), progress)

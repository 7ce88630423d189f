"""The class at an assignment as it is now, and again whenever it has changed: an event stream for the open page."""

from dataclasses import dataclass

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from grader.autograde.service import Progress
from grader.people import Person
from grader.roll import Pace, Row, pace_of
from grader.web.access import DeskOf, StreamInstructor
from grader.web.desk import Desk
from grader.web.teaching import Taught, TaughtOf
from hub.web.live import EveryTime, stream

router = APIRouter(prefix="/teach/{course}/{assignment}", include_in_schema=False)

_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class ClassView:
    """What the live part of the page shows."""

    rows: list[Row]
    progress: Progress
    pace: Pace

    @property
    def done(self) -> int:
        """Gradings that have ended, well or not."""
        return self.progress.graded + self.progress.needs_person + self.progress.failed

    @property
    def waiting(self) -> int:
        """Answers that wait for somebody to read them."""
        return sum(row.waiting for row in self.rows)

    @property
    def releasable(self) -> int:
        """Learners whose marks are whole and not released yet, or changed since."""
        return sum(
            row.is_marked and (row.released is None or row.marks is None or row.released.job_id != row.marks.job.id)
            for row in self.rows
        )


async def class_view(desk: Desk, taught: Taught, people: list[Person] | None = None) -> ClassView:
    """The class now. Raises `PeopleUnreachableError`."""
    found = list(await desk.people.people_of(taught.course)) if people is None else people
    return await to_thread.run_sync(_view, desk, taught, found)


@router.get("/events")
async def class_events(request: Request, desk: DeskOf, visitor: StreamInstructor, taught: TaughtOf) -> Response:
    """Server-sent events `{"html"}`: the live part, each time it has changed."""
    people = list(await desk.people.people_of(taught.course))

    async def look() -> dict[str, object]:
        view = await class_view(desk, taught, people)
        return {"html": desk.renderer.fragment(request, "live", visitor, view=view, taught=taught)}

    return stream(EveryTime(), look, pause_s=0, look_s=_LOOK_S)


def _view(desk: Desk, taught: Taught, people: list[Person]) -> ClassView:
    rows = desk.roll.of(taught.course, taught.assignment, people)
    progress = desk.grading.service.progress(taught.course, taught.assignment)
    return ClassView(rows, progress, pace_of(rows, progress, desk.grading.clock.now()))

"""What leaves the grader: marks as a table, a course as the folder that nbgrader's own tools open."""

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import anyio
from anyio import to_thread
from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from grader.gradebook.recording import LaterRecords
from grader.roll import Row
from grader.web.access import DeskOf, PageInstructor
from grader.web.desk import Desk
from grader.web.errors import GradebookBehindError
from grader.web.teaching import Taught, TaughtOf, cell_order, note
from hub.web.spreadsheet import as_csv

router = APIRouter(prefix="/teach/{course}/{assignment}", include_in_schema=False)

_GRADEBOOK_WITHIN_S = 8.0
_LOOK_S = 0.5


@router.get("/marks.csv")
async def export_marks(desk: DeskOf, visitor: PageInstructor, taught: TaughtOf) -> Response:
    """One line per learner, cell by cell; opens in spreadsheets as it is, and runs nothing there."""
    people = await desk.people.people_of(taught.course)
    rows = await to_thread.run_sync(desk.roll.of, taught.course, taught.assignment, people)
    order = await to_thread.run_sync(cell_order, desk, taught.course, taught.assignment)
    note(visitor.person.name, "export marks", taught, learners=len(rows))
    name = f"marks-{taught.course}-{taught.assignment}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(marks_table(rows, order), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/course.zip")
async def export_course(desk: DeskOf, visitor: PageInstructor, taught: TaughtOf) -> Response:
    """The whole course as an nbgrader course folder, gradebook included. Raises `GradebookBehindError`."""
    await _gradebook_is_up_to_date(desk, taught.course)
    folder = Path(await to_thread.run_sync(tempfile.mkdtemp, "", "practicum-export-"))
    try:
        archive = await to_thread.run_sync(_packed, desk, taught, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    note(visitor.person.name, "export course", taught)
    return FileResponse(
        archive,
        media_type="application/zip",
        filename=f"{taught.course}.zip",
        background=BackgroundTask(shutil.rmtree, folder, ignore_errors=True),
    )


def marks_table(rows: list[Row], order: Mapping[tuple[str, str], int]) -> bytes:
    """A line per learner, cell by cell, as CSV."""
    found = {(each.notebook, each.grade_id) for row in rows if row.marks for each in row.marks.results}
    cells = sorted(found, key=lambda cell: (order.get(cell, 0), cell))
    head = ["user name", "name", "attempt", "submitted at (UTC)", "verdict", "grading", "score", "most points"]
    head += ["late penalty", "waiting", "feedback released", *(grade_id for _, grade_id in cells)]
    return as_csv(head, (_line(row, cells) for row in rows))


def _line(row: Row, cells: list[tuple[str, str]]) -> Iterator[object]:
    yield from (row.learner, row.display_name)
    submission, marks = row.submission, row.marks
    if submission is None:
        return
    yield from (submission.attempt, submission.submitted_at.strftime("%Y-%m-%d %H:%M:%S"), submission.verdict.value)
    yield row.job.status.value if row.job else ""
    if marks is None:
        return
    yield from (marks.score, marks.max_score, sum(marks.penalties.values()), len(marks.waiting))
    yield "yes" if row.released else "no"
    points = {(each.notebook, each.grade_id): marks.points(each) for each in marks.results}
    yield from (points.get(cell, "") for cell in cells)


def _packed(desk: Desk, taught: Taught, folder: Path) -> Path:
    course, archive = folder / taught.course, folder / "course.zip"
    desk.grading.exporting.give_back(taught.course, course)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(course.rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(folder))
    return archive


async def _gradebook_is_up_to_date(desk: Desk, course: str) -> None:
    records = LaterRecords(desk.grading.database, desk.grading.reader)
    for _ in range(int(_GRADEBOOK_WITHIN_S / _LOOK_S)):
        if await to_thread.run_sync(records.is_up_to_date, course):
            return
        await anyio.sleep(_LOOK_S)
    raise GradebookBehindError

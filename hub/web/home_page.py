"""The first page: own courses with their lessons, and the own server."""

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from hub.web.centre import Centre
from hub.web.chosen_lesson import lesson_url
from hub.web.due_lines import DueLine
from hub.web.home_share import home_share
from hub.web.jupyterhub_api import ServerStatus
from hub.web.released import released_courses
from hub.web.roster_api import described
from hub.web.share_starts import holding
from hub.web.visitors import CentreOf, PageVisitor, Visitor

router = APIRouter(include_in_schema=False)


@router.get("/")
async def show_home(request: Request, centre: CentreOf, visitor: PageVisitor) -> Response:
    """Courses, lessons, and what the server is doing."""
    now = await holding(centre, visitor.person)
    lines = await _due_lines(request, centre, visitor)
    on_shelf = await to_thread.run_sync(centre.cohorts.roster.courses_of, visitor.person)
    courses = released_courses(visitor.person, on_shelf, lines)
    room = await to_thread.run_sync(centre.rooms.of, visitor.person.name, visitor.person.uid)
    lesson_urls = {}
    if now.server.status is ServerStatus.RUNNING:
        lesson_urls = {
            (lesson.course, lesson.assignment): lesson_url(now.server.url, lesson)
            for course in courses
            for lesson in course.lessons
        }
    return centre.renderer.page(
        request,
        "home",
        signed_in=visitor,
        server=now.server,
        share=await home_share(centre, visitor, now, centre.renderer.translator(request, visitor)),
        courses=courses,
        room=room,
        lesson_urls=lesson_urls,
        due_lines=lines or {},
    )


async def _due_lines(request: Request, centre: Centre, visitor: Visitor) -> dict[tuple[str, str], DueLine] | None:
    if centre.due_lines is None or not visitor.person.courses:
        return None
    language = centre.renderer.translator(request, visitor).language
    return await centre.due_lines.of(described(centre, visitor.person), language)

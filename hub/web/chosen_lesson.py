"""The lesson somebody is on the way to: it goes along in every address until the server runs."""

from urllib.parse import quote, urlencode

from anyio import to_thread

from hub.cohorts.model import Lesson, Person
from hub.web.centre import Centre
from hub.web.errors import LessonUnknownError


def lesson_url(server_url: str, lesson: Lesson | None) -> str:
    """Where the lesson's notebook opens in JupyterLab; JupyterLab itself without one."""
    if lesson is None:
        return f"{server_url}lab"
    return f"{server_url}lab/tree/{quote(f'{lesson.course}/{lesson.assignment}/{lesson.notebook}')}"


def lesson_name(lesson: Lesson | None) -> str:
    """`COURSE/ASSIGNMENT`, as forms and addresses carry it; empty for none."""
    return f"{lesson.course}/{lesson.assignment}" if lesson else ""


def lesson_query(name: str) -> str:
    """The end of an address that carries the lesson on."""
    return f"?{urlencode({'lesson': name})}" if name else ""


async def chosen_lesson(centre: Centre, person: Person, chosen: str) -> Lesson | None:
    """The lesson of that `COURSE/ASSIGNMENT`; None when none was chosen. Raises `LessonUnknownError` if it is none of the person's."""
    if not chosen:
        return None
    courses = await to_thread.run_sync(centre.cohorts.roster.courses_of, person)
    for course in courses:
        for lesson in course.lessons:
            if chosen == lesson_name(lesson):
                return lesson
    raise LessonUnknownError

"""Which lessons of a course somebody may have now: the shelf holds what could be released, the grader knows what is."""

from collections.abc import Container, Iterable
from dataclasses import replace

from hub.cohorts.model import Course, Lesson, Person, Role


def released_courses(
    person: Person, courses: Iterable[Course], released: Container[tuple[str, str]] | None
) -> tuple[Course, ...]:
    """The courses with the lessons that are released to the person, as (course, assignment), and all where they teach.

    None: the grader does not answer, and the lessons are left as they are.
    """
    if released is None:
        return tuple(courses)
    return tuple(replace(course, lessons=released_lessons(person, course.lessons, released)) for course in courses)


def released_lessons(
    person: Person, lessons: Iterable[Lesson], released: Container[tuple[str, str]]
) -> tuple[Lesson, ...]:
    """Those of the lessons that are released to the person, and all of courses they teach."""
    taught = {course for each in person.memberships if each.role is Role.INSTRUCTOR for course in each.cohort.courses}
    return tuple(
        lesson for lesson in lessons if lesson.course in taught or (lesson.course, lesson.assignment) in released
    )

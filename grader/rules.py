"""What the grader asks about a course's people and dates. Whoever knows (the practicum service, a page) implements it."""

from datetime import datetime
from typing import Protocol

from grader.exchange.terms import Terms
from grader.store.model import Work


class CourseRules(Protocol):
    """Asked anew each time, so that an extension given later also moves the penalty."""

    def due_at(self, course: str, assignment: str) -> datetime | None:
        """When the assignment is due for everybody without an extension."""

    def terms(self, work: Work) -> Terms:
        """What holds for this learner."""

    def penalty(self, work: Work, *, score: float, max_score: float, seconds_late: float) -> float:
        """Points taken off one notebook for being late; what is not from 0 to `score` is moved to the nearer end."""

    def display_name(self, learner: str) -> str | None:
        """What people call the learner, if known."""


class NoRules:
    """Nothing is due, nothing is late, nobody is known."""

    def due_at(self, _course: str, _assignment: str) -> datetime | None:
        return None

    def terms(self, _work: Work) -> Terms:
        return Terms()

    def penalty(self, _work: Work, *, score: float, max_score: float, seconds_late: float) -> float:
        del score, max_score, seconds_late
        return 0.0

    def display_name(self, _learner: str) -> str | None:
        return None

"""Releasing assignments to learners: to whom, until when; and what follows for each of them. Synchronous."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus

from grader.errors import GraderError
from grader.exchange.terms import Terms
from grader.store.jobs import Jobs
from grader.store.model import Extension, Offer, Work
from grader.store.offers import Extensions, Learners, Offers
from grader.store.submissions import Submissions
from hub.clock import Clock
from hub.database import Database

_DAY_S = 86_400
MAX_EXTENSION = timedelta(days=366)


class DeadlinesCrossedError(GraderError):
    """Work would be refused before it is late."""

    code = "deadlines-crossed"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "The assignment closes before it is due. Choose a later closing time, or none."


class OfferInUseError(GraderError):
    """Somebody has handed in already."""

    code = "offer-in-use"
    status = HTTPStatus.CONFLICT
    sentence = "Learners have handed in already, so the release cannot be taken back. Set a closing time instead."


class NotOfferedError(GraderError):
    """The assignment has not been released."""

    code = "not-offered"
    status = HTTPStatus.NOT_FOUND
    sentence = "This assignment has not been released."


class TooLongError(GraderError):
    """An extension that is no number of hours, or longer than a year."""

    code = "extension-too-long"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "An extension goes from 0 hours to a year."


class OfferRules:
    """What the grader asks about dates and names, read anew each time (`grader.rules.CourseRules`)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due_at(self, course: str, assignment: str) -> datetime | None:
        """When it is due for everybody without an extension."""
        with self._database.reading() as connection:
            found = Offers(connection).get(course, assignment)
        return found.terms.due_at if found else None

    def terms(self, work: Work) -> Terms:
        """What holds for this learner; what is not offered has no deadline."""
        return self.at(work.course, work.assignment).terms(work)

    def penalty(self, work: Work, *, score: float, max_score: float, seconds_late: float) -> float:
        """The offer's percentage of the most points for each begun day."""
        rules = self.at(work.course, work.assignment)
        return rules.penalty(work, score=score, max_score=max_score, seconds_late=seconds_late)

    def at(self, course: str, assignment: str) -> "AssignmentRules":
        """The rules of one assignment as they are now."""
        with self._database.reading() as connection:
            found = Offers(connection).get(course, assignment)
            extensions = Extensions(connection).of_assignment(course, assignment)
        return AssignmentRules(found, extensions)

    def display_name(self, learner: str) -> str | None:
        """What the learner was called when they were last here."""
        with self._database.reading() as connection:
            return Learners(connection).display_name(learner)


class AssignmentRules:
    """The rules of one assignment as they were at one moment, so that a whole class costs two queries."""

    def __init__(self, found: Offer | None, extensions: Mapping[str, Extension]) -> None:
        self._offer = found
        self._extensions = extensions

    def due_at(self, _course: str, _assignment: str) -> datetime | None:
        return self._offer.terms.due_at if self._offer else None

    def terms(self, work: Work) -> Terms:
        return own_terms(self._offer, self._extensions.get(work.learner)) if self._offer else Terms()

    def penalty(self, _work: Work, *, score: float, max_score: float, seconds_late: float) -> float:
        del score  # never below zero: the caller sees to it
        days = math.ceil(seconds_late / _DAY_S)
        return max_score * self._offer.late_percent / 100 * days if self._offer else 0.0

    def display_name(self, _learner: str) -> str | None:
        return None


def own_terms(offer: Offer, extension: Extension | None) -> Terms:
    """The offer's terms for one learner."""
    return offer.terms.extended(extension.by) if extension else offer.terms


class OfferService:
    """What instructors do with an assignment before and while learners work on it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def put(
        self,
        course: str,
        assignment: str,
        terms: Terms,
        *,
        offered_by: str,
        cohorts: Sequence[str] | None = None,
        late_percent: float = 0.0,
    ) -> Offer:
        """Release the assignment, or change the terms it was released under. Raises `DeadlinesCrossedError`.

        Receipts keep the verdict they were given; points taken off for being late follow the new terms.
        """
        if terms.closes_at is not None and terms.due_at is not None and terms.closes_at < terms.due_at:
            raise DeadlinesCrossedError
        made = Offer(
            course=course,
            assignment=assignment,
            cohorts=None if cohorts is None else tuple(cohorts),
            terms=terms,
            late_percent=late_percent,
            offered_by=offered_by,
            offered_at=self._clock.now(),
        )
        with self._database.writing() as connection:
            Offers(connection).put(made)
            for each in Submissions(connection).latest_of(course, assignment):
                Jobs(connection).touch(each.id)
        return made

    def put_if_new(self, course: str, assignment: str, terms: Terms, *, offered_by: str) -> bool:
        """Whether it was not released before, and is now."""
        if self.find(course, assignment) is not None:
            return False
        self.put(course, assignment, terms, offered_by=offered_by)
        return True

    def find(self, course: str, assignment: str) -> Offer | None:
        """The offer, if the assignment is released."""
        with self._database.reading() as connection:
            return Offers(connection).get(course, assignment)

    def of_courses(self, courses: Sequence[str]) -> list[Offer]:
        """Everything released in these courses, what is due first first."""
        with self._database.reading() as connection:
            return Offers(connection).of_courses(tuple(courses))

    def take_back(self, course: str, assignment: str) -> None:
        """Undo a release that nobody has answered yet. Raises `OfferInUseError`."""
        with self._database.writing() as connection:
            if Submissions(connection).latest_of(course, assignment):
                raise OfferInUseError
            Offers(connection).remove(course, assignment)

    def extend(self, work: Work, by: timedelta, *, given_by: str) -> None:
        """Give one learner more time, or take it back with none. Raises `NotOfferedError`, `TooLongError`."""
        if not timedelta() <= by <= MAX_EXTENSION:
            raise TooLongError
        with self._database.writing() as connection:
            if Offers(connection).get(work.course, work.assignment) is None:
                raise NotOfferedError
            Extensions(connection).put(Extension(work, by, given_by, self._clock.now()))
            for each in Submissions(connection).all_of(work):
                Jobs(connection).touch(each.id)

    def extension(self, work: Work) -> timedelta:
        """How much more time the learner has."""
        with self._database.reading() as connection:
            found = Extensions(connection).get(work)
        return found.by if found else timedelta()

    def remember_learner(self, name: str, display_name: str) -> None:
        """Keep what the learner is called, for gradebooks and lists that are made when nobody can be asked."""
        with self._database.reading() as connection:
            known = Learners(connection).display_name(name)
        if known != display_name:
            with self._database.writing() as connection:
                Learners(connection).put(name, display_name)

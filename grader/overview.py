"""What one learner has: the assignments released to them, each with deadline, hand-ins and what came back. Synchronous."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus

from grader.errors import GraderError
from grader.exchange.terms import Terms
from grader.offers import own_terms
from grader.people import Person
from grader.store.jobs import Jobs
from grader.store.model import JobStatus, Offer, ReleasedFeedback, Submission, Work
from grader.store.offers import Extensions, Offers
from grader.store.releases import Releases
from grader.store.submissions import Submissions
from hub.database import Database


class AssignmentUnknownError(GraderError):
    """No such assignment is released to this learner, whether or not there is one."""

    code = "assignment-unknown"
    status = HTTPStatus.NOT_FOUND
    sentence = "There is no such assignment in your courses. Go back to your assignments and choose from there."


class ReceiptUnknownError(GraderError):
    """No such hand-in of this learner."""

    code = "receipt-unknown"
    status = HTTPStatus.NOT_FOUND
    sentence = "You have no receipt of that number."


class State(StrEnum):
    """How far the learner's newest hand-in has come, as far as the learner may know."""

    NEW = "new"
    SUBMITTED = "submitted"
    GRADED = "graded"
    FEEDBACK = "feedback"


@dataclass(frozen=True, slots=True)
class Entry:
    """One assignment as its learner sees it. `attempts` are all hand-ins, first to last."""

    work: Work
    terms: Terms
    attempts: tuple[Submission, ...]
    state: State
    released: ReleasedFeedback | None = None
    released_for: Submission | None = None
    """The hand-in that the released feedback is about; there may be newer ones."""

    @property
    def attempts_left(self) -> int | None:
        """None where there is no limit."""
        return None if self.terms.attempts is None else max(0, self.terms.attempts - len(self.attempts))

    def is_open(self, now: datetime) -> bool:
        """Whether work is taken."""
        return not self.terms.is_closed(now) and self.attempts_left != 0

    def attempt(self, receipt_id: str) -> Submission:
        """The hand-in with that receipt; raises `ReceiptUnknownError`."""
        for each in self.attempts:
            if each.receipt_id == receipt_id:
                return each
        raise ReceiptUnknownError


class Overview:
    """Reads the entries of a learner."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, person: Person) -> list[Entry]:
        """Everything released to this learner, course by course, what is due first first."""
        return list(self._entries(person, self._offers(person)))

    def one(self, person: Person, course: str, assignment: str) -> Entry:
        """One of them; raises `AssignmentUnknownError`."""
        wanted = [each for each in self._offers(person) if (each.course, each.assignment) == (course, assignment)]
        for entry in self._entries(person, wanted):
            return entry
        raise AssignmentUnknownError

    def _offers(self, person: Person) -> list[Offer]:
        with self._database.reading() as connection:
            found = Offers(connection).of_courses(person.learned)
        return [each for each in found if each.is_for(person.cohorts_learning(each.course))]

    def _entries(self, person: Person, offers: list[Offer]) -> Iterator[Entry]:
        with self._database.reading() as connection:
            extensions = Extensions(connection).of_learner(person.name)
            attempts = Submissions(connection).of_learner(person.name)
            jobs = Jobs(connection).newest_of([each.id for each in attempts])
            released = Releases(connection).of_learner(person.name)
        graded = {submission_id for submission_id, job in jobs.items() if job.status is JobStatus.GRADED}
        for offer in offers:
            key = (offer.course, offer.assignment)
            mine = tuple(each for each in attempts if (each.work.course, each.work.assignment) == key)
            feedback, about = released.get(key, (None, None))
            yield Entry(
                work=Work(offer.course, offer.assignment, person.name),
                terms=own_terms(offer, extensions.get(key)),
                attempts=mine,
                state=_state(mine, graded, about),
                released=feedback,
                released_for=_by_id(mine).get(about) if about is not None else None,
            )


def _by_id(attempts: tuple[Submission, ...]) -> Mapping[int, Submission]:
    return {each.id: each for each in attempts}


def _state(attempts: tuple[Submission, ...], graded: set[int], about: int | None) -> State:
    if not attempts:
        return State.NEW
    newest = max(attempts, key=lambda each: each.announced)
    if newest.id == about:
        return State.FEEDBACK
    return State.GRADED if newest.id in graded else State.SUBMITTED

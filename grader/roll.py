"""A class at one assignment: each learner with the newest hand-in, how its grading stands, the marks, what was released."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from grader.autograde.service import GradingService, Progress
from grader.gradebook.recording import Marks, MarksReader
from grader.offers import OfferRules
from grader.people import Person
from grader.store.model import Extension, Job, JobStatus, ReleasedFeedback, Submission
from grader.store.offers import Extensions, Learners
from grader.store.releases import Releases
from hub.database import Database

_WINDOW = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Row:
    """One learner. `marks` may be of an earlier attempt than `submission`; `released` of an earlier grading than `marks`."""

    learner: str
    display_name: str
    submission: Submission | None
    job: Job | None
    marks: Marks | None
    released: ReleasedFeedback | None
    extension: timedelta

    @property
    def is_marked(self) -> bool:
        """Whether the newest hand-in has its points, those that people give included."""
        return self.marks is not None and self.marks.submission == self.submission and not self.marks.waiting

    @property
    def waiting(self) -> int:
        """Answers that wait for somebody to read them."""
        return len(self.marks.waiting) if self.marks else 0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a grading goes, and how long it will take at that; None before that can be said."""

    per_minute: float | None
    left: timedelta | None


class Roll:
    """Reads classes."""

    def __init__(self, database: Database, grading: GradingService) -> None:
        self._database = database
        self._grading = grading

    def of(self, course: str, assignment: str, people: Iterable[Person]) -> list[Row]:
        """Everybody who learns the course, and whoever has handed in, by name."""
        marks = MarksReader(self._database, OfferRules(self._database).at(course, assignment)).of_all(
            course, assignment
        )
        standings = {each.submission.work.learner: each for each in self._grading.standings(course, assignment)}
        with self._database.reading() as connection:
            released = Releases(connection).of_assignment(course, assignment)
            extensions = Extensions(connection).of_assignment(course, assignment)
            names = Learners(connection).all()
        names |= {person.name: person.display_name for person in people}
        enrolled = {person.name for person in people if course in person.learned}
        rows = []
        for learner in sorted(enrolled | standings.keys()):
            standing = standings.get(learner)
            rows.append(
                Row(
                    learner=learner,
                    display_name=names.get(learner, learner),
                    submission=standing.submission if standing else None,
                    job=standing.job if standing else None,
                    marks=marks.get(learner),
                    released=released.get(learner),
                    extension=_by(extensions, learner),
                )
            )
        return rows


def _by(extensions: Mapping[str, Extension], learner: str) -> timedelta:
    found = extensions.get(learner)
    return found.by if found else timedelta()


def pace_of(rows: Sequence[Row], progress: Progress, now: datetime) -> Pace:
    """From what was finished in the last two minutes."""
    finished = [
        row.job.finished_at
        for row in rows
        if row.job
        and row.job.finished_at
        and row.job.status in {JobStatus.GRADED, JobStatus.NEEDS_PERSON, JobStatus.FAILED}
    ]
    recent = [moment for moment in finished if timedelta() <= now - moment <= _WINDOW]
    if not progress.is_busy or len(recent) < 2:
        return Pace(None, None)
    span = max((now - min(recent)).total_seconds(), 1.0)
    per_second = len(recent) / span
    left = math.ceil((progress.queued + progress.running) / per_second)
    return Pace(per_second * 60, timedelta(seconds=left))

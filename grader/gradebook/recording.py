"""The truth about a learner's marks, and writing it into nbgrader's gradebook.

The grader's own database is the truth; the gradebook is its projection. Recording reads the truth while it holds the
gradebook's write lock, so recordings may run twice, late, or in any order: the gradebook ends as the newest truth says.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from grader.autograde.shelf import Shelf
from grader.gradebook.marks import CellMarks, LearnerMarks
from grader.rules import CourseRules
from grader.store.jobs import Jobs
from grader.store.marks import ManualGrades, Results
from grader.store.model import UNKNOWN_ANSWER, CellResult, Job, ManualGrade, Outcome, Submission, Work
from grader.store.submissions import Submissions
from hub.clock import Clock
from hub.database import Database

if TYPE_CHECKING:
    from grader.gradebook.book import Gradebook  # loads nbgrader, which a process that only reads marks does not need

NO_RESPONSE = "No response."
"""nbgrader's own words for it."""


@dataclass(frozen=True, slots=True)
class Marks:
    """One learner's marks on one assignment, from the newest attempt that was graded."""

    submission: Submission
    job: Job
    results: tuple[CellResult, ...]
    manual: Mapping[tuple[str, str], ManualGrade]
    penalties: Mapping[str, float]
    unrecorded: tuple[tuple[int, int], ...] = ()
    """Gradings of the learner that are not marked as recorded, with how often each was touched; these marks cover them."""

    def points(self, result: CellResult) -> float:
        """What the cell counts: a person's points before the test's, plus extra credit."""
        return _points(result, self.manual)

    def needs_person(self, result: CellResult) -> bool:
        """Whether the cell waits for somebody: never looked at, or the answer is another one since."""
        manual = self.manual.get((result.notebook, result.grade_id))
        if manual is None or manual.points is None:
            return result.points is None
        if result.outcome is not Outcome.BY_HAND:
            return False
        if manual.answer_sha256 == UNKNOWN_ANSWER:  # taken over with the hand-in it was given for
            return self.submission.submitted_at >= manual.graded_at
        return manual.answer_sha256 != result.answer_sha256

    @property
    def score(self) -> float:
        """Points after penalties, not below zero."""
        return max(0.0, sum(self.points(each) for each in self.results) - sum(self.penalties.values()))

    @property
    def max_score(self) -> float:
        return sum(each.max_points for each in self.results)

    @property
    def waiting(self) -> tuple[CellResult, ...]:
        """Cells that wait for a person."""
        return tuple(each for each in self.results if self.needs_person(each))


class MarksReader:
    """Reads the truth."""

    def __init__(self, database: Database, rules: CourseRules) -> None:
        self._database = database
        self._rules = rules

    def of(self, work: Work) -> Marks | None:
        """The learner's marks; None if no attempt was graded yet."""
        with self._database.reading() as connection:
            attempts = sorted(Submissions(connection).all_of(work), key=lambda each: each.announced, reverse=True)
            jobs = Jobs(connection)
            graded = ((each, jobs.counting(each.id)) for each in attempts)
            submission, job = next(((each, job) for each, job in graded if job is not None), (None, None))
            if submission is None or job is None:
                return None
            results = tuple(Results(connection).of(job.id))
            manual = ManualGrades(connection).of(work)
            unrecorded = tuple(job for each in attempts for job in jobs.unrecorded_of(each.id))
        return Marks(submission, job, results, manual, self._penalties(submission, results, manual), unrecorded)

    def of_all(self, course: str, assignment: str) -> dict[str, Marks]:
        """The marks of everybody who was graded, by learner, in a few queries. Says nothing about what is recorded."""
        with self._database.reading() as connection:
            attempts = Submissions(connection).of_assignment(course, assignment)
            jobs = Jobs(connection).counting_of([each.id for each in attempts])
            results = Results(connection).of_jobs([job.id for job in jobs.values()])
            manual = ManualGrades(connection).of_assignment(course, assignment)
        found = {}
        for submission in sorted(attempts, key=lambda each: each.announced):
            job, learner = jobs.get(submission.id), submission.work.learner
            if job is not None:
                mine, given = tuple(results.get(job.id, ())), manual.get(learner, {})
                found[learner] = Marks(submission, job, mine, given, self._penalties(submission, mine, given))
        return found

    def _penalties(
        self,
        submission: Submission,
        results: tuple[CellResult, ...],
        manual: Mapping[tuple[str, str], ManualGrade],
    ) -> dict[str, float]:
        late_s = self._rules.terms(submission.work).seconds_late(submission.submitted_at)
        if late_s <= 0:
            return {}
        penalties = {}
        for notebook in {each.notebook for each in results}:
            cells = [each for each in results if each.notebook == notebook]
            score = sum(_points(each, manual) for each in cells)
            most = sum(each.max_points for each in cells)
            taken = self._rules.penalty(submission.work, score=score, max_score=most, seconds_late=late_s)
            penalties[notebook] = min(max(taken, 0.0), score)
        return penalties


class Records(Protocol):
    """Whoever sees to it that marks reach the gradebook."""

    def record(self, work: Work) -> Marks | None:
        """The learner's marks now; None if there are none yet."""


class LaterRecords:
    """Leaves the writing to a worker, which looks for it whenever it has nothing to grade.

    For processes that answer people: writing a gradebook loads nbgrader, and waits for the course's write lock.
    """

    def __init__(self, database: Database, reader: MarksReader) -> None:
        self._database = database
        self._reader = reader

    def record(self, work: Work) -> Marks | None:
        """The learner's marks now, noted as not in the gradebook yet."""
        with self._database.writing() as connection:
            jobs = Jobs(connection)
            for each in Submissions(connection).all_of(work):
                jobs.touch(each.id)
        return self._reader.of(work)

    def is_up_to_date(self, course: str) -> bool:
        """Whether the course's gradebook holds every mark."""
        with self._database.reading() as connection:
            return not Jobs(connection).has_unrecorded(course)


class Recorder:
    """Writes truths into gradebooks. `gradebook_of` gives a course's; it is opened and closed by its owner."""

    def __init__(
        self,
        database: Database,
        shelf: Shelf,
        rules: CourseRules,
        clock: Clock,
        gradebook_of: Callable[[str], "Gradebook"],
    ) -> None:
        self._database = database
        self._shelf = shelf
        self._rules = rules
        self._clock = clock
        self._gradebook_of = gradebook_of
        self._reader = MarksReader(database, rules)

    def record(self, work: Work) -> Marks | None:
        """Bring the gradebook up to date with the learner's marks, which are returned; None if there are none yet.

        Steps: 1. take the gradebook's write lock; 2. read the truth; 3. write it and commit; 4. mark the gradings that
        this covers. Killed before 3 nothing happened; before 4, it happens again with the same result. Raises
        `GradebookError`, and the errors of an unfit source.
        """
        assignment = self._shelf.get(work.course, work.assignment)
        with self._gradebook_of(work.course).recording() as writer:
            marks = self._reader.of(work)
            if marks is None:
                return None
            due_at = self._rules.due_at(work.course, work.assignment)
            writer.put_assignment(assignment, due_at)
            writer.put_marks(work.assignment, self._learner_marks(marks))
        with self._database.writing() as connection:
            Jobs(connection).mark_recorded(marks.unrecorded, self._clock.now())
        return marks

    def record_rest(self) -> int:
        """Record every grading whose recording a crash cut off; how many learners that were."""
        with self._database.reading() as connection:
            submissions = Submissions(connection)
            waiting = {submissions.get(job.submission_id) for job in Jobs(connection).unrecorded()}
        works = {each.work for each in waiting if each is not None}
        for work in sorted(works):
            self.record(work)
        return len(works)

    def _learner_marks(self, marks: Marks) -> LearnerMarks:
        work = marks.submission.work
        commons, own = self._rules.due_at(work.course, work.assignment), self._rules.terms(work).due_at
        extension: timedelta | None = own - commons if commons and own and own != commons else None
        return LearnerMarks(
            learner=work.learner,
            display_name=self._rules.display_name(work.learner),
            submitted_at=marks.submission.submitted_at,
            extension=extension,
            cells={(each.notebook, each.grade_id): _cell_marks(marks, each) for each in marks.results},
            penalties=marks.penalties,
        )


def _points(result: CellResult, manual: Mapping[tuple[str, str], ManualGrade]) -> float:
    given = manual.get((result.notebook, result.grade_id))
    points = result.points or 0.0
    if given is None:
        return points
    return (points if given.points is None else given.points) + (given.extra_credit or 0.0)


def _cell_marks(marks: Marks, result: CellResult) -> CellMarks:
    manual = marks.manual.get((result.notebook, result.grade_id))
    return CellMarks(
        auto=result.points,
        manual=manual.points if manual else None,
        extra_credit=manual.extra_credit if manual else None,
        needs_person=marks.needs_person(result),
        auto_comment=NO_RESPONSE if result.outcome is Outcome.NO_RESPONSE else None,
        manual_comment=manual.comment if manual else None,
    )

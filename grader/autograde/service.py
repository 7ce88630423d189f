"""What an instructor does with a whole assignment: grade it, watch it, decide what only a person can. Synchronous."""

from collections.abc import Collection
from dataclasses import dataclass

from grader.autograde.errors import ChoiceUnknownError, UnknownSubmissionError
from grader.autograde.learner_notebook import read_notebook
from grader.autograde.rebuild import NO_ANSWER, Open, rebuild
from grader.autograde.shelf import Shelf
from grader.exchange import bundle
from grader.exchange.objects import ObjectStore
from grader.store.jobs import Jobs
from grader.store.marks import Choices, Results
from grader.store.model import Job, JobStatus, Note, Submission
from grader.store.submissions import Submissions
from hub.clock import Clock
from hub.database import Database

REGRADE_ONE = 10
"""Priority of a grading that somebody is looking at: before a batch."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an assignment's grading is: learners whose newest attempt is in each state."""

    submitted: int
    not_asked: int
    queued: int
    running: int
    graded: int
    needs_person: int
    failed: int
    cancelled: int

    @property
    def is_busy(self) -> bool:
        return self.queued + self.running > 0


@dataclass(frozen=True, slots=True)
class Standing:
    """One learner's newest attempt and what became of it."""

    submission: Submission
    job: Job | None
    notes: tuple[Note, ...] = ()


class GradingService:
    """Queues gradings and answers how they stand."""

    def __init__(self, database: Database, objects: ObjectStore, shelf: Shelf, clock: Clock) -> None:
        self._database = database
        self._objects = objects
        self._shelf = shelf
        self._clock = clock

    def enqueue(
        self,
        course: str,
        assignment: str,
        *,
        requested_by: str,
        learners: Collection[str] | None = None,
        again: bool = False,
    ) -> int:
        """Queue the newest attempt of every learner, or of these; how many were queued.

        What is graded already is left alone unless `again`; what waits for a person's decision, too.
        """
        now, count = self._clock.now(), 0
        with self._database.writing() as connection:
            jobs = Jobs(connection)
            attempts = Submissions(connection).latest_of(course, assignment)
            newest = jobs.newest_of([each.id for each in attempts])
            for each in attempts:
                if learners is not None and each.work.learner not in learners:
                    continue
                job = newest.get(each.id)
                if not again and job is not None and job.status in {JobStatus.GRADED, JobStatus.NEEDS_PERSON}:
                    continue
                priority = REGRADE_ONE if learners is not None else 0
                count += jobs.enqueue(each.id, requested_by=requested_by, now=now, priority=priority)
        return count

    def cancel(self, course: str, assignment: str) -> int:
        """Take out of the queue what is not done yet; how many. What is being graded is thrown away."""
        with self._database.writing() as connection:
            attempts = Submissions(connection).latest_of(course, assignment)
            return Jobs(connection).cancel([each.id for each in attempts], self._clock.now())

    def standings(self, course: str, assignment: str) -> list[Standing]:
        """Every learner's newest attempt, by learner."""
        with self._database.reading() as connection:
            attempts = Submissions(connection).latest_of(course, assignment)
            jobs = Jobs(connection).newest_of([each.id for each in attempts])
        return [Standing(each, jobs.get(each.id)) for each in attempts]

    def progress(self, course: str, assignment: str) -> Progress:
        """Counts for a progress bar."""
        standings = self.standings(course, assignment)
        statuses = [each.job.status if each.job else None for each in standings]
        return Progress(
            submitted=len(standings),
            not_asked=statuses.count(None),
            queued=statuses.count(JobStatus.QUEUED),
            running=statuses.count(JobStatus.RUNNING),
            graded=statuses.count(JobStatus.GRADED),
            needs_person=statuses.count(JobStatus.NEEDS_PERSON),
            failed=statuses.count(JobStatus.FAILED),
            cancelled=statuses.count(JobStatus.CANCELLED),
        )

    def standing(self, submission_id: int) -> Standing:
        """One attempt with everything noted about it; raises `UnknownSubmissionError`."""
        with self._database.reading() as connection:
            submission = Submissions(connection).get(submission_id)
            job = Jobs(connection).newest(submission_id)
            notes = () if job is None else tuple(Results(connection).notes(job.id))
        if submission is None:
            raise UnknownSubmissionError
        return Standing(submission, job, notes)

    def questions(self, submission_id: int) -> dict[str, tuple[Open, ...]]:
        """Which answers are ambiguous, by notebook, each with the learner's texts to choose from.

        Raises `UnknownSubmissionError`, `UnreadableNotebookError`.
        """
        submission = self.standing(submission_id).submission
        assignment = self._shelf.get(submission.work.course, submission.work.assignment)
        with self._objects.open(submission.sha256) as file:
            files = bundle.contents(file)
        with self._database.reading() as connection:
            choices = Choices(connection).of(submission_id)
        found = {}
        for notebook in assignment.notebooks:
            if (data := files.get(notebook.file)) is not None:
                cells = read_notebook(data, notebook.file)
                if asked := rebuild(notebook, cells, choices.get(notebook.name)).questions:
                    found[notebook.name] = asked
        return found

    def choose(self, submission_id: int, notebook: str, grade_id: str, candidate: int, *, chosen_by: str) -> None:
        """Decide which text is the answer (`NO_ANSWER` for none) and grade the attempt anew once nothing is open.

        Raises `ChoiceUnknownError` for what is not asked, `UnknownSubmissionError`.
        """
        asked = self.questions(submission_id)
        question = next((each for each in asked.get(notebook, ()) if each.grade_id == grade_id), None)
        if question is None or not NO_ANSWER <= candidate < len(question.candidates):
            raise ChoiceUnknownError
        left = sum(len(each) for each in asked.values()) - 1
        with self._database.writing() as connection:
            now = self._clock.now()
            Choices(connection).put(submission_id, notebook, grade_id, candidate, chosen_by=chosen_by, now=now)
            if left == 0:
                Jobs(connection).enqueue(submission_id, requested_by=chosen_by, now=now, priority=REGRADE_ONE)

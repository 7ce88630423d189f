"""Releasing feedback, a whole assignment at once, and reading it. Synchronous."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from http import HTTPStatus

from grader.autograde.errors import UnreadableNotebookError
from grader.autograde.learner_notebook import read_notebook
from grader.autograde.rebuild import Rebuilt, rebuild
from grader.autograde.shelf import Shelf
from grader.errors import GraderError
from grader.exchange import bundle
from grader.exchange.objects import ObjectStore
from grader.feedback.page import Feedback, page
from grader.gradebook.recording import Marks, MarksReader
from grader.store.jobs import Jobs
from grader.store.marks import Choices, Results
from grader.store.model import JobStatus, ReleasedFeedback, Work
from grader.store.releases import Releases
from grader.store.submissions import Submissions
from hub.clock import Clock
from hub.database import Database


class FeedbackNotReleasedError(GraderError):
    """The learner may not read anything yet."""

    code = "feedback-not-released"
    status = HTTPStatus.NOT_FOUND
    sentence = "Feedback for this assignment has not been released yet."


@dataclass(frozen=True, slots=True)
class ReleaseReport:
    """Whose feedback was released, and why others' was not, in words for the instructor."""

    released: tuple[str, ...]
    held_back: dict[str, str]


class FeedbackService:
    """Makes pages when they are released, so that a learner reads what the instructor let go, and nothing later."""

    def __init__(
        self, database: Database, objects: ObjectStore, shelf: Shelf, reader: MarksReader, clock: Clock
    ) -> None:
        self._database = database
        self._objects = objects
        self._shelf = shelf
        self._reader = reader
        self._clock = clock

    def release(
        self,
        course: str,
        assignment: str,
        *,
        title_in: Callable[[str], str],
        released_by: str,
        learners: Collection[str] | None = None,
        unfinished: bool = False,
    ) -> ReleaseReport:
        """Release the feedback of every learner, or of these, whose newest attempt is graded to the end.

        `title_in` gives the assignment's title in a language, for each page that of its lesson. `unfinished` also releases
        what still waits for a person's points. What was released before is replaced.
        """
        with self._database.reading() as connection:
            attempts = Submissions(connection).latest_of(course, assignment)
            jobs = Jobs(connection).newest_of([each.id for each in attempts])
        released, held_back = [], {}
        for each in attempts:
            learner = each.work.learner
            if learners is not None and learner not in learners:
                continue
            job = jobs.get(each.id)
            marks = self._reader.of(each.work)
            if marks is None or job is None or job.status is not JobStatus.GRADED or marks.submission.id != each.id:
                held_back[learner] = "The newest attempt is not graded yet."
            elif marks.waiting and not unfinished:
                held_back[learner] = "Some answers wait for points."
            else:
                self._release_one(marks, title_in, released_by)
                released.append(learner)
        return ReleaseReport(tuple(released), held_back)

    def withdraw(self, work: Work) -> None:
        """Take a learner's feedback back."""
        with self._database.writing() as connection:
            Releases(connection).withdraw(work)

    def released(self, work: Work) -> ReleasedFeedback | None:
        """What the learner may read, without reading it."""
        with self._database.reading() as connection:
            return Releases(connection).get(work)

    def read(self, work: Work) -> bytes:
        """The learner's page; send it with `page.CONTENT_SECURITY_POLICY`. Raises `FeedbackNotReleasedError`."""
        found = self.released(work)
        if found is None:
            raise FeedbackNotReleasedError
        with self._objects.open(found.sha256) as file:
            return file.read()

    def preview(self, work: Work, *, title_in: Callable[[str], str]) -> bytes:
        """The page as it would be released now, for the instructor. Raises `FeedbackNotReleasedError` without marks."""
        marks = self._reader.of(work)
        if marks is None:
            raise FeedbackNotReleasedError
        return self._made(marks, title_in)

    def _release_one(self, marks: Marks, title_in: Callable[[str], str], released_by: str) -> None:
        with self._objects.adopting():  # no sweep between the page's bytes and the row that names them
            sha256 = self._objects.put(self._made(marks, title_in))
            with self._database.writing() as connection:
                Releases(connection).put(
                    ReleasedFeedback(
                        work=marks.submission.work,
                        job_id=marks.job.id,
                        sha256=sha256,
                        score=marks.score,
                        max_score=marks.max_score,
                        released_by=released_by,
                        released_at=self._clock.now(),
                    )
                )

    def _made(self, marks: Marks, title_in: Callable[[str], str]) -> bytes:
        submission = marks.submission
        assignment = self._shelf.get(submission.work.course, submission.work.assignment, submission.language or "en")
        with self._objects.open(submission.sha256) as file:
            files = bundle.contents(file)
        with self._database.reading() as connection:
            choices = Choices(connection).of(submission.id)
            messages = Results(connection).messages(marks.job.id)
        rebuilt: dict[str, Rebuilt | None] = {}
        for notebook in assignment.notebooks:
            data = files.get(notebook.file)
            try:
                cells = None if data is None else read_notebook(data, notebook.file)
            except UnreadableNotebookError:
                cells = None
            rebuilt[notebook.name] = None if cells is None else rebuild(notebook, cells, choices.get(notebook.name))
        return page(Feedback(title_in(assignment.language), assignment, marks, rebuilt, messages)).encode("utf-8")

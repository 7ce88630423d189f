"""One centre's grader put together from its state directory: for the service, the worker and the command line."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from grader.assignments.catalogue import COURSES_DIR
from grader.autograde.containment import Sandboxed
from grader.autograde.conversions import Conversions
from grader.autograde.grade import Grader
from grader.autograde.run import RunLimits
from grader.autograde.service import GradingService
from grader.autograde.shelf import Shelf
from grader.autograde.worker import Worker
from grader.exchange.intake import Intake
from grader.exchange.objects import ObjectStore
from grader.exchange.reconcile import Reconciler
from grader.feedback.service import FeedbackService
from grader.gradebook.exporting import CourseExport
from grader.gradebook.manual import ManualGrading
from grader.gradebook.recording import LaterRecords, MarksReader, Recorder, Records
from grader.migrations import migrate
from grader.offers import OfferRules, OfferService
from grader.rules import CourseRules
from hub.clock import Clock, SystemClock
from hub.database import Database, sqlite_url
from hub.state import StateDir

if TYPE_CHECKING:
    from grader.gradebook.book import Gradebook
    from grader.gradebook.importing import CourseImport


@dataclass
class Gradebooks:
    """The gradebook of each course, opened when it is first asked for."""

    courses: Path
    _open: "dict[str, Gradebook]" = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def path(self, course: str) -> Path:
        """The file of a course's gradebook."""
        return self.courses / course / "gradebook.db"

    def __call__(self, course: str) -> "Gradebook":
        # Loads nbgrader: 2 s and 50 MiB that a process without gradebooks does without.
        from grader.gradebook.book import Gradebook, gradebook_url  # noqa: PLC0415

        with self._lock:
            if course not in self._open:
                self.path(course).parent.mkdir(mode=0o755, exist_ok=True)
                self._open[course] = Gradebook(gradebook_url(self.path(course)), course)
            return self._open[course]

    def close(self) -> None:
        """Close all of them."""
        for each in self._open.values():
            each.close()


@dataclass(frozen=True)
class Grading:
    """Everything the grader consists of, sharing one database and one object store. Close it when done."""

    database: Database
    objects: ObjectStore
    shelf: Shelf
    intake: Intake
    reconciler: Reconciler
    service: GradingService
    recorder: Recorder
    reader: MarksReader
    manual: ManualGrading
    feedback: FeedbackService
    offers: OfferService
    exporting: CourseExport
    gradebooks: Gradebooks
    rules: CourseRules
    clock: Clock

    @property
    def importing(self) -> "CourseImport":
        """Takes nbgrader's course folders over."""
        from grader.gradebook.importing import CourseImport  # noqa: PLC0415 - see `Gradebooks`

        return CourseImport(self.database, self.objects, self.clock, self.gradebooks.courses)

    def worker(self, limits: RunLimits | None = None, number: int = 0) -> Worker:
        """A worker; `number` tells apart those that grade on this machine at the same time."""
        limits = limits or RunLimits()
        grader = Grader(Sandboxed(limits, number), limits)
        return Worker(
            database=self.database,
            objects=self.objects,
            shelf=self.shelf,
            grader=grader,
            records=self.recorder,
            clock=self.clock,
        )

    def close(self) -> None:
        """Close every database."""
        self.gradebooks.close()
        self.database.close()


def open_grading(
    state: StateDir,
    *,
    url: str = "",
    rules: CourseRules | None = None,
    clock: Clock | None = None,
    courses: Path | None = None,
    records_later: bool = False,
) -> Grading:
    """The grader of this state directory, its database brought up to date.

    `url` names another database than the SQLite file, `courses` another folder of courses than the distribution's,
    `rules` others than those instructors set. With `records_later` points that people give reach the gradebook when a
    worker has time for it; without, before the call returns.
    """
    clock = clock or SystemClock()
    database = Database(url or sqlite_url(state.databases / "grader.sqlite"))
    migrate(database)
    rules = rules or OfferRules(database)
    objects = ObjectStore(state.submissions)
    shelf = Shelf(state.courses, courses or COURSES_DIR, Conversions(state.processes / "lessons"))
    intake = Intake(database, objects, clock)
    gradebooks = Gradebooks(state.courses)
    reader = MarksReader(database, rules)
    recorder = Recorder(database, shelf, rules, clock, gradebooks)
    records: Records = LaterRecords(database, reader) if records_later else recorder
    return Grading(
        database=database,
        objects=objects,
        shelf=shelf,
        intake=intake,
        reconciler=Reconciler(database, objects, intake, clock, shelf.notebook_files),
        service=GradingService(database, objects, shelf, clock),
        recorder=recorder,
        reader=reader,
        manual=ManualGrading(
            database=database, objects=objects, shelf=shelf, reader=reader, records=records, clock=clock
        ),
        feedback=FeedbackService(database, objects, shelf, reader, clock),
        offers=OfferService(database, clock),
        exporting=CourseExport(database, objects, shelf, state.courses),
        gradebooks=gradebooks,
        rules=rules,
        clock=clock,
    )

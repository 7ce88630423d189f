"""A whole grader over a state directory, with the sample course released."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from grader.exchange.receipt import Receipt
from grader.exchange.terms import Terms
from grader.grading import Grading, open_grading
from grader.store.model import Work
from hub.clock import ManualClock
from hub.state import StateDir
from tests.grader.autograde.conftest import LIMITS
from tests.grader.autograde.samples import Birds, encoded

DUE = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)


@dataclass
class Rules:
    """Dates and names as a test wants them; being late costs one point."""

    due: datetime | None = None
    extensions: dict[str, timedelta] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def due_at(self, _course: str, _assignment: str) -> datetime | None:
        return self.due

    def terms(self, work: Work) -> Terms:
        return Terms(self.due).extended(self.extensions.get(work.learner, timedelta()))

    def penalty(self, _work: Work, *, score: float, max_score: float, seconds_late: float) -> float:
        del score, max_score, seconds_late
        return 1.0

    def display_name(self, learner: str) -> str | None:
        return self.names.get(learner)


@dataclass
class Centre:
    """One centre's grader and shortcuts into it."""

    grading: Grading
    birds: Birds
    rules: Rules
    clock: ManualClock
    state: StateDir

    def work(self, learner: str) -> Work:
        return Work("birds", "weigh", learner)

    def submit(self, learner: str, notebook: object) -> Receipt:
        work = self.work(learner)
        files = {"weigh.ipynb": encoded(notebook)}
        return self.grading.intake.accept_whole(work, self.rules.terms(work), files, frozenset(files))

    def grade(self) -> int:
        """Queue every learner's newest attempt and grade until nothing is left."""
        self.grading.service.enqueue("birds", "weigh", requested_by="instructor")
        return self.drain()

    def drain(self) -> int:
        worker, count = self.grading.worker(LIMITS), 0
        while worker.step():
            count += 1
        return count


def centre_at(root: Path) -> Centre:
    birds = Birds(root)
    state = StateDir(root / "state")
    state.prepare()
    state.courses.rmdir()
    birds.state_courses.rename(state.courses)
    birds.state_courses = state.courses
    rules, clock = Rules(), ManualClock()
    grading = open_grading(state, rules=rules, clock=clock, courses=root / "distribution")
    birds.shelf = grading.shelf
    return Centre(grading, birds, rules, clock, state)


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = centre_at(tmp_path)
    yield made
    made.grading.close()

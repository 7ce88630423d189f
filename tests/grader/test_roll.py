"""A class and a learner's own view, on SQLite and PostgreSQL."""

from datetime import timedelta
from pathlib import Path

import pytest

from grader.exchange.terms import Terms
from grader.grading import Grading, open_grading
from grader.overview import AssignmentUnknownError, Overview, ReceiptUnknownError, State
from grader.people import Membership, Person
from grader.roll import Roll, pace_of
from grader.store.model import Work
from hub.clock import ManualClock
from hub.state import StateDir
from tests.grader.autograde.conftest import LIMITS
from tests.grader.autograde.samples import RIGHT, Birds, encoded


def learner(name: str, cohort: str = "spring") -> Person:
    membership = Membership(cohort, cohort.title(), "learner", ("birds",))
    return Person(name, name.title(), None, active=True, administers=False, memberships=(membership,))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def birds(tmp_path: Path) -> Birds:
    return Birds(tmp_path)


@pytest.fixture
def grading(tmp_path: Path, url: str, birds: Birds, clock: ManualClock) -> Grading:
    state = StateDir(tmp_path / "state")
    state.prepare()
    state.courses.rmdir()
    birds.state_courses.rename(state.courses)
    birds.state_courses = state.courses
    return open_grading(state, url=url, clock=clock, courses=tmp_path / "distribution")


def submit(grading: Grading, birds: Birds, name: str) -> str:
    work, files = Work("birds", "weigh", name), {"weigh.ipynb": encoded(birds.learner(RIGHT, "Because."))}
    return grading.intake.accept_whole(work, grading.rules.terms(work), files, frozenset(files), "en").id


def test_a_class_from_nothing_to_released(grading: Grading, birds: Birds, clock: ManualClock) -> None:
    people = [learner("lin"), learner("wang")]
    roll = Roll(grading.database, grading.service)
    assert [(row.learner, row.submission) for row in roll.of("birds", "weigh", people)] == [
        ("lin", None),
        ("wang", None),
    ]
    grading.offers.put("birds", "weigh", Terms(clock.now()), offered_by="ian", late_percent=10)
    grading.offers.extend(Work("birds", "weigh", "wang"), timedelta(hours=2), given_by="ian")
    clock.advance(3600)
    for name in ("lin", "wang", "gone"):
        submit(grading, birds, name)
    grading.service.enqueue("birds", "weigh", requested_by="ian")
    worker = grading.worker(LIMITS)
    while worker.step():
        clock.advance(2)
    rows = {row.learner: row for row in roll.of("birds", "weigh", people)}
    assert set(rows) == {"lin", "wang", "gone"}  # who left the course has still handed in
    assert {name: row.marks.score for name, row in rows.items() if row.marks} == {"lin": 1.7, "wang": 2.0, "gone": 1.7}
    assert [row.waiting for row in rows.values()] == [1, 1, 1]
    assert rows["wang"].extension == timedelta(hours=2)
    assert not rows["lin"].is_marked
    grading.manual.give(Work("birds", "weigh", "lin"), "weigh", "why", points=1, given_by="ian")
    grading.feedback.release("birds", "weigh", title_in=lambda _language: "Weigh", released_by="ian")
    rows = {row.learner: row for row in roll.of("birds", "weigh", people)}
    assert rows["lin"].is_marked
    assert rows["lin"].released is not None
    assert rows["wang"].released is None
    grading.close()


def test_a_learner_sees_how_far_the_own_work_is_and_nobody_elses(grading: Grading, birds: Birds) -> None:
    overview, lin = Overview(grading.database), learner("lin")
    assert overview.of(lin) == []
    grading.offers.put("birds", "weigh", Terms(attempts=3), offered_by="ian", cohorts=["spring"])
    assert overview.of(learner("lea", "autumn")) == []
    (entry,) = overview.of(lin)
    assert (entry.state, entry.attempts_left) == (State.NEW, 3)
    receipt_id = submit(grading, birds, "lin")
    entry = overview.one(lin, "birds", "weigh")
    assert (entry.state, entry.attempts_left) == (State.SUBMITTED, 2)
    assert entry.attempt(receipt_id).work.learner == "lin"
    with pytest.raises(ReceiptUnknownError):
        overview.one(learner("wang"), "birds", "weigh").attempt(receipt_id)
    with pytest.raises(AssignmentUnknownError):
        overview.one(lin, "birds", "sing")
    grading.service.enqueue("birds", "weigh", requested_by="ian")
    assert grading.worker(LIMITS).step()
    assert overview.one(lin, "birds", "weigh").state is State.GRADED
    release = {"title_in": lambda _language: "Weigh", "released_by": "ian", "unfinished": True}
    grading.feedback.release("birds", "weigh", **release)  # type: ignore[arg-type]
    entry = overview.one(lin, "birds", "weigh")
    assert entry.state is State.FEEDBACK
    assert entry.released_for is not None
    assert entry.released_for.receipt_id == receipt_id
    grading.close()


def test_how_fast_a_grading_goes_and_how_long_it_will_take(grading: Grading, birds: Birds, clock: ManualClock) -> None:
    for number in range(5):
        submit(grading, birds, f"learner{number}")
    grading.service.enqueue("birds", "weigh", requested_by="ian")
    worker, roll = grading.worker(LIMITS), Roll(grading.database, grading.service)

    def pace() -> tuple[float | None, timedelta | None]:
        found = pace_of(roll.of("birds", "weigh", []), grading.service.progress("birds", "weigh"), clock.now())
        return found.per_minute, found.left

    assert pace() == (None, None)
    for _ in range(3):
        worker.step()
        clock.advance(10)
    assert pace() == (6.0, timedelta(seconds=20))
    while worker.step():
        pass
    assert pace() == (None, None)
    grading.close()

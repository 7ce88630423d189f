"""The grader's service and worker killed again and again while a class hands in and is graded: no receipt is ever broken."""

import random
import re
import time
from collections import Counter
from contextlib import closing

import pytest
from nbgrader.api import Gradebook as NbgraderBook
from sqlalchemy import func, select

from courses.kit.handin.centre import Centre as HandInCentre
from grader.exchange.objects import sha256_of
from grader.exchange.reconcile import PAGE_BEGINS
from grader.gradebook.book import gradebook_url
from grader.gradebook.recording import LaterRecords
from grader.grading import Grading, open_grading
from grader.store.model import JobStatus, Work
from grader.store.submissions import Submissions
from grader.store.tables import grade_job, submission
from hub.cohorts.demo import COHORT
from hub.cohorts.model import Role
from hub.state import StateDir
from hub.wiring import open_service
from tests.centre import Centre
from tests.journeys.grader_storm import (
    ASSIGNMENT,
    COURSE,
    MOMENTS,
    SOLVED_POINTS,
    Class,
    Given,
    Killer,
    Moments,
)
from tests.visitor import Visitor

GRADED_WITHIN_S = 300


def class_of(centre: Centre, state: StateDir, count: int) -> dict[str, str]:
    """So many new learners of the demo's cohort, each with a token like that of their server."""
    names = [f"storm-{number}" for number in range(count)]
    with closing(open_service(state)) as service:
        for name in names:
            service.roster.add_person(name, name.title(), COHORT, Role.LEARNER)
        links = {name: service.invitations.issue(name).token for name in names}
    return {name: _token(centre, name, link) for name, link in links.items()}


def _token(centre: Centre, name: str, link: str) -> str:
    visitor = Visitor(centre.url)
    with closing(visitor):
        visitor.redeem(f"{centre.url}/services/practicum/invitations/{link}")
        visitor.sign_in(name)
        return visitor.grader_token(name)


def instructor_of(centre: Centre) -> Visitor:
    visitor = Visitor(centre.url)
    visitor.redeem(centre.invitations["zhao.yun"])
    visitor.sign_in("zhao.yun")
    return visitor


def strikes(count: int, chance: random.Random) -> list[str]:
    """Every moment equally often, in any order."""
    each = [list(MOMENTS)[number % len(MOMENTS)] for number in range(count)]
    chance.shuffle(each)
    return each


def grade_the_rest(grading: Grading) -> None:
    until = time.monotonic() + GRADED_WITHIN_S
    records = LaterRecords(grading.database, grading.reader)
    while True:
        # A hand-in accepted in the moment of a kill may not be queued yet: the instructor's click does that.
        grading.service.enqueue(COURSE, ASSIGNMENT, requested_by="zhao.yun")
        progress = grading.service.progress(COURSE, ASSIGNMENT)
        if not progress.is_busy and records.is_up_to_date(COURSE):
            return
        assert time.monotonic() < until, progress
        time.sleep(0.5)


def check_receipts(grading: Grading, given: list[Given]) -> None:
    """Each has its bytes and was graded once; nothing else was ever accepted, and nothing is without explanation."""
    with grading.database.reading() as connection:
        for each in given:
            found = Submissions(connection).by_receipt(each.receipt_id)
            assert found is not None
            assert (found.sha256, found.work.learner) == (each.sha256, each.learner)
            with grading.objects.open(each.sha256) as file:
                assert sha256_of(file) == each.sha256
        accepted = connection.execute(select(submission.c.id, submission.c.receipt_id)).all()
        graded = select(grade_job.c.submission_id).where(grade_job.c.status == JobStatus.GRADED.value)
        times = Counter(connection.execute(graded).scalars())
        statuses = set(connection.execute(select(grade_job.c.status).distinct()).scalars())
    # The last hand-in of somebody may have been accepted in the moment of a kill, before anybody was told.
    assert {each.receipt_id for each in given} <= {row.receipt_id for row in accepted}
    assert times == Counter({row.id: 1 for row in accepted})
    assert statuses == {JobStatus.GRADED.value}
    report = grading.reconciler.run(deep=True)
    assert [each for each in report.findings if each.kind not in {"tidied", "replaced"}] == []
    aside = [path.read_bytes() for path in grading.objects.quarantine.iterdir()]
    assert all(data.startswith(PAGE_BEGINS) for data in aside)  # feedback that a kill kept from being recorded


def check_marks(grading: Grading, tokens: dict[str, str], given: list[Given], url: str) -> None:
    """What nbgrader's gradebook says is what we say is what the work is worth; its learner reads feedback on that."""
    last = {each.learner: each for each in given}
    with NbgraderBook(gradebook_url(grading.gradebooks.path(COURSE)), COURSE) as opened:
        recorded = [(each["student"], each["score"]) for each in opened.submission_dicts(ASSIGNMENT)]
    worth = {name: SOLVED_POINTS if each.solved else 0.0 for name, each in last.items()}
    assert sorted(recorded) == sorted(worth.items())
    for name, token in tokens.items():
        marks = grading.reader.of(Work(COURSE, ASSIGNMENT, name))
        assert marks is not None
        assert (marks.score, marks.submission.receipt_id) == (worth[name], last[name].receipt_id)
        feedback = HandInCentre(url, token, "en").feedback(COURSE, ASSIGNMENT, last[name].receipt_id)
        assert re.search(rf"{worth[name]:g} ?(of|/)", feedback)


def check_logs(state: StateDir) -> None:
    """The service and the worker met nothing that they did not expect."""
    said = "".join((state.logs / f"{name}.log").read_text(encoding="utf-8") for name in ("grader", "grader-worker"))
    assert "Traceback" not in said, said[-8000:]
    assert not re.findall(r"^.*(?:lost|damaged|quarantined): .*$", said, re.MULTILINE)


def figures(klass: Class, killer: Killer, grading: Grading, kinds: list[str], took_s: float) -> str:
    with grading.database.reading() as connection:
        tries = connection.execute(select(func.sum(grade_job.c.tries - 1))).scalar_one()
    worst = {name: f"{max(each):.1f}" for name, each in killer.recoveries_s.items()}
    return (
        f"{len(kinds)} kills {dict(Counter(kinds))} in {took_s:.0f} s; {len(klass.given)} receipts; "
        f"gradings begun again {tries}; requests broken {dict(klass.broken)}; worst recovery (s) {worst}"
    )


@pytest.mark.timeout(2400)
@pytest.mark.parametrize(("kills", "learners"), [(6, 3), pytest.param(100, 10, marks=pytest.mark.all)])
def test_every_receipt_has_its_bytes_and_ends_graded_once_whatever_is_killed_when(
    own_centre: Centre, kills: int, learners: int
) -> None:
    centre, state, chance = own_centre, StateDir(own_centre.state_dir), random.Random(kills)
    tokens = class_of(centre, state, learners)
    with closing(open_grading(state)) as grading, closing(instructor_of(centre)) as instructor:
        moments, kinds = Moments(), strikes(kills, chance)
        klass, killer = Class(centre, grading, moments), Killer(centre, grading, moments, chance)
        began = time.monotonic()
        with klass.at_work(tokens, instructor):
            for kind in kinds:
                killer.strike(kind)
                assert klass.failures == []
        took_s = time.monotonic() - began
        assert klass.failures == []
        assert klass.broken["learner"] > 0
        grade_the_rest(grading)
        assert f"Feedback was released to {learners} learners." in klass.release_feedback(instructor)
        print(figures(klass, killer, grading, kinds, took_s))  # noqa: T201 - shown with `-s`, or where it fails
        check_receipts(grading, klass.given)
        check_marks(grading, tokens, klass.given, f"{centre.url}/services/grader")
        check_logs(state)

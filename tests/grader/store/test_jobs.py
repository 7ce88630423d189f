"""The queue: every job is claimed by one worker at a time, and only the newest claim can finish it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from grader.exchange.terms import Terms
from grader.store.jobs import Jobs
from grader.store.model import Job, JobStatus, Work
from grader.store.submissions import Submissions, Uploads
from hub.database import Database

NOW = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)
LEASE = timedelta(seconds=60)


def submit(database: Database, learner: str) -> int:
    work = Work("birds", "weigh", learner)
    with database.writing() as connection:
        found = Uploads(connection).add(learner.ljust(32, "0"), work, Terms(), sha256="0" * 64, size=1, opened_at=NOW)
        assert found is not None
        accepted = Submissions(connection).add(
            found,
            receipt_id=learner.ljust(32, "1"),
            attempt=1,
            language="en",
            submitted_at=NOW,
            accepted_at=NOW,
            verdict=Terms().verdict(NOW),
            seconds_late=0,
        )
    return accepted.id


def enqueue(database: Database, submission_id: int, priority: int = 0) -> bool:
    with database.writing() as connection:
        return Jobs(connection).enqueue(submission_id, requested_by="i", now=NOW, priority=priority)


def claim(database: Database, worker: str = "w", now: datetime = NOW, *, dead: str = "") -> Job | None:
    with database.writing() as connection:
        return Jobs(connection).claim(worker, now=now, lease=LEASE, is_dead=lambda each: each == dead)


def finish(database: Database, job: Job, status: JobStatus = JobStatus.GRADED) -> bool:
    with database.writing() as connection:
        return Jobs(connection).finish(job, status, now=NOW)


@pytest.fixture
def submission(both: Database) -> int:
    return submit(both, "lin.na")


def test_one_open_job_per_submission(both: Database, submission: int) -> None:
    assert enqueue(both, submission)
    assert not enqueue(both, submission)
    job = claim(both)
    assert job is not None
    assert not enqueue(both, submission)
    assert finish(both, job)
    assert enqueue(both, submission)


def test_a_job_is_claimed_once_however_many_ask(both: Database) -> None:
    for number in range(12):
        enqueue(both, submit(both, f"learner-{number:02}-"))
    with ThreadPoolExecutor(6) as threads:
        claimed = [each.id for each in threads.map(lambda n: claim(both, f"w{n}"), range(18)) if each is not None]
    while (more := claim(both)) is not None:  # a worker may find the row it wanted locked and come back later
        claimed.append(more.id)
    assert sorted(claimed) == sorted(set(claimed))
    assert len(claimed) == 12


def test_higher_priority_first_then_first_come(both: Database) -> None:
    ids = [submit(both, name) for name in ("anna", "bert", "cara")]
    for submission_id, priority in zip(ids, (0, 0, 10), strict=True):
        enqueue(both, submission_id, priority)
    order = [claim(both) for _ in ids]
    assert [each.submission_id for each in order if each] == [ids[2], ids[0], ids[1]]


def test_a_lease_that_ended_is_taken_over_and_the_old_claim_is_worthless(both: Database, submission: int) -> None:
    enqueue(both, submission)
    first = claim(both, "one")
    assert first is not None
    assert claim(both, "two") is None
    second = claim(both, "two", NOW + LEASE + timedelta(seconds=1))
    assert second is not None
    assert (second.id, second.fence, second.tries) == (first.id, first.fence + 1, 2)
    with both.writing() as connection:
        assert not Jobs(connection).renew(first, NOW + 10 * LEASE)
        assert not Jobs(connection).remember_sandbox(first, "{}")
        assert not Jobs(connection).put_back(first, "x", "y", failed=True)
    assert not finish(both, first)
    assert finish(both, second)
    assert not finish(both, second)


def test_a_dead_workers_job_is_taken_over_at_once_with_its_sandbox_named(both: Database, submission: int) -> None:
    enqueue(both, submission)
    first = claim(both, "one")
    assert first is not None
    with both.writing() as connection:
        assert Jobs(connection).remember_sandbox(first, '{"pid": 1}')
    second = claim(both, "two", dead="one")
    assert second is not None
    assert second.sandbox == '{"pid": 1}'


def test_a_renewed_lease_holds(both: Database, submission: int) -> None:
    enqueue(both, submission)
    job = claim(both)
    assert job is not None
    with both.writing() as connection:
        assert Jobs(connection).renew(job, NOW + 10 * LEASE)
    assert claim(both, "two", NOW + 9 * LEASE) is None


def test_a_cancelled_jobs_results_are_refused(both: Database, submission: int) -> None:
    enqueue(both, submission)
    job = claim(both)
    assert job is not None
    with both.writing() as connection:
        assert Jobs(connection).cancel([submission], NOW) == 1
        assert Jobs(connection).cancel([submission], NOW) == 0
    assert not finish(both, job)
    with both.reading() as connection:
        newest = Jobs(connection).newest(submission)
        assert Jobs(connection).counts("birds", "weigh") == {JobStatus.CANCELLED: 1}
    assert newest is not None
    assert newest.status is JobStatus.CANCELLED


def test_what_is_put_back_waits_with_its_reason(both: Database, submission: int) -> None:
    enqueue(both, submission)
    job = claim(both)
    assert job is not None
    with both.writing() as connection:
        assert Jobs(connection).put_back(job, "grading-unavailable", "no sandbox", failed=False)
    again = claim(both)
    assert again is not None
    assert (again.reason, again.failures, again.tries) == ("grading-unavailable", 0, 2)

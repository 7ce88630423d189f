"""`kill -9` at random moments, while work is handed in and graded: no receipt without its bytes, none ungraded or graded twice."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from nbgrader.api import Gradebook as NbgraderBook
from sqlalchemy import select

from grader.exchange.objects import sha256_of
from grader.gradebook.book import gradebook_url
from grader.store.model import JobStatus
from grader.store.tables import cell_result, grade_job
from tests.grader.gradebook.conftest import Centre, centre_at

REPOSITORY = Path(__file__).resolve().parents[2]


class Processes:
    """Children of the test, started anew whenever one is killed."""

    def __init__(self, centre: Centre, root: Path) -> None:
        self._centre = centre
        self._root = root
        self._receipts: list[IO[bytes]] = []
        self._count = 0
        self.worker: subprocess.Popen[bytes] | None = None
        self.learner: subprocess.Popen[bytes] | None = None

    def start_worker(self) -> None:
        log = (self._root / "worker.log").open("ab")
        arguments = ["--state-dir", str(self._centre.state.root), "--courses", str(self._root / "distribution")]
        self.worker = subprocess.Popen(
            [sys.executable, "-m", "grader.worker", *arguments, "--idle-s", "0.05"],
            cwd=REPOSITORY,
            stderr=log,
            stdout=log,
        )
        log.close()

    def start_learner(self, most: int) -> None:
        self._count += 1
        out = (self._root / f"receipts-{self._count}.jsonl").open("w+b")
        self._receipts.append(out)
        arguments = [str(self._centre.state.root), f"r{self._count}", str(most)]
        self.learner = subprocess.Popen(
            [sys.executable, "-m", "tests.grader.chaos", *arguments], cwd=REPOSITORY, stdout=out
        )

    def wait_for_a_receipt(self) -> None:
        """Until the newest learner's process holds one, or half a minute: a busy machine starts processes slowly."""
        until = time.monotonic() + 30
        while not os.fstat(self._receipts[-1].fileno()).st_size and time.monotonic() < until:
            time.sleep(0.01)

    def receipts(self) -> list[dict[str, str]]:
        """Every receipt that was given, whole lines only: the last one may have been cut off with its process."""
        found = []
        for file in self._receipts:
            file.seek(0)
            found += [json.loads(line) for line in file.read().split(b"\n")[:-1]]
        return found

    def end(self) -> None:
        for each in (self.worker, self.learner):
            if each is not None and each.poll() is None:
                each.kill()
            if each is not None:
                each.wait()
        for file in self._receipts:
            file.close()


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = centre_at(tmp_path)
    made.grading.objects.put(b"there before")
    yield made
    made.grading.close()


def kill(process: subprocess.Popen[bytes] | None) -> None:
    assert process is not None
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()


def storm(centre: Centre, root: Path, kills: int, seed: int, per_round: int) -> list[dict[str, str]]:
    chance = random.Random(seed)
    processes = Processes(centre, root)
    processes.start_worker()
    processes.start_learner(per_round)
    try:
        for number in range(kills):
            if number % 2:
                wait_until_grading(centre)
                time.sleep(chance.uniform(0.0, 1.0))
                kill(processes.worker)
                processes.start_worker()
            else:
                processes.wait_for_a_receipt()
                time.sleep(chance.uniform(0.0, 0.2))
                kill(processes.learner)
                processes.start_learner(per_round)
        kill(processes.learner)
        wait_until_idle(centre, len(processes.receipts()))
        receipts = processes.receipts()
    finally:
        processes.end()
    return receipts


def wait_until_grading(centre: Centre) -> None:
    """Until a worker has a submission in hand, or 20 s."""
    running = select(grade_job.c.id).where(
        grade_job.c.status == JobStatus.RUNNING.value, grade_job.c.sandbox.is_not(None)
    )
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with centre.grading.database.reading() as connection:
            if connection.execute(running).first() is not None:
                return
        time.sleep(0.01)


def wait_until_idle(centre: Centre, receipts: int) -> None:
    until = time.monotonic() + 60 + 3 * receipts
    while time.monotonic() < until:
        # A hand-in accepted in the moment of a kill may not be queued yet: the instructor's click does that.
        centre.grading.service.enqueue("birds", "weigh", requested_by="i")
        progress = centre.grading.service.progress("birds", "weigh")
        with centre.grading.database.reading() as connection:
            recorded = select(grade_job.c.id).where(
                grade_job.c.status == JobStatus.GRADED.value, grade_job.c.recorded_at.is_(None)
            )
            waiting = len(connection.execute(recorded).all())
        if not progress.is_busy and not progress.not_asked and not waiting:
            return
        time.sleep(0.2)
    pytest.fail(f"not idle: {centre.grading.service.progress('birds', 'weigh')}")


def check(centre: Centre, receipts: list[dict[str, str]]) -> None:
    assert receipts, "no hand-in ever got through"
    report = centre.grading.reconciler.run(deep=True)
    assert report.is_whole, report
    with centre.grading.database.reading() as connection:
        jobs = connection.execute(select(grade_job)).all()
        results = connection.execute(select(cell_result.c.job_id, cell_result.c.grade_id)).all()
    standings = {each.submission.receipt_id: each for each in centre.grading.service.standings("birds", "weigh")}
    graded = Counter(job.submission_id for job in jobs if job.status == JobStatus.GRADED.value)
    assert {job.status for job in jobs} == {JobStatus.GRADED.value}
    assert any(job.tries > 1 for job in jobs), "no kill ever hit a grading"
    for receipt in receipts:
        with centre.grading.objects.open(receipt["sha256"]) as file:
            assert sha256_of(file) == receipt["sha256"]
        standing = standings[receipt["id"]]
        assert graded[standing.submission.id] == 1
    assert set(graded.values()) == {1}
    assert len(results) == 2 * len(jobs)
    with NbgraderBook(gradebook_url(centre.grading.gradebooks.path("birds")), "birds") as opened:
        scores = {each["student"]: each["score"] for each in opened.submission_dicts("weigh")}
    for standing in standings.values():
        learner = standing.submission.work.learner
        assert scores[learner] == (2.0 if int(learner.rsplit("-", 1)[1]) % 2 else 0.0)


@pytest.mark.timeout(600)
def test_twenty_kills_lose_nothing_and_grade_nothing_twice(centre: Centre, tmp_path: Path) -> None:
    check(centre, storm(centre, tmp_path, kills=20, seed=1, per_round=4))


@pytest.mark.all
@pytest.mark.timeout(3600)
def test_a_hundred_kills_lose_nothing_and_grade_nothing_twice(centre: Centre, tmp_path: Path) -> None:
    check(centre, storm(centre, tmp_path, kills=100, seed=int(time.time()), per_round=5))

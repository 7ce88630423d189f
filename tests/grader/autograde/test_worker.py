"""A worker goes on whatever a submission, a source or the machine does, and ends when it is told to."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.autograde.errors import GradingUnavailableError
from grader.autograde.grade import Grader, Watcher
from grader.autograde.worker import MAX_FAILURES, WorkerName, is_dead
from grader.store.jobs import Jobs
from grader.store.model import Grading, Job, JobStatus
from tests.grader.autograde.conftest import LIMITS
from tests.grader.autograde.samples import RIGHT
from tests.grader.gradebook.conftest import Centre, centre_at

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = centre_at(tmp_path)
    made.submit("lin.na", made.birds.learner(RIGHT))
    made.grading.service.enqueue("birds", "weigh", requested_by="i")
    yield made
    made.grading.close()


def newest(centre: Centre) -> Job:
    (standing,) = centre.grading.service.standings("birds", "weigh")
    assert standing.job is not None
    return standing.job


def test_a_source_that_cannot_be_used_fails_the_job_with_its_reason(centre: Centre) -> None:
    source = centre.birds.course.source_dir(centre.birds.course.assignment("weigh")) / "weigh.ipynb"
    whole = source.read_text(encoding="utf-8")
    source.write_text("{", encoding="utf-8")
    assert centre.drain() == MAX_FAILURES
    job = newest(centre)
    assert (job.status, job.reason) == (JobStatus.FAILED, "notebook-invalid")
    source.write_text(whole, encoding="utf-8")
    assert centre.grade() == 1
    assert newest(centre).status is JobStatus.GRADED


def test_bytes_that_are_gone_fail_the_job(centre: Centre) -> None:
    (standing,) = centre.grading.service.standings("birds", "weigh")
    centre.grading.objects.path(standing.submission.sha256).unlink()
    centre.drain()
    assert newest(centre).status is JobStatus.FAILED


def test_an_error_nobody_thought_of_fails_one_submission_only(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> Grading:
        raise RecursionError

    with monkeypatch.context() as patched:
        patched.setattr(Grader, "grade", broken)
        centre.drain()
    job = newest(centre)
    assert (job.status, job.reason) == (JobStatus.FAILED, "internal")


def test_a_machine_without_a_sandbox_makes_work_wait_not_fail(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(*_arguments: object) -> Grading:
        raise GradingUnavailableError(cause="no namespaces")

    worker = centre.grading.worker(LIMITS)
    with monkeypatch.context() as patched:
        patched.setattr(Grader, "grade", unavailable)
        patched.setattr("grader.autograde.worker._PAUSE_S", 0)
        for _ in range(2 * MAX_FAILURES):
            assert worker.step()
    job = newest(centre)
    assert (job.status, job.reason, job.failures) == (JobStatus.QUEUED, "grading-unavailable", 0)
    assert worker.step()
    assert newest(centre).status is JobStatus.GRADED


def test_a_cancelled_grading_is_thrown_away(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Grader.grade

    def cancelled(self: Grader, assignment: object, files: object, choices: object, watcher: Watcher) -> Grading:
        centre.grading.service.cancel("birds", "weigh")
        return whole(self, assignment, files, choices, watcher)  # type: ignore[arg-type]

    monkeypatch.setattr(Grader, "grade", cancelled)
    centre.drain()
    assert newest(centre).status is JobStatus.CANCELLED
    assert centre.grading.reader.of(centre.work("lin.na")) is None


def test_a_worker_that_is_gone_is_known_by_its_name() -> None:
    own = WorkerName.own()
    assert not is_dead(str(own))
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert is_dead(f"{own.boot_id}:{child.pid}:1")
    assert is_dead(f"{own.boot_id}:{own.pid}:{own.started + 1}")
    assert not is_dead("another-boot:1:1")
    assert not is_dead("nonsense")


def start_worker(centre: Centre) -> subprocess.Popen[bytes]:
    arguments = ["--state-dir", str(centre.state.root), "--courses", str(centre.birds.course.root.parent)]
    command = [sys.executable, "-m", "grader.worker", *arguments, "--idle-s", "0.05"]
    return subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.DEVNULL)


def test_the_program_grades_and_ends_when_it_is_told_to(centre: Centre) -> None:
    process = start_worker(centre)
    try:
        until = time.monotonic() + 60
        while newest(centre).recorded_at is None and time.monotonic() < until:
            time.sleep(0.1)
        assert newest(centre).status is JobStatus.GRADED
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def test_the_program_refuses_a_state_it_cannot_use(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text('{"format": 99}')
    command = [sys.executable, "-m", "grader.worker", "--state-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "newer Practicum" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_two_workers_share_the_queue(centre: Centre) -> None:
    for number in range(6):
        centre.submit(f"learner{number}", centre.birds.learner(f"{RIGHT}# {number}"))
    centre.grading.service.enqueue("birds", "weigh", requested_by="i")
    stop = threading.Event()
    workers = [centre.grading.worker(LIMITS, number) for number in range(2)]
    threads = [threading.Thread(target=each.run, args=(stop,), kwargs={"idle_s": 0.05}) for each in workers]
    for each in threads:
        each.start()
    until = time.monotonic() + 120
    while centre.grading.service.progress("birds", "weigh").graded < 7 and time.monotonic() < until:
        time.sleep(0.1)
    stop.set()
    for each in threads:
        each.join()
    assert centre.grading.service.progress("birds", "weigh").graded == 7
    with centre.grading.database.reading() as connection:
        assert Jobs(connection).unrecorded() == []

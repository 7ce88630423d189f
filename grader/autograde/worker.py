"""A worker: takes gradings from the queue, one at a time, until it is told to stop. Any number may run.

What one grading goes through, and what a `kill -9` leaves behind at each point:

1. claimed (committed): the claim's owner is seen to be dead, or its lease ends; the next claim ends its sandbox first;
2. sandbox started and its facts committed: as 1;
3. results and the final status, one commit behind the fence: graded, once and for all;
4. recorded in the gradebook, then marked as recorded: done again by the next worker that starts or idles.
"""

import json
import logging
import os
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from grader.autograde.errors import GradingUnavailableError, LeaseLostError
from grader.autograde.grade import Grader, Watcher
from grader.autograde.run import Running, sweep
from grader.autograde.shelf import Shelf
from grader.errors import GraderError
from grader.exchange import bundle
from grader.exchange.objects import ObjectStore
from grader.store.jobs import Jobs
from grader.store.marks import Choices, Results
from grader.store.model import Grading, Job, JobStatus, Submission, Work
from grader.store.submissions import Submissions
from hub.clock import Clock
from hub.database import Database
from hub.errors import HubError
from hub.sandbox import processes
from hub.sandbox.errors import SandboxError
from hub.sandbox.running import RunningSandbox

LEASE = timedelta(seconds=60)
"""A worker renews it before every cell and in between; one that hangs for longer is taken for dead."""
_RENEW_S = 15.0
_PAUSE_S = 1.0
"""Before the next try on a machine that is out of something."""
MAX_FAILURES = 3
"""A submission whose grading went wrong so often is given up, with the reason."""
MAX_TRIES = 50
"""Claims, counting workers that were killed: they say little about the submission, so there may be many."""

_LOG = logging.getLogger(__name__)


class Records(Protocol):
    """Whoever writes marks into the gradebook."""

    def record(self, work: Work) -> object: ...

    def record_rest(self) -> int: ...


@dataclass(frozen=True, slots=True)
class WorkerName:
    """A process of this machine since its boot, so that others can see whether it still lives."""

    boot_id: str
    pid: int
    started: int

    @classmethod
    def own(cls) -> "WorkerName":
        started = processes.start_time(os.getpid())
        assert started is not None
        return cls(_boot_id(), os.getpid(), started)

    def __str__(self) -> str:
        return f"{self.boot_id}:{self.pid}:{self.started}"


def is_dead(worker: str) -> bool:
    """Whether a claim's owner is certainly gone. A worker of another machine, or an unreadable name, is not certain."""
    try:
        boot_id, pid, started = worker.split(":")
        if boot_id != _boot_id():
            return False
        return not processes.is_running(int(pid), int(started))
    except ValueError:
        return False


class Worker:
    """Grades one submission after the other."""

    def __init__(
        self,
        *,
        database: Database,
        objects: ObjectStore,
        shelf: Shelf,
        grader: Grader,
        records: Records,
        clock: Clock,
        name: str | None = None,
    ) -> None:
        self._database = database
        self._objects = objects
        self._shelf = shelf
        self._grader = grader
        self._records = records
        self._clock = clock
        self._name = name or str(WorkerName.own())

    def run(self, stop: threading.Event, *, idle_s: float = 1.0) -> None:
        """Grade until `stop` is set. Whatever goes wrong is logged, and the next submission goes on."""
        sweep()
        self._tidy()
        while not stop.is_set():
            try:
                busy = self.step()
                if not busy:
                    self._tidy()
            except Exception:  # noqa: BLE001 - the loop's top; a gradebook or database that is away comes back
                _LOG.exception("The queue cannot be worked on; trying again.")
                busy = False
            if not busy:
                stop.wait(idle_s)

    def step(self) -> bool:
        """Grade the next submission, if there is one; whether there was."""
        with self._database.writing() as connection:
            job = Jobs(connection).claim(self._name, now=self._clock.now(), lease=LEASE, is_dead=is_dead)
            submission = None if job is None else Submissions(connection).get(job.submission_id)
        if job is None or submission is None:
            return False
        _end_leftover(job)
        if job.tries > MAX_TRIES:
            self._finish(job, Grading(JobStatus.FAILED, reason="tries-spent", detail=job.detail or "the worker died"))
            return True
        try:
            grading = self._graded(job, submission)
        except LeaseLostError:
            _LOG.info("Submission %s was taken over or cancelled.", submission.receipt_id)
            return True
        except Exception as exc:  # noqa: BLE001 - the top of the loop: one submission never stops the others
            self._give_back(job, submission, exc)
            return True
        if self._finish(job, grading) and grading.status is JobStatus.GRADED:
            self._record(submission.work)
        return True

    def _graded(self, job: Job, submission: Submission) -> Grading:
        assignment = self._shelf.get(submission.work.course, submission.work.assignment, submission.language or "en")
        with self._objects.open(submission.sha256) as file:
            files = bundle.contents(file)
        with self._database.reading() as connection:
            choices = Choices(connection).of(submission.id)
        with _Claim(self._database, self._clock, job) as claim:
            return self._grader.grade(assignment, files, choices, claim)

    def _finish(self, job: Job, grading: Grading) -> bool:
        """Whether the claim still held: results and status are then stored, in one commit."""
        with self._database.writing() as connection:
            finished = Jobs(connection).finish(
                job,
                grading.status,
                now=self._clock.now(),
                reason=grading.reason,
                detail=grading.detail,
                source_sha256=grading.source_sha256,
            )
            if finished:
                Results(connection).put(job.id, grading)
        return finished

    def _give_back(self, job: Job, submission: Submission, exc: Exception) -> None:
        """Back into the queue, or failed for good if it went wrong too often."""
        code = getattr(exc, "code", "internal")
        _LOG.warning("Submission %s could not be graded (try %s).", submission.receipt_id, job.tries, exc_info=exc)
        # A machine without a sandbox or a database says nothing about the submission.
        failed = not isinstance(exc, GradingUnavailableError | HubError)
        if failed and job.failures + 1 >= MAX_FAILURES:
            self._finish(job, Grading(JobStatus.FAILED, reason=code, detail=str(exc)))
            return
        with self._database.writing() as connection:
            Jobs(connection).put_back(job, code, str(exc), failed=failed)
        if not failed:
            time.sleep(_PAUSE_S)

    def _record(self, work: Work) -> None:
        try:
            self._records.record(work)
        except (GraderError, HubError):
            # The marks are safe in our own database; the next idle moment tries again.
            _LOG.exception("The gradebook could not be written; trying again later.")

    def _tidy(self) -> None:
        try:
            self._records.record_rest()
        except (GraderError, HubError):
            _LOG.exception("The gradebook could not be brought up to date; trying again later.")


class _Claim(Watcher):
    """Keeps a claim alive while its submission is graded, and stops the grading when the claim is lost."""

    def __init__(self, database: Database, clock: Clock, job: Job) -> None:
        self._database = database
        self._clock = clock
        self._job = job
        self._lost = False
        self._over = threading.Event()
        self._heart = threading.Thread(target=self._beat, name=f"lease-{job.id}", daemon=True)

    def __enter__(self) -> "_Claim":
        self._heart.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        self._heart.join()

    def started(self, running: Running | None) -> None:
        facts = None if running is None else json.dumps(running.to_dict())
        with self._database.writing() as connection:
            held = Jobs(connection).remember_sandbox(self._job, facts)
        if not held:
            raise LeaseLostError

    def go_on(self) -> None:
        if self._lost:
            raise LeaseLostError

    def _beat(self) -> None:
        while not self._over.wait(_RENEW_S):
            try:
                with self._database.writing() as connection:
                    held = Jobs(connection).renew(self._job, self._clock.now() + LEASE)
            except HubError:
                continue  # the database is away for a moment; the lease outlasts several beats
            if not held:
                self._lost = True
                return


def _end_leftover(job: Job) -> None:
    """What an earlier claim's worker left running: its learner's code must not run beside the new one."""
    if job.sandbox is None:
        return
    try:
        RunningSandbox.from_dict(json.loads(job.sandbox)).stop(0)
    except (ValueError, SandboxError, PermissionError) as exc:
        _LOG.warning("The sandbox of an earlier try cannot be ended: %s", exc)


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()

"""A class and its instructor at work through the real centre, and a hand that kills the grader at chosen moments of it."""

import contextlib
import io
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import httpx
from sqlalchemy import Select, select

from courses.kit.handin.bundle import Manifest, Packed
from courses.kit.handin.centre import Centre as HandInCentre
from courses.kit.handin.patience import Patience
from courses.kit.handin.upload import upload
from grader.exchange import bundle
from grader.grading import Grading
from grader.store.model import JobStatus
from grader.store.submissions import Submissions
from grader.store.tables import grade_job
from tests.centre import Centre
from tests.courses.lesson import SOURCE_FILE
from tests.visitor import Visitor

COURSE, ASSIGNMENT = "data-processing", "quality-audit"
TEACH = f"/services/grader/teach/{COURSE}/{ASSIGNMENT}"
SOLVED_POINTS = 20.0
"""The model solution's, before anybody has read its written part."""
MOMENT_WITHIN_S = 90.0
"""How long a moment may be waited for: a worker that was just killed loads for some seconds, then grades for some."""
BACK_WITHIN_S = 60.0
_PATIENCE_S = 60.0
_PAUSE_S = 0.02
_FILLER_BYTES = 1_200_000
"""Makes a hand-in three pieces long, so that there is something between the first and the last byte to be killed in."""


@dataclass(frozen=True, slots=True)
class Given:
    """One receipt, as its learner holds it."""

    receipt_id: str
    sha256: str
    learner: str
    solved: bool


class Moments:
    """Where the class and its instructor are just now, for whoever waits to strike there."""

    def __init__(self) -> None:
        self._reached = {name: threading.Event() for name in ("sending", "finishing", "releasing")}

    def reached(self, name: str) -> None:
        self._reached[name].set()

    def wait_for_next(self, name: str) -> None:
        self._reached[name].clear()
        assert self._reached[name].wait(MOMENT_WITHIN_S), f"nobody came to {name}"


@dataclass
class Class:
    """Learners who hand in, wait until that is graded, and hand in the next version; their instructor, who grades and
    releases feedback all the time. Each does what panel and pages do, and goes on when the centre is away for a moment."""

    centre: Centre
    grading: Grading
    moments: Moments = field(default_factory=Moments)
    given: list[Given] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    broken: Counter[str] = field(default_factory=Counter)
    """Requests that got no answer, by who made them: the proof that kills were felt."""
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def at_work(self, tokens: dict[str, str], instructor: Visitor) -> Iterator[None]:
        works: list[Callable[[], None]] = [lambda: self._teach(instructor)]
        works += [lambda name=name, token=token: self._learn(name, token) for name, token in tokens.items()]  # type: ignore[misc]
        threads = [threading.Thread(target=self._guarded, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(MOMENT_WITHIN_S)

    def release_feedback(self, instructor: Visitor) -> str:
        """The page that says for how many."""
        page = instructor.http.get(TEACH)
        return instructor.submit(page, f"{ASSIGNMENT}/feedback", unfinished="yes").text

    def version(self, name: str, number: int, *, solved: bool) -> tuple[bytes, Packed]:
        """A hand-in of three pieces that differs from every other one: the model solution, or the lesson as released."""
        notebook = SOURCE_FILE.read_bytes() if solved else self._released
        filler = random.Random(f"{name} {number}").randbytes(_FILLER_BYTES)
        sink = io.BytesIO()
        contents = {SOURCE_FILE.name: notebook, "data.bin": filler}
        written = bundle.pack_contents(contents, sink, course=COURSE, assignment=ASSIGNMENT, language="en")
        return sink.getvalue(), Packed(written.sha256, written.size, Manifest(COURSE, ASSIGNMENT, "en", ()))

    @cached_property
    def _released(self) -> bytes:
        folder = self.centre.state_dir / "courses" / COURSE / "release" / "en" / ASSIGNMENT
        return (folder / SOURCE_FILE.name).read_bytes()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as exc:  # noqa: BLE001 - told by the test's own thread
            self.failures.append(exc)

    def _learn(self, name: str, token: str) -> None:
        client, number = HandInCentre(f"{self.centre.url}/services/grader", token, "en"), 0
        while not self._stop.is_set():
            solved, number = number % 2 == 0, number + 1
            data, packed = self.version(name, number, solved=solved)
            receipt = upload(client, io.BytesIO(data), packed, self._told, self._patience())
            self.given.append(Given(receipt.id, receipt.sha256, name, solved))
            while not self._stop.is_set() and not self._is_graded(receipt.id):
                time.sleep(_PAUSE_S * 10)

    def _told(self, arrived: int, size: int) -> None:
        self.moments.reached("sending" if arrived < size else "finishing")

    def _patience(self) -> Patience:
        def sleep(seconds: float) -> None:
            self.broken["learner"] += 1
            time.sleep(seconds)

        return Patience(_PATIENCE_S, sleep=sleep)

    def _is_graded(self, receipt_id: str) -> bool:
        with self.grading.database.reading() as connection:
            found = Submissions(connection).by_receipt(receipt_id)
            statement = select(grade_job.c.id).where(grade_job.c.status == JobStatus.GRADED.value)
            assert found is not None
            return connection.execute(statement.where(grade_job.c.submission_id == found.id)).first() is not None

    def _teach(self, instructor: Visitor) -> None:
        while not self._stop.is_set():
            try:
                self._click(instructor)
            except (httpx.HTTPError, StopIteration):  # no answer, or a page that says so and has no such form
                self.broken["instructor"] += 1
                time.sleep(_PAUSE_S * 10)

    def _click(self, instructor: Visitor) -> None:
        page = instructor.http.get(TEACH)
        instructor.submit(page, f"{ASSIGNMENT}/grade")
        self.moments.reached("releasing")
        instructor.submit(page, f"{ASSIGNMENT}/feedback", unfinished="yes")
        time.sleep(_PAUSE_S * 10)


@dataclass
class Killer:
    """Strikes the grader's service or worker with SIGKILL at the moment it is told, and waits until a new one is up."""

    centre: Centre
    grading: Grading
    moments: Moments
    chance: random.Random
    recoveries_s: dict[str, list[float]] = field(default_factory=dict)

    def strike(self, moment: str) -> None:
        """One kill at a moment of `MOMENTS`."""
        victim, wait, within_s = MOMENTS[moment]
        wait(self)
        time.sleep(self.chance.uniform(0.0, within_s))
        began, killed = time.monotonic(), self._pid(victim)
        os.kill(killed, signal.SIGKILL)
        self._wait_for_next_process(victim, killed)
        if moment == "starting":
            return  # the next strike finds it in the middle of that
        if victim == "grader":
            self._wait_until_it_answers()
        self.recoveries_s.setdefault(moment, []).append(time.monotonic() - began)

    def wait_until_sending(self) -> None:
        self.moments.wait_for_next("sending")

    def wait_until_finishing(self) -> None:
        self.moments.wait_for_next("finishing")

    def wait_until_releasing(self) -> None:
        self.moments.wait_for_next("releasing")

    def wait_until_grading(self) -> None:
        running = select(grade_job.c.id).where(grade_job.c.status == JobStatus.RUNNING.value)
        self._wait_for(running.where(grade_job.c.sandbox.is_not(None)))

    def wait_until_recording(self) -> None:
        graded = select(grade_job.c.id).where(grade_job.c.status == JobStatus.GRADED.value)
        self._wait_for(graded.where(grade_job.c.recorded_at.is_(None)))

    def _wait_for(self, statement: Select[tuple[int]]) -> None:
        until = time.monotonic() + MOMENT_WITHIN_S
        while time.monotonic() < until:
            with self.grading.database.reading() as connection:
                if connection.execute(statement).first() is not None:
                    return
            time.sleep(0.005)
        raise AssertionError("the worker never came to it")

    def _pid(self, name: str) -> int:
        record = self.centre.state_dir / "run" / f"{name}.json"
        return int(json.loads(record.read_text(encoding="utf-8"))["pid"])

    def _wait_for_next_process(self, victim: str, killed: int) -> None:
        until = time.monotonic() + BACK_WITHIN_S
        while self._pid(victim) == killed:
            assert time.monotonic() < until, f"{victim} was not started again"
            time.sleep(0.02)

    def _wait_until_it_answers(self) -> None:
        until = time.monotonic() + BACK_WITHIN_S
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.centre.url}/services/grader/health", timeout=10).status_code == 200:
                    return
            assert time.monotonic() < until, "the grader does not answer again"
            time.sleep(0.05)


MOMENTS: dict[str, tuple[str, Callable[[Killer], None], float]] = {
    "sending": ("grader", Killer.wait_until_sending, 0.05),
    "finishing": ("grader", Killer.wait_until_finishing, 0.05),
    "releasing": ("grader", Killer.wait_until_releasing, 0.3),
    "starting": ("grader", Killer.wait_until_sending, 0.5),
    "grading": ("grader-worker", Killer.wait_until_grading, 2.0),
    "recording": ("grader-worker", Killer.wait_until_recording, 0.05),
}
"""What is struck, after what, and for how many seconds at most the hand hesitates."""

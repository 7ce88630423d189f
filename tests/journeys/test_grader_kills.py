"""The grader's service and worker killed again and again while learners hand in and are graded: no receipt is ever broken."""

import io
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select

from courses.kit.handin.bundle import Manifest, Packed
from courses.kit.handin.centre import Centre as HandInCentre
from courses.kit.handin.patience import Patience
from courses.kit.handin.upload import upload
from grader.exchange import bundle
from grader.exchange.objects import sha256_of
from grader.grading import Grading, open_grading
from grader.store.model import JobStatus
from grader.store.submissions import Submissions
from grader.store.tables import grade_job
from hub.state import StateDir
from tests.centre import Centre
from tests.courses.lesson import SOURCE_FILE
from tests.visitor import Visitor

COURSE, ASSIGNMENT = "data-processing", "quality-audit"
LEARNERS = ("lin.na", "wang.wei", "maria.silva")
GRADED_WITHIN_S = 300
_PATIENCE_S = 60.0


@dataclass
class HandIns:
    """Learners who hand in one version after the other, as their servers' panels do, until told to stop."""

    receipts: list[tuple[str, str]] = field(default_factory=list)
    """Receipt id and SHA-256 of everything that was accepted."""
    failures: list[BaseException] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def work(self, url: str, token: str) -> None:
        client, number = HandInCentre(url, token, "en"), 0
        try:
            while not self._stop.is_set():
                number += 1
                data, packed = _version(number)
                receipt = upload(client, io.BytesIO(data), packed, lambda *_: None, Patience(_PATIENCE_S))
                self.receipts.append((receipt.id, receipt.sha256))
        except BaseException as exc:  # noqa: BLE001 - told by the test's own thread
            self.failures.append(exc)

    @contextmanager
    def going_on(self, url: str, tokens: list[str]) -> Iterator[None]:
        threads = [threading.Thread(target=self.work, args=(url, token)) for token in tokens]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(_PATIENCE_S)


def _version(number: int) -> tuple[bytes, Packed]:
    sink = io.BytesIO()
    contents = {SOURCE_FILE.name: SOURCE_FILE.read_bytes(), "notes.txt": f"version {number}".encode()}
    written = bundle.pack_contents(contents, sink, course=COURSE, assignment=ASSIGNMENT, language="en")
    return sink.getvalue(), Packed(written.sha256, written.size, Manifest(COURSE, ASSIGNMENT, "en", ()))


def _token(centre: Centre, name: str) -> str:
    visitor = Visitor(centre.url)
    with closing(visitor):
        visitor.redeem(centre.invitations[name])
        visitor.sign_in(name)
        return visitor.grader_token(name)


def _kill(centre: Centre, name: str) -> None:
    os.kill(json.loads((centre.state_dir / "run" / f"{name}.json").read_text(encoding="utf-8"))["pid"], signal.SIGKILL)


def _graded(grading: Grading) -> Counter[int]:
    """How often each submission was graded."""
    with grading.database.reading() as connection:
        statement = select(grade_job.c.submission_id).where(grade_job.c.status == JobStatus.GRADED.value)
        return Counter(connection.execute(statement).scalars())


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kills", [6, pytest.param(100, marks=pytest.mark.all)])
def test_every_receipt_has_its_bytes_and_ends_graded_once_whatever_is_killed_when(
    own_centre: Centre, kills: int
) -> None:
    centre, chance = own_centre, random.Random(kills)
    tokens = [_token(centre, name) for name in LEARNERS]
    grading, hand_ins = open_grading(StateDir(centre.state_dir)), HandIns()
    with closing(grading):
        with hand_ins.going_on(f"{centre.url}/services/grader", tokens):
            for _ in range(kills):
                time.sleep(chance.uniform(0.2, 2.0))
                grading.service.enqueue(COURSE, ASSIGNMENT, requested_by="zhao.yun")
                time.sleep(chance.uniform(0.0, 2.0))
                _kill(centre, chance.choice(["grader", "grader-worker"]))
                centre.wait_until_whole()
        assert hand_ins.failures == []
        assert len(hand_ins.receipts) > kills

        with grading.database.reading() as connection:
            for receipt_id, sha256 in hand_ins.receipts:
                found = Submissions(connection).by_receipt(receipt_id)
                assert found is not None
                assert found.sha256 == sha256
                with grading.objects.open(sha256) as file:
                    assert sha256_of(file) == sha256

        grading.service.enqueue(COURSE, ASSIGNMENT, requested_by="zhao.yun")
        until = time.monotonic() + GRADED_WITHIN_S
        while (progress := grading.service.progress(COURSE, ASSIGNMENT)).is_busy:
            assert time.monotonic() < until, progress
            time.sleep(0.5)
        assert progress.graded == len(LEARNERS)
        assert set(_graded(grading).values()) == {1}
        assert all(finding.kind != "lost" for finding in grading.reconciler.run(deep=True).findings)

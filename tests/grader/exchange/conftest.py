"""An intake over a real database and a real directory, and hand-ins to give it."""

import hashlib
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from grader.exchange import bundle
from grader.exchange.intake import Intake
from grader.exchange.objects import ObjectStore
from grader.exchange.receipt import Receipt
from grader.exchange.reconcile import Reconciler
from grader.exchange.terms import Terms
from grader.store.model import Work
from hub.clock import ManualClock
from hub.database import Database

NOTEBOOKS = frozenset({"quality-audit.ipynb"})
LIN = Work("data-processing", "quality-audit", "lin.na")
WANG = Work("data-processing", "quality-audit", "wang.wei")
DUE = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)


def bundle_of(text: str, work: Work = LIN, **more: bytes) -> bytes:
    """A bundle whose notebook holds `text`."""
    sink = io.BytesIO()
    files = {"quality-audit.ipynb": text.encode(), **more}
    bundle.pack_contents(files, sink, course=work.course, assignment=work.assignment)
    return sink.getvalue()


@dataclass
class Desk:
    """Everything a hand-in passes through, on one machine."""

    database: Database
    objects: ObjectStore
    clock: ManualClock
    intake: Intake
    reconciler: Reconciler

    def submit(self, data: bytes, work: Work = LIN, terms: Terms | None = None) -> Receipt:
        """The whole way of one hand-in, in one piece."""
        begun = self.intake.announce(work, terms or Terms(), sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        if begun.receipt is not None:
            return begun.receipt
        assert begun.upload_id is not None
        self.intake.append(begun.upload_id, work, begun.offset, data[begun.offset :])
        return self.intake.finish(begun.upload_id, work, NOTEBOOKS)


def desk_at(database: Database, root: Path) -> Desk:
    objects, clock = ObjectStore(root), ManualClock()
    intake = Intake(database, objects, clock)
    return Desk(database, objects, clock, intake, Reconciler(database, objects, intake, clock, lambda *_: NOTEBOOKS))


@pytest.fixture
def desk(both: Database, tmp_path: Path) -> Desk:
    return desk_at(both, tmp_path / "submissions")

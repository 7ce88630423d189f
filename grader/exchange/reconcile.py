"""After a crash, or any time: every bundle without a row and every row without bytes is explained and put right.

How bytes come to lie without a row: `Intake.finish` links them into place (1), commits the row (2), removes the upload's
own name for them (3). Killed between 1 and 2, the announcement is still open and its file still complete, so the hand-in
can be finished; nobody was given a receipt, but the learner had sent everything. Bytes that no announcement explains were
put there by something else: they are kept aside for a person. A row without bytes is a broken promise and is said loudly.

Pages of feedback lie among the bundles. One that was replaced, withdrawn or never recorded is worth nothing, as releasing
makes it again; it leaves by the quarantine all the same, because a backup may hold a row from before that names it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from grader.exchange.errors import BundleError, SubmissionsClosedError
from grader.exchange.intake import Intake
from grader.exchange.objects import ObjectStore, sha256_of
from grader.store.model import Upload, UploadStatus
from grader.store.releases import Releases
from grader.store.submissions import Submissions, Uploads
from hub.clock import Clock
from hub.database import Database

YOUNG = timedelta(minutes=10)
"""Files younger than this may belong to a request that is still running."""
KEPT = timedelta(days=7)
"""How long an unfinished upload can be taken up again, and a page of feedback that is not released any more is kept."""
PAGE_BEGINS = b"<!doctype html>"
"""Of every page of feedback and of no bundle."""


class Kind(StrEnum):
    """What was found, and thereby what was done about it."""

    ADOPTED = "adopted"
    REFUSED = "refused"
    EXPIRED = "expired"
    QUARANTINED = "quarantined"
    REPLACED = "replaced"
    BROUGHT_BACK = "brought-back"
    LOST = "lost"
    DAMAGED = "damaged"
    TIDIED = "tidied"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was not as it should be, in a sentence for the operator."""

    kind: Kind
    subject: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything one look found; `is_whole` unless work is missing or damaged."""

    findings: tuple[Finding, ...]
    objects: int

    @property
    def is_whole(self) -> bool:
        return not any(finding.kind in {Kind.LOST, Kind.DAMAGED} for finding in self.findings)


class Reconciler:
    """Compares the object store with the records. Safe beside running intakes.

    `notebooks` names the notebook files of a course's assignment, empty if there is none any more.
    """

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        intake: Intake,
        clock: Clock,
        notebooks: Callable[[str, str], frozenset[str]],
    ) -> None:
        self._database = database
        self._objects = objects
        self._intake = intake
        self._clock = clock
        self._notebooks = notebooks
        self._young = YOUNG

    def run(self, *, deep: bool = False, young: timedelta = YOUNG) -> Report:
        """One look over everything; `deep` also reads every byte that a receipt vouches for.

        Files younger than `young` are left alone; before the first request of a start that can be zero.

        Steps: 1. finish complete uploads, expire old ones; 2. explain each object no row names; 3. explain each row
        whose object is missing; 4. with `deep`, hash the others; 5. remove upload files nobody waits for, and old pages.
        """
        self._young = young
        findings = self._uploads()
        with self._objects.sweeping():
            # Nothing is adopted while this lock is held, so what has no row now will not get one behind our back.
            with self._database.reading() as connection:
                promised = Submissions(connection).addresses()
                named = promised | Releases(connection).addresses()
            present = set(self._objects.addresses())
            findings += self._unnamed(present - named)
            findings += self._missing(named - present)
            if deep:
                findings += self._damaged(promised & present)
        findings += self._leftovers()
        return Report(tuple(findings), len(present))

    def _uploads(self) -> list[Finding]:
        with self._database.reading() as connection:
            waiting = Uploads(connection).all_open()
        now = self._clock.now()
        findings = []
        for found in waiting:
            part = self._intake.part_of(found)
            arrived = part.stat().st_size if part.exists() else 0
            if arrived == found.size and self._is_old(part.stat().st_mtime):
                findings.append(self._finish(found))
            elif now - found.opened_at > KEPT:
                with self._database.writing() as connection:
                    Uploads(connection).close([found.id], UploadStatus.EXPIRED)
                part.unlink(missing_ok=True)
                findings.append(Finding(Kind.EXPIRED, found.id, f"Upload {_of(found)} was never finished; given up."))
        return findings

    def _finish(self, found: Upload) -> Finding:
        try:
            receipt = self._intake.finish(
                found.id, found.work, self._notebooks(found.work.course, found.work.assignment)
            )
        except (BundleError, SubmissionsClosedError) as exc:
            return Finding(Kind.REFUSED, found.id, f"Upload {_of(found)} was complete but not acceptable: {exc}")
        return Finding(
            Kind.ADOPTED, receipt.sha256, f"Upload {_of(found)} was complete but unrecorded; accepted as {receipt.id}."
        )

    def _unnamed(self, addresses: set[str]) -> list[Finding]:
        with self._database.reading() as connection:
            announced = {found.sha256 for found in Uploads(connection).all_open()}
        now = self._clock.now().timestamp()
        return [
            self._set_aside(sha256)
            for sha256 in sorted(addresses - announced)
            if self._objects.age_s(sha256, now) > self._young.total_seconds()
        ]

    def _set_aside(self, sha256: str) -> Finding:
        with self._objects.open(sha256) as file:
            is_page = file.read(len(PAGE_BEGINS)) == PAGE_BEGINS
        self._objects.set_aside(sha256, self._clock.now().timestamp())
        if is_page:
            return Finding(Kind.REPLACED, sha256, f"Feedback page {sha256} is not released; gone in {KEPT.days} days.")
        return Finding(Kind.QUARANTINED, sha256, f"Bundle {sha256} belongs to no hand-in; moved to quarantine.")

    def _missing(self, addresses: set[str]) -> list[Finding]:
        findings = []
        for sha256 in sorted(addresses):
            if self._objects.bring_back(sha256):
                findings.append(
                    Finding(Kind.BROUGHT_BACK, sha256, f"Bundle {sha256} lay in quarantine; back in place.")
                )
                continue
            with self._database.reading() as connection:
                owners = [each.receipt_id for each in Submissions(connection).by_sha256(sha256)]
            whose = f"receipts {', '.join(owners)}" if owners else "released feedback"
            findings.append(
                Finding(Kind.LOST, sha256, f"Bundle {sha256} of {whose} is missing; restore it from a backup.")
            )
        return findings

    def _damaged(self, addresses: set[str]) -> list[Finding]:
        findings = []
        for sha256 in sorted(addresses):
            with self._objects.open(sha256) as file:
                if sha256_of(file) != sha256:
                    sentence = f"Bundle {sha256} has changed on disk; restore it from a backup."
                    findings.append(Finding(Kind.DAMAGED, sha256, sentence))
        return findings

    def _leftovers(self) -> list[Finding]:
        with self._database.reading() as connection:
            awaited = {self._intake.part_of(found) for found in Uploads(connection).all_open()}
        findings = []
        for path in sorted(self._objects.uploads.iterdir()):
            if path not in awaited and self._is_old(path.stat().st_mtime):
                path.unlink(missing_ok=True)
                findings.append(Finding(Kind.TIDIED, path.name, f"Upload file {path.name} was left over; removed."))
        long_ago = self._clock.now().timestamp() - KEPT.total_seconds()
        findings += [
            Finding(Kind.TIDIED, sha256, f"Feedback page {sha256} was not released for long; removed.")
            for sha256 in self._objects.removed_from_quarantine(long_ago, PAGE_BEGINS)
        ]
        return findings

    def _is_old(self, written: float) -> bool:
        return self._clock.now().timestamp() - written > self._young.total_seconds()


def _of(found: Upload) -> str:
    return f"{found.id} of {found.work.learner} for {found.work.course}/{found.work.assignment}"

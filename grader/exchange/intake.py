"""Taking hand-ins: announced, uploaded in pieces, accepted with a receipt. Synchronous; call it from a thread.

*Accepted* means, in this order: the bundle's bytes are on disk, its directory entry is on disk, its row is committed.
A crash in between leaves bytes without a row, which `reconcile` explains; never a row, or a receipt, without bytes.
"""

import fcntl
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection

from grader.exchange import bundle
from grader.exchange.bundle import Limits, Manifest
from grader.exchange.errors import (
    AttemptsSpentError,
    BundleError,
    BundleMismatchError,
    BundleTooLargeError,
    RoomSpentError,
    SubmissionsClosedError,
    UploadIncompleteError,
    UploadOffsetError,
    UploadOverrunError,
    UploadRefusedError,
    UploadUnknownError,
)
from grader.exchange.objects import ObjectStore, full_disk_as_sentence, sha256_of
from grader.exchange.receipt import Receipt
from grader.exchange.terms import Terms
from grader.store.model import Submission, Upload, UploadStatus, Work
from grader.store.submissions import AttemptTakenError, Submissions, Uploads
from hub.clock import Clock
from hub.database import Database

UPLOAD_WINDOW = timedelta(minutes=30)
"""An upload counts from when it was announced if it is complete within this: the announced SHA-256 fixes the content,
so a slow line costs nobody the deadline, and nobody can go on working meanwhile."""

OPEN_UPLOADS = 4
"""Unfinished uploads of one learner and assignment; a fifth gives up the oldest."""

_MIB = 1024 * 1024

ROOM_BYTES = 1024 * _MIB
"""What all hand-ins of one learner may take, unfinished ones included: a thousand usual ones, sixteen of the largest.
Nothing accepted is ever deleted, so without it a learner's program could fill the disk that everybody hands in to."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an upload stands: send bytes from `offset` on, or nothing more if there is a receipt."""

    upload_id: str | None
    offset: int
    receipt: Receipt | None


class Intake:
    """Hand-ins of every course. Safe to use from many threads and processes of one machine."""

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        clock: Clock,
        limits: Limits | None = None,
        room_bytes: int = ROOM_BYTES,
    ) -> None:
        self._database = database
        self._objects = objects
        self._clock = clock
        self._limits = limits or Limits()
        self._room_bytes = room_bytes

    def announce(self, work: Work, terms: Terms, *, sha256: str, size: int) -> Progress:
        """Begin a hand-in of `size` bytes with that SHA-256, or find it again where it stopped.

        The bytes that count already give their receipt at once, whenever they are sent again. Raises
        `SubmissionsClosedError`, `AttemptsSpentError`, `RoomSpentError`, `BundleTooLargeError`, `BundleMismatchError`.
        """
        if not _is_digest(sha256) or size < 1:
            raise BundleMismatchError
        if size > self._limits.bundle_bytes:
            raise BundleTooLargeError(what="The hand-in", limit_mib=self._limits.bundle_bytes // _MIB)
        while (begun := self._announced(work, terms, sha256, size)) is None:
            continue
        return begun

    def progress(self, upload_id: str, work: Work) -> Progress:
        """Where the upload stands. Raises `UploadUnknownError` for an unknown one or somebody else's."""
        found = self._upload(upload_id, work)
        receipt = self._receipt_of(found)
        return Progress(found.id, self._arrived(found) if receipt is None else found.size, receipt)

    def append(self, upload_id: str, work: Work, offset: int, piece: bytes) -> Progress:
        """Add bytes at `offset`. A piece that is there already does no harm; one that leaves a gap is refused.

        Raises `UploadUnknownError`, `UploadRefusedError`, `UploadOffsetError`, `UploadOverrunError`,
        `StorageFullError`; none of them loses what has arrived.
        """
        found = self._upload(upload_id, work)
        if (receipt := self._receipt_of(found)) is not None:
            return Progress(found.id, found.size, receipt)
        _require_open(found)
        if offset < 0 or offset + len(piece) > found.size:
            raise UploadOverrunError
        with full_disk_as_sentence(), self._locked_part(found) as part:
            arrived = _size(part)
            if offset > arrived:
                # Another request may have finished the upload since, and its file be a new and empty one.
                if (receipt := self._done(self._upload(upload_id, work))) is not None:
                    return Progress(found.id, found.size, receipt)
                raise UploadOffsetError(offset=arrived)
            fresh = piece[arrived - offset :]
            written = 0
            while written < len(fresh):
                written += os.pwrite(part.fileno(), fresh[written:], arrived + written)
            return Progress(found.id, arrived + written, None)

    def finish(self, upload_id: str, work: Work, notebooks: frozenset[str]) -> Receipt:
        """Accept a complete upload; the same receipt however often it is asked for.

        `notebooks` are the assignment's file names. Raises a `BundleError` child for what is not a proper bundle of this
        assignment (the upload is then closed), `UploadIncompleteError`, `UploadUnknownError`, `UploadRefusedError`,
        `SubmissionsClosedError`, `StorageFullError`. Whatever it raises, nothing accepted before is touched and nothing
        is half-accepted.
        """
        found = self._upload(upload_id, work)
        with full_disk_as_sentence(), self._objects.adopting():
            if (receipt := self._done(found)) is not None:
                return receipt
            _require_open(found)
            with self._locked_part(found) as part:
                found = self._upload(upload_id, work)  # another request may have finished it while we waited
                if (receipt := self._done(found)) is not None:
                    return receipt
                _require_open(found)
                if _size(part) < found.size:
                    raise UploadIncompleteError(offset=_size(part))
                manifest = self._checked(found, part, notebooks)
                self._objects.adopt(self._part(found), found.sha256)
                accepted = self._recorded(found, manifest.language)
                self._part(found).unlink(missing_ok=True)
                return accepted.receipt

    def accept_whole(
        self, work: Work, terms: Terms, contents: dict[str, bytes], notebooks: frozenset[str], language: str = ""
    ) -> Receipt:
        """Accept files that are in memory, such as a notebook uploaded through a page. Raises as the steps above do."""
        sink = io.BytesIO()
        written = bundle.pack_contents(
            contents, sink, course=work.course, assignment=work.assignment, language=language, limits=self._limits
        )
        begun = self.announce(work, terms, sha256=written.sha256, size=written.size)
        if begun.receipt is not None:
            return begun.receipt
        assert begun.upload_id is not None
        self.append(begun.upload_id, work, begun.offset, sink.getvalue()[begun.offset :])
        return self.finish(begun.upload_id, work, notebooks)

    def part_of(self, found: Upload) -> Path:
        """The file its pieces go to."""
        return self._part(found)

    def _announced(self, work: Work, terms: Terms, sha256: str, size: int) -> Progress | None:
        """Where the hand-in stands; None if another transaction changed that meanwhile, so that one has to look again."""
        now = self._clock.now()
        given_up: list[Upload] = []
        with self._database.writing() as connection:
            submissions, uploads = Submissions(connection), Uploads(connection)
            latest = submissions.latest(work)
            if latest is not None and latest.sha256 == sha256:
                return Progress(None, size, latest.receipt)
            _check_terms(terms, now, submissions.count(work))
            waiting = uploads.open_of(work)
            found = next((each for each in waiting if (each.sha256, each.size) == (sha256, size)), None)
            if found is None:
                given_up = _superseded(waiting, sha256)
                given_up += self._making_room(connection, work.learner, size, given_up)
                uploads.close([each.id for each in given_up], UploadStatus.EXPIRED)
                uploads.forget_refused(work)  # or a program that announces without an end would fill the database
                found = uploads.add(secrets.token_hex(16), work, terms, sha256=sha256, size=size, opened_at=now)
        for each in given_up:
            self._part(each).unlink(missing_ok=True)
        # None only on PostgreSQL: on SQLite the transaction was the only writer since it began.
        return None if found is None else Progress(found.id, self._arrived(found), None)

    def _making_room(self, connection: Connection, learner: str, size: int, given_up: list[Upload]) -> list[Upload]:
        """Which more unfinished uploads, oldest first, make room for so many bytes. Raises `RoomSpentError`."""
        gone = {each.id for each in given_up}
        waiting = [each for each in Uploads(connection).open_of_learner(learner) if each.id not in gone]
        taken = Submissions(connection).bytes_of(learner) + sum(each.size for each in waiting)
        more = []
        while taken + size > self._room_bytes and waiting:
            more.append(waiting.pop(0))
            taken -= more[-1].size
        if taken + size > self._room_bytes:
            raise RoomSpentError(limit_mib=self._room_bytes // _MIB)
        return more

    def _checked(self, found: Upload, part: BinaryIO, notebooks: frozenset[str]) -> Manifest:
        """What the complete upload says, or the upload is closed and the reason raised."""
        try:
            if found.terms.is_closed(self._submitted_at(found)):
                raise _closed(found.terms)
            if sha256_of(part) != found.sha256:
                # Pieces are not synced one by one, so a power cut can leave zeros among them: begin again.
                raise BundleMismatchError
            part.seek(0)
            manifest = bundle.inspect(part, self._limits)
            bundle.check_fits(manifest, course=found.work.course, assignment=found.work.assignment, notebooks=notebooks)
        except (BundleError, SubmissionsClosedError):
            with self._database.writing() as connection:
                Uploads(connection).close([found.id], UploadStatus.REFUSED)
            self._part(found).unlink(missing_ok=True)
            raise
        return manifest

    def _submitted_at(self, found: Upload) -> datetime:
        now = self._clock.now()
        return found.opened_at if now - found.opened_at <= UPLOAD_WINDOW else now

    def _recorded(self, found: Upload, language: str) -> Submission:
        """The committed row: this upload's, or that of the same bytes if they became what counts meanwhile."""
        while True:
            try:
                with self._database.writing() as connection:
                    return self._record(connection, found, language)
            except AttemptTakenError:  # on PostgreSQL, where two may write at once; the second finds the first's row
                continue

    def _record(self, connection: Connection, found: Upload, language: str) -> Submission:
        submissions, uploads = Submissions(connection), Uploads(connection)
        accepted = submissions.latest(found.work)
        if accepted is None or accepted.sha256 != found.sha256:
            submitted_at = self._submitted_at(found)
            accepted = submissions.add(
                found,
                receipt_id=secrets.token_hex(16),
                attempt=submissions.count(found.work) + 1,
                language=language,
                submitted_at=submitted_at,
                accepted_at=self._clock.now(),
                verdict=found.terms.verdict(submitted_at),
                seconds_late=found.terms.seconds_late(submitted_at),
            )
        uploads.close([found.id], UploadStatus.ACCEPTED, accepted.id)
        return accepted

    def _done(self, found: Upload) -> Receipt | None:
        """The receipt of an accepted upload, whose file a late piece may have brought back; None before that."""
        receipt = self._receipt_of(found)
        if receipt is not None:
            self._part(found).unlink(missing_ok=True)
        return receipt

    def _receipt_of(self, found: Upload) -> Receipt | None:
        if found.submission_id is None:
            return None
        with self._database.reading() as connection:
            accepted = Submissions(connection).get(found.submission_id)
        return None if accepted is None else accepted.receipt

    def _upload(self, upload_id: str, work: Work) -> Upload:
        with self._database.reading() as connection:
            found = Uploads(connection).get(upload_id)
        if found is None or found.work != work:
            raise UploadUnknownError
        return found

    def _part(self, found: Upload) -> Path:
        return self._objects.uploads / f"{found.id}.part"

    def _arrived(self, found: Upload) -> int:
        try:
            return self._part(found).stat().st_size
        except FileNotFoundError:
            return 0

    @contextmanager
    def _locked_part(self, found: Upload) -> Iterator[BinaryIO]:
        """The upload's file, held by one request at a time; the kernel frees the lock of a process that dies."""
        number = os.open(self._part(found), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(number, "r+b", buffering=0) as part:
            fcntl.flock(number, fcntl.LOCK_EX)
            yield part


def _superseded(waiting: list[Upload], sha256: str) -> list[Upload]:
    """Which unfinished uploads a new one makes room for: the same digest with another size, and the oldest."""
    lying = [each for each in waiting if each.sha256 == sha256]
    others = [each for each in waiting if each.sha256 != sha256]
    return lying + others[: max(0, len(others) - OPEN_UPLOADS + 1)]


def _check_terms(terms: Terms, now: datetime, attempts: int) -> None:
    if terms.is_closed(now):
        raise _closed(terms)
    if terms.attempts is not None and attempts >= terms.attempts:
        raise AttemptsSpentError(limit=terms.attempts)


def _closed(terms: Terms) -> SubmissionsClosedError:
    assert terms.closes_at is not None
    return SubmissionsClosedError(closed_at=terms.closes_at.strftime("%Y-%m-%d %H:%M %Z"))


def _require_open(found: Upload) -> None:
    if found.status is UploadStatus.REFUSED:
        raise UploadRefusedError
    if found.status is not UploadStatus.OPEN:
        raise UploadUnknownError


def _size(part: BinaryIO) -> int:
    return os.fstat(part.fileno()).st_size


def _is_digest(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")

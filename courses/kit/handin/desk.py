"""Where a learner's home and the centre meet: list, fetch, hand in, read feedback.

The server extension and nbgrader's plugin are two doors to this one desk. Synchronous; one request may take as long as
the network lets it.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from courses.kit.handin import bundle
from courses.kit.handin.answers import Assignment, Receipt, moment_text
from courses.kit.handin.bundle import Manifest
from courses.kit.handin.centre import Centre
from courses.kit.handin.errors import (
    AlreadyFetchedError,
    AssignmentAmbiguousError,
    AssignmentUnknownError,
    CentreUnreachableError,
    ReceiptUnknownError,
    ReleaseDamagedError,
)
from courses.kit.handin.folder import Folder, home_trouble_as_sentence
from courses.kit.handin.patience import Patience
from courses.kit.handin.upload import Told, upload

T = TypeVar("T")

_SHORT_S = 5.0
"""Somebody looks at a button that turns."""
_LONG_S = 120.0
"""A hand-in is worth waiting for: a centre is whole again within seconds, a train leaves its tunnel within minutes."""
_IN_MEMORY_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """Where the assignment is now, and where an older copy was kept."""

    folder: str
    kept: str | None


class Desk:
    """One learner's assignments, in `home` and at the `centre`."""

    def __init__(self, home: Path, centre: Centre, patience: Callable[[float], Patience] = Patience) -> None:
        self._home = home
        self._centre = centre
        self._patience = patience

    def assignments(self) -> tuple[Assignment, ...]:
        """Everything released to this learner."""
        return self._again(_SHORT_S, self._centre.assignments)

    def named(self, assignment: str, course: str | None = None) -> Assignment:
        """The one assignment of that name; raises `AssignmentUnknownError` or `AssignmentAmbiguousError`."""
        found = [each for each in self.assignments() if each.name == assignment and course in {None, "", each.course}]
        if not found:
            raise AssignmentUnknownError(assignment=bundle.shown(assignment))
        if len(found) > 1:
            raise AssignmentAmbiguousError(assignment=bundle.shown(assignment))
        return found[0]

    def folder(self, course: str, assignment: str) -> Folder:
        """The assignment's place in this home."""
        return Folder(self._home, course, assignment)

    def fetch(self, course: str, assignment: str, language: str, *, again: bool = False) -> Fetched:
        """Put the assignment into the home. A folder that is there is kept: refused, or renamed if `again`."""
        folder = self.folder(course, assignment)
        if folder.is_there and not again:
            raise AlreadyFetchedError(folder=folder.inside_home)
        kept = folder.put(
            lambda part: self._again(_LONG_S, lambda: self._receive(course, assignment, language, part)), again=again
        )
        return Fetched(folder.inside_home, kept)

    def hand_in(self, course: str, assignment: str, told: Told, language: str) -> Receipt:
        """The receipt for what the folder holds now. `language` is assumed where the folder does not know its own.

        Raises a `HandInError` child; then nothing was accepted, and nothing accepted before is touched.
        """
        folder = self.folder(course, assignment)
        folder.require()
        language = folder.language(otherwise=language)
        release = self._again(_SHORT_S, lambda: self._contents(course, assignment, language))
        files = folder.to_hand_in(release)
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as spool:
            copy = cast("BinaryIO", spool)
            with home_trouble_as_sentence("/tmp"):  # noqa: S108 - a name for a sentence
                packed = bundle.pack(files, copy, course=course, assignment=assignment, language=language)
            receipt = upload(self._centre, copy, packed, told, self._patience(_LONG_S))
        folder.remember(receipt.id, packed.manifest, release)
        return receipt

    def feedback(self, course: str, assignment: str, receipt_id: str) -> str:
        """The feedback on one hand-in as HTML, to be shown without scripts."""
        return self._again(_SHORT_S, lambda: self._centre.feedback(course, assignment, receipt_id))

    def receipt(self, course: str, assignment: str, receipt_id: str) -> Receipt:
        """The receipt of that id as the centre gives it now; raises `ReceiptUnknownError`."""
        for each in self.named(assignment, course).receipts:
            if each.id == receipt_id:
                return each
        raise ReceiptUnknownError

    def described(self, assignment: Assignment) -> dict[str, Any]:
        """The assignment as the panel shows it: what the centre says, and what lies in this home."""
        folder = self.folder(assignment.course, assignment.name)
        notebooks = folder.notebooks() if folder.is_there else []
        latest = max(assignment.receipts, key=lambda each: each.number, default=None)
        return {
            "course": assignment.course,
            "course_title": assignment.course_title,
            "assignment": assignment.name,
            "title": assignment.title,
            "due_at": _time(assignment.due_at),
            "closes_at": _time(assignment.closes_at),
            "attempts_left": assignment.attempts_left,
            "state": assignment.state,
            "receipts": [each.to_json() for each in assignment.receipts],
            "score": None
            if assignment.score is None
            else dict(zip(("earned", "possible"), assignment.score, strict=True)),
            "feedback": list(assignment.feedback),
            "folder": folder.inside_home if folder.is_there else None,
            "notebook": f"{folder.inside_home}/{notebooks[0]}" if notebooks else None,
            "changed": None if latest is None or not folder.is_there else folder.changed_since(latest.id),
        }

    def _receive(self, course: str, assignment: str, language: str, part: Path) -> Manifest:
        """The whole release in the folder `part`, which may hold what an earlier try left behind."""
        shutil.rmtree(part)
        part.mkdir()
        with self._centre.release(course, assignment, language) as release:
            digested = _Digested(release.body)
            manifest = bundle.unpack(cast("BinaryIO", digested), part)
        # Sound in itself is not enough: the digest also tells another version, or another course's, from the one announced.
        if digested.sha256 != release.sha256 or (manifest.course, manifest.assignment) != (course, assignment):
            raise ReleaseDamagedError
        return manifest

    def _contents(self, course: str, assignment: str, language: str) -> Manifest:
        """What the release holds: the first few hundred bytes say it, the rest is left alone."""
        with self._centre.release(course, assignment, language) as release:
            return bundle.read_manifest(release.body)

    def _again(self, limit_s: float, attempt: Callable[[], T]) -> T:
        patience = self._patience(limit_s)
        while True:
            try:
                return attempt()
            except CentreUnreachableError as exc:
                patience.wait(exc)


class _Digested:
    """A body that is digested as it is read."""

    def __init__(self, body: BinaryIO) -> None:
        self._body = body
        self._digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._body.read(size)
        self._digest.update(data)
        return data

    @property
    def sha256(self) -> str:
        """Of everything read so far."""
        return self._digest.hexdigest()


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment_text(moment)

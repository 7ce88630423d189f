"""Bringing one bundle to the centre, however often the line breaks, until there is a receipt."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from courses.kit.handin.answers import Progress, Receipt
from courses.kit.handin.bundle import Packed
from courses.kit.handin.centre import Centre
from courses.kit.handin.errors import CentreAnswerError, CentreRefusedError, CentreUnreachableError
from courses.kit.handin.patience import Patience

PIECE_BYTES = 512 * 1024
"""One request: small enough that a slow line shows progress and loses little when it breaks."""

Told = Callable[[int, int], None]
"""Called with the bytes the centre has and the bytes there are."""

_BEGIN_AGAIN = {"upload-unknown", "upload-offset", "upload-incomplete", "upload-refused", "bundle-mismatch"}
"""What the centre says when it lost the thread or some bytes, in a crash for example: announce afresh and go on."""
_RESTARTS = 3


def upload(centre: Centre, bundle: BinaryIO, packed: Packed, told: Told, patience: Patience) -> Receipt:
    """The receipt for this bundle; the same one if it was handed in before.

    After a broken line it asks where the upload stands and goes on there, under the terms of the moment it was announced:
    a deadline that passes meanwhile changes nothing. A lost answer costs nothing either, as the centre gives the receipt
    of an accepted upload again. Raises `CentreUnreachableError` after `patience` without progress, `CentreRefusedError`
    where the centre does not take it.
    """
    attempt = _Attempt(centre, bundle, packed, told, patience)
    restarts = 0
    while True:
        try:
            return _checked(attempt.go_on(), packed)
        except CentreUnreachableError as exc:
            patience.wait(exc)
        except CentreRefusedError as exc:
            if exc.code not in _BEGIN_AGAIN or restarts == _RESTARTS:
                raise
            restarts += 1
            attempt.upload_id = None


@dataclass(slots=True)
class _Attempt:
    centre: Centre
    bundle: BinaryIO
    packed: Packed
    told: Told
    patience: Patience
    upload_id: str | None = None

    def go_on(self) -> Receipt:
        """From where the centre stands to the receipt."""
        course, assignment = self.packed.manifest.course, self.packed.manifest.assignment
        size = self.packed.size
        at = self._where()
        while at.receipt is None and at.offset < size:
            self.told(at.offset, size)
            self.bundle.seek(at.offset)
            assert self.upload_id is not None
            piece = self.bundle.read(PIECE_BYTES)
            more = self.centre.append(course, assignment, self.upload_id, piece, offset=at.offset, size=size)
            at = _further(at, more)
            self.patience.succeeded()
        self.told(size, size)
        if at.receipt is not None:
            return at.receipt
        assert self.upload_id is not None
        return self.centre.finish(course, assignment, self.upload_id)

    def _where(self) -> Progress:
        course, assignment = self.packed.manifest.course, self.packed.manifest.assignment
        if self.upload_id is not None:
            return self.centre.progress(course, assignment, self.upload_id, self.packed.size)
        at = self.centre.announce(course, assignment, sha256=self.packed.sha256, size=self.packed.size)
        self.upload_id = at.upload_id
        return at


def _further(before: Progress, after: Progress) -> Progress:
    if after.receipt is None and after.offset <= before.offset:
        raise CentreAnswerError(what="an upload that does not move")
    return after


def _checked(receipt: Receipt, packed: Packed) -> Receipt:
    promised = (receipt.course, receipt.assignment, receipt.sha256, receipt.size)
    if promised != (packed.manifest.course, packed.manifest.assignment, packed.sha256, packed.size):
        raise CentreAnswerError(what="a receipt for something else")
    return receipt

"""What learners of an nbgrader course handed in before it was taken over, as hand-ins with receipts.

nbgrader keeps the newest attempt alone, in `submitted/LEARNER/ASSIGNMENT/`, with `timestamp.txt` beside the notebooks.
"""

import io
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nbgrader.utils import parse_utc

from grader.exchange import bundle
from grader.exchange.errors import BundleError, BundleNameError
from grader.exchange.objects import ObjectStore
from grader.exchange.terms import Terms
from grader.store.model import UploadStatus, Work
from grader.store.submissions import Submissions, Uploads
from hub.clock import Clock
from hub.database import Database

TIMESTAMP = "timestamp.txt"
_LONGEST_NAME = 128


@dataclass(frozen=True, slots=True)
class HandedIn:
    """One learner's work, packed; `submitted_at` is nbgrader's word for it."""

    work: Work
    packed: bytes
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class Left:
    """A hand-in that is not taken over, and why."""

    where: str
    reason: str


def handed_in(folder: Path, course: str, notebooks: Mapping[str, frozenset[str]]) -> Iterator[HandedIn | Left]:
    """Everything in the course folder, learner by learner; `notebooks` are each assignment's notebook files."""
    for place in sorted(folder.glob("submitted/*/*")):
        learner, assignment = place.parent.name, place.name
        if learner.startswith(".") or not place.is_dir():
            continue
        where = f"{learner}/{assignment}"
        if assignment not in notebooks:
            yield Left(where, "the course has no source for this assignment")
            continue
        try:
            yield _packed(place, Work(course, assignment, learner), notebooks[assignment])
        except BundleError as exc:
            yield Left(where, str(exc))


def take_over(
    works: list[HandedIn], due_at: Mapping[str, datetime | None], database: Database, objects: ObjectStore, clock: Clock
) -> None:
    """Accept them, oldest first: bytes before rows, all rows in one commit."""
    now = clock.now()
    with objects.adopting():
        addresses = [objects.put(each.packed) for each in works]
        with database.writing() as connection:
            uploads, submissions = Uploads(connection), Submissions(connection)
            for each, sha256 in sorted(zip(works, addresses, strict=True), key=lambda pair: pair[0].submitted_at):
                terms = Terms(due_at.get(each.work.assignment))
                found = uploads.add(
                    secrets.token_hex(16),
                    each.work,
                    terms,
                    sha256=sha256,
                    size=len(each.packed),
                    opened_at=each.submitted_at,
                )
                assert found is not None  # the course is new: nobody else hands in to it
                accepted = submissions.add(
                    found,
                    receipt_id=secrets.token_hex(16),
                    attempt=submissions.count(each.work) + 1,
                    language="",
                    submitted_at=each.submitted_at,
                    accepted_at=now,
                    verdict=terms.verdict(each.submitted_at),
                    seconds_late=terms.seconds_late(each.submitted_at),
                )
                uploads.close([found.id], UploadStatus.ACCEPTED, accepted.id)


def _packed(place: Path, work: Work, notebooks: frozenset[str]) -> HandedIn:
    if len(work.learner) > _LONGEST_NAME or not work.learner.isprintable():
        raise BundleNameError(name=work.learner[:40], reason="it is no name for a learner")
    sink = io.BytesIO()
    bundle.pack(place, sink, course=work.course, assignment=work.assignment)  # refuses links
    sink.seek(0)
    contents = bundle.contents(sink)
    stamp = contents.pop(TIMESTAMP, b"")
    sink = io.BytesIO()
    written = bundle.pack_contents(contents, sink, course=work.course, assignment=work.assignment)
    bundle.check_fits(written.manifest, course=work.course, assignment=work.assignment, notebooks=notebooks)
    return HandedIn(work, sink.getvalue(), _moment(stamp) or datetime.fromtimestamp(place.stat().st_mtime, UTC))


def _moment(stamp: bytes) -> datetime | None:
    """UTC, from nbgrader's `2026-09-01 12:00:00.0 UTC`; its time zone may be any. None for what is no time."""
    try:
        moment: datetime = parse_utc(stamp.decode("utf-8").strip())
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC)

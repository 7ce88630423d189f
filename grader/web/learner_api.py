"""What a learner's server asks: assignments, the lesson itself, handing in, feedback. JSON, documented by OpenAPI.

A refusal is `{"code", "sentence", "fields"}`; the sentence is an English message id whose `%(name)s` fields are filled from
`fields` after translation. Handing in is resumable: what arrived before a connection broke is kept.
"""

from typing import Annotated, Any
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, HTMLResponse, Response

from grader.exchange.intake import Progress
from grader.exchange.receipt import Receipt
from grader.feedback.page import CONTENT_SECURITY_POLICY
from grader.feedback.service import FeedbackNotReleasedError
from grader.overview import AssignmentUnknownError, Entry
from grader.web.access import DeskOf, Learner
from grader.web.desk import HOME, Desk

API_PREFIX = f"{HOME}api/v1"

_PIECE = 512 * 1024
"""Bytes kept at a time: what a broken connection can cost."""
MAX_PIECE_BYTES = 72 * 1024 * 1024
"""More than the largest hand-in; its own limit is the intake's."""


class Announcement(BaseModel):
    """A hand-in about to be uploaded."""

    sha256: str = Field(max_length=200, description="Of the bundle, in lower-case hexadecimal digits.")
    size: int = Field(description="Bytes of the bundle.", le=2**53)


class ReceiptModel(BaseModel):
    """Proof that these bytes were accepted."""

    id: str
    course: str
    assignment: str
    learner: str
    sha256: str
    size: int
    submitted_at: str = Field(description="ISO 8601, UTC; by the centre's clock.")
    verdict: str = Field(description="`on-time` or `late`.")
    attempt: int


class ProgressModel(BaseModel):
    """Where an upload stands: send bytes from `offset` on, or nothing more if there is a receipt."""

    upload_id: str | None
    offset: int
    receipt: ReceiptModel | None


class Accepted(BaseModel):
    """A finished upload."""

    receipt: ReceiptModel


class Score(BaseModel):
    """Points of released feedback."""

    earned: float
    possible: float


class FeedbackLink(BaseModel):
    """Where released feedback can be read."""

    receipt_id: str
    url: str


class AssignmentModel(BaseModel):
    """One assignment as its learner sees it. Times are ISO 8601 in UTC or null."""

    course: str
    course_title: str
    assignment: str
    title: str
    languages: list[str]
    due_at: str | None
    closes_at: str | None
    attempts_left: int | None
    state: str = Field(description="`new`, `submitted`, `graded` or `feedback`.")
    receipts: list[ReceiptModel]
    score: Score | None
    feedback: list[FeedbackLink]


class Assignments(BaseModel):
    """Everything released to somebody."""

    assignments: list[AssignmentModel]


class Refusal(BaseModel):
    """Why not."""

    code: str
    sentence: str
    fields: dict[str, str | int]


Language = Annotated[str, Query(max_length=20, description="`en` or `zh-CN`; English where there is no other.")]


async def own_entry(course: str, assignment: str, desk: DeskOf, learner: Learner) -> Entry:
    """The assignment of the address, if it is released to this learner. Raises `AssignmentUnknownError`."""
    return await to_thread.run_sync(desk.overview.one, learner, course, assignment)


OwnEntry = Annotated[Entry, Depends(own_entry)]

router = APIRouter(
    prefix=API_PREFIX,
    tags=["hand-in"],
    responses={status: {"model": Refusal} for status in (401, 403, 404, 409, 413, 422, 503, 507)},
)
pieces = APIRouter(prefix=API_PREFIX, tags=["hand-in"])
"""Apart, because only here may a body be long."""


@router.get("/assignments")
async def list_assignments(desk: DeskOf, learner: Learner, language: Language = "en") -> Assignments:
    """Everything released to the learner."""
    await to_thread.run_sync(desk.grading.offers.remember_learner, learner.name, learner.display_name)
    entries = await to_thread.run_sync(desk.overview.of, learner)
    return Assignments(assignments=[_model(desk, entry, language) for entry in entries])


@router.get("/courses/{course}/assignments/{assignment}/release", response_class=FileResponse)
async def read_release(entry: OwnEntry, request: Request, desk: DeskOf, language: Language = "en") -> Response:
    """The lesson as a bundle (an uncompressed tar); its SHA-256 is the `ETag`."""
    course, assignment = entry.work.course, entry.work.assignment
    folder = await to_thread.run_sync(desk.titles.folder, course, assignment, language)
    if folder is None:
        raise AssignmentUnknownError
    packed = await to_thread.run_sync(
        lambda: desk.bundles.of(folder, course=course, assignment=assignment, language=folder.parent.name)
    )
    tag = f'"{packed.sha256}"'
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": tag})
    return FileResponse(packed.path, media_type="application/x-tar", headers={"ETag": tag})


@router.post("/courses/{course}/assignments/{assignment}/uploads")
async def announce(entry: OwnEntry, told: Announcement, desk: DeskOf, learner: Learner) -> ProgressModel:
    """Begin a hand-in, or find it again where it stopped. The bytes that count already give their receipt at once."""
    await to_thread.run_sync(desk.grading.offers.remember_learner, learner.name, learner.display_name)
    announce_ = desk.grading.intake.announce
    return _progress(
        await to_thread.run_sync(lambda: announce_(entry.work, entry.terms, sha256=told.sha256, size=told.size))
    )


@router.get("/courses/{course}/assignments/{assignment}/uploads/{upload_id}")
async def read_progress(entry: OwnEntry, upload_id: str, desk: DeskOf) -> ProgressModel:
    """Where the upload stands."""
    return _progress(await to_thread.run_sync(desk.grading.intake.progress, upload_id, entry.work))


@pieces.put(
    "/courses/{course}/assignments/{assignment}/uploads/{upload_id}",
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}, "required": True}},
)
async def append(
    entry: OwnEntry,
    upload_id: str,
    request: Request,
    desk: DeskOf,
    offset: Annotated[int, Query(ge=0, le=2**53)],
) -> ProgressModel:
    """Add bytes at `offset`. What is there already does no harm; a gap is refused with the offset to go on at."""
    intake, work = desk.grading.intake, entry.work
    piece = bytearray()

    async def keep() -> Progress:
        nonlocal offset
        data = bytes(piece)
        piece.clear()
        at = await to_thread.run_sync(intake.append, upload_id, work, offset, data)
        offset += len(data)
        return at

    try:
        async for part in request.stream():
            piece += part
            if len(piece) >= _PIECE:
                await keep()
    except ClientDisconnect:
        pass  # nobody reads the answer, but what came is kept: the next try goes on from there
    return _progress(await keep())


@router.post("/courses/{course}/assignments/{assignment}/uploads/{upload_id}/finish")
async def finish(entry: OwnEntry, upload_id: str, desk: DeskOf) -> Accepted:
    """Have a complete upload accepted; asking again gives the same receipt."""

    def accept() -> Receipt:
        notebooks = desk.grading.shelf.notebook_files(entry.work.course, entry.work.assignment)
        return desk.grading.intake.finish(upload_id, entry.work, notebooks)

    receipt = await to_thread.run_sync(accept)
    return Accepted(receipt=ReceiptModel(**receipt.to_json()))


@router.get("/courses/{course}/assignments/{assignment}/feedback/{receipt_id}", response_class=HTMLResponse)
async def read_feedback(entry: OwnEntry, receipt_id: str, desk: DeskOf) -> Response:
    """Released feedback on that hand-in as one HTML page, to be shown without scripts."""
    entry.attempt(receipt_id)
    if entry.released_for is None or entry.released_for.receipt_id != receipt_id:
        raise FeedbackNotReleasedError
    page = await to_thread.run_sync(desk.grading.feedback.read, entry.work)
    return HTMLResponse(page, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})


def _model(desk: Desk, entry: Entry, language: str) -> AssignmentModel:
    course, assignment, released = entry.work.course, entry.work.assignment, entry.released
    values: dict[str, Any] = {
        "course": course,
        "course_title": desk.titles.course(course, language),
        "assignment": assignment,
        "title": desk.titles.assignment(course, assignment, language),
        "languages": desk.titles.languages(course, assignment),
        "due_at": entry.terms.due_at.isoformat() if entry.terms.due_at else None,
        "closes_at": entry.terms.closes_at.isoformat() if entry.terms.closes_at else None,
        "attempts_left": entry.attempts_left,
        "state": entry.state.value,
        "receipts": [each.receipt.to_json() for each in entry.attempts],
        "score": {"earned": released.score, "possible": released.max_score} if released else None,
        "feedback": [],
    }
    if entry.released_for is not None:
        receipt_id = entry.released_for.receipt_id
        url = f"{API_PREFIX}/courses/{quote(course)}/assignments/{quote(assignment)}/feedback/{receipt_id}"
        values["feedback"] = [{"receipt_id": receipt_id, "url": url}]
    return AssignmentModel.model_validate(values)


def _progress(at: Progress) -> ProgressModel:
    receipt = ReceiptModel(**at.receipt.to_json()) if at.receipt else None
    return ProgressModel(upload_id=at.upload_id, offset=at.offset, receipt=receipt)

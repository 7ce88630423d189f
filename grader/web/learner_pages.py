"""One assignment for its learner: state, receipts, score, feedback; and handing a notebook in without a server."""

import logging
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from grader.autograde.errors import UnreadableNotebookError
from grader.autograde.learner_notebook import read_notebook
from grader.errors import GraderError
from grader.exchange.bundle import Limits
from grader.exchange.errors import BundleTooLargeError
from grader.exchange.names import shown
from grader.exchange.receipt import Receipt
from grader.feedback.page import CONTENT_SECURITY_POLICY
from grader.lesson_language import language_of
from grader.overview import Entry
from grader.people import Person
from grader.web.access import DeskOf, FormVisitor, PageVisitor, Visitor
from grader.web.desk import HOME, Desk
from grader.web.errors import FileMissingError, NotebookUnreadableError

log = logging.getLogger(__name__)

router = APIRouter(prefix="/mine/{course}/{assignment}", include_in_schema=False)
uploads = APIRouter(prefix="/mine/{course}/{assignment}", include_in_schema=False)
"""Apart, because only here may a form be long."""

MAX_FORM_BYTES = 40 * 1024 * 1024
_LIMITS = Limits()


@router.get("")
async def show_assignment(
    course: str, assignment: str, request: Request, desk: DeskOf, visitor: PageVisitor
) -> Response:
    """The assignment as it stands for the visitor."""
    entry = await _entry(desk, visitor.person, course, assignment)
    return _page(request, desk, visitor, entry, receipt=request.query_params.get("receipt", ""))


@router.get("/receipts/{receipt_id}")
async def download_receipt(
    course: str, assignment: str, receipt_id: str, desk: DeskOf, visitor: PageVisitor
) -> Response:
    """The receipt as a text to keep."""
    entry = await _entry(desk, visitor.person, course, assignment)
    receipt = entry.attempt(receipt_id).receipt
    name = f"receipt-{receipt.course}-{receipt.assignment}-{receipt.attempt}.txt"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return PlainTextResponse(receipt_text(receipt), headers=headers)


@router.get("/feedback")
async def read_feedback(course: str, assignment: str, desk: DeskOf, visitor: PageVisitor, request: Request) -> Response:
    """Released feedback, as a page of no origin that runs nothing, with a way back."""
    entry = await _entry(desk, visitor.person, course, assignment)
    page = await to_thread.run_sync(desk.grading.feedback.read, entry.work)
    back = desk.renderer.translator(request, visitor).gettext("Back to the assignment")
    return sandboxed(page, address_of(course, assignment), back)


@uploads.post("/upload")
async def upload(course: str, assignment: str, request: Request, desk: DeskOf, visitor: FormVisitor) -> Response:
    """Hand a notebook in; the way on is the receipt."""
    entry = await _entry(desk, visitor.person, course, assignment)
    try:
        receipt = await _accept(request, desk, visitor.person, entry)
    except GraderError as exc:
        return _page(request, desk, visitor, entry, refusal=exc)
    return RedirectResponse(f"{address_of(course, assignment)}?receipt={receipt.id}", 303)


def address_of(course: str, assignment: str) -> str:
    """Path of the assignment's page."""
    return f"{HOME}mine/{quote(course, safe='')}/{quote(assignment, safe='')}"


def receipt_text(receipt: Receipt) -> str:
    """What somebody keeps to prove later what they handed in; English, as it may be shown to anybody."""
    values = receipt.to_json()
    lines = [f"{name.replace('_', ' ')}: {values[name]}" for name in values]
    return "\n".join(["Receipt of a hand-in", *lines, "The SHA-256 is that of the bundle as it was accepted.", ""])


def sandboxed(page: bytes, back_url: str, back: str) -> Response:
    """The page with a link in front, in a browsing context that may do nothing."""
    way_back = f'<body>\n<p><a href="{back_url}">← {back}</a></p>'.encode()
    policy = CONTENT_SECURITY_POLICY.replace("frame-ancestors 'self'", "frame-ancestors 'none'")
    return HTMLResponse(page.replace(b"<body>", way_back, 1), headers={"Content-Security-Policy": policy})


async def _accept(request: Request, desk: Desk, learner: Person, entry: Entry) -> Receipt:
    file = (await request.form()).get("notebook")
    if not isinstance(file, UploadFile) or not file.filename:
        raise FileMissingError
    if (file.size or 0) > _LIMITS.file_bytes:
        raise BundleTooLargeError(what=shown(file.filename), limit_mib=_LIMITS.file_bytes // 2**20)
    data, given = await file.read(), file.filename
    course, assignment = entry.work.course, entry.work.assignment

    def accept() -> Receipt:
        notebooks = desk.grading.shelf.notebook_files(course, assignment)
        # Browsers add "(1)" to names, and an assignment of one notebook leaves no doubt which one is meant.
        name = next(iter(notebooks)) if len(notebooks) == 1 else given
        try:
            read_notebook(data, name)
        except UnreadableNotebookError as exc:
            raise NotebookUnreadableError(name=shown(given)) from exc
        language = language_of(data, name, desk.titles.lessons(course, assignment))
        return desk.grading.intake.accept_whole(entry.work, entry.terms, {name: data}, notebooks, language)

    await to_thread.run_sync(desk.grading.offers.remember_learner, learner.name, learner.display_name)
    return await to_thread.run_sync(accept)


def _page(
    request: Request,
    desk: Desk,
    visitor: Visitor,
    entry: Entry,
    *,
    receipt: str = "",
    refusal: GraderError | None = None,
) -> Response:
    return desk.renderer.page(
        request,
        "assignment",
        signed_in=visitor,
        refusal=refusal,
        return_path=address_of(entry.work.course, entry.work.assignment),
        entry=entry,
        fresh_receipt=next((each.receipt for each in entry.attempts if each.receipt_id == receipt), None),
        titles=desk.titles,
        now=desk.grading.clock.now(),
    )


async def _entry(desk: Desk, person: Person, course: str, assignment: str) -> Entry:
    return await to_thread.run_sync(desk.overview.one, person, course, assignment)

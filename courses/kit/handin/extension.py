"""The server extension behind the panel: `/practicum/handin/…` in a learner's own server.

Every address needs the server's own sign-in and, where it changes something, its XSRF token, as all of Jupyter Server's
do. Refusals are `{"code", "sentence", "fields"}` in the language the panel asks for.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.iostream import StreamClosedError

from courses.kit.handin.answers import Receipt, moment_text
from courses.kit.handin.centre import Centre
from courses.kit.handin.desk import Desk
from courses.kit.handin.errors import BusyError, HandInError, NotebookMissingError
from courses.kit.handin.folder import Folder
from courses.kit.handin.texts import Texts, load, nearest
from courses.kit.handin.validation import validate

_NAME = r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})"
_ASSIGNMENT = rf"courses/{_NAME}/assignments/{_NAME}"
_TOLD_EVERY_S = 0.2


class _Handler(APIHandler):
    """What all addresses share: the language, the desk, and errors as sentences."""

    auth_resource = "practicum-handin"
    busy: set[tuple[str, str]]

    def initialize(self, home: Path, busy: set[tuple[str, str]]) -> None:
        self.home = home
        self.busy = busy

    @property
    def texts(self) -> Texts:
        return load(nearest(self.get_query_argument("language", "en")))

    @property
    def desk(self) -> Desk:
        """Made per request: the token in the environment and the language may differ from the last one's."""
        return Desk(self.home, Centre.of_server(self.texts.language))

    def body(self) -> dict[str, Any]:
        """The JSON object that was sent; an empty one for an empty body."""
        try:
            found = json.loads(self.request.body or b"{}")
        except (ValueError, RecursionError) as exc:
            raise web.HTTPError(HTTPStatus.BAD_REQUEST, "not JSON") from exc
        if not isinstance(found, dict):
            raise web.HTTPError(HTTPStatus.BAD_REQUEST, "not an object")
        return found

    @contextlib.asynccontextmanager
    async def working_on(self, course: str, assignment: str) -> AsyncIterator[None]:
        """One request at a time may read or change a folder; raises `BusyError` for a second one."""
        if (course, assignment) in self.busy:
            raise BusyError
        self.busy.add((course, assignment))
        try:
            yield
        finally:
            self.busy.discard((course, assignment))

    def refusal(self, error: HandInError) -> dict[str, Any]:
        """The error as the panel shows it."""
        fields = {name: str(value) for name, value in error.fields.items()}
        return {"code": error.code, "sentence": self.texts.sentence(error), "fields": fields}

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, HandInError):
            self.set_status(error.status)
            self.finish(json.dumps(self.refusal(error)))
        else:
            super().write_error(status_code, **kwargs)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        # A refusal is an answer, not a fault of the server.
        if isinstance(value, HandInError):
            self.log.info("hand-in: %s %s", value, dict(value.fields))
        else:
            super().log_exception(typ, value, tb)


class TextsHandler(_Handler):
    """The panel's catalogue: the same one that the sentences come from."""

    @web.authenticated
    @authorized
    def get(self) -> None:
        texts = self.texts
        self.finish(
            json.dumps({"language": texts.language, "singular": dict(texts.singular), "plural": dict(texts.plural)})
        )


class AssignmentsHandler(_Handler):
    """All assignments, as the centre knows them and as they lie in the home."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        def described() -> list[dict[str, Any]]:
            desk = self.desk
            return [desk.described(each) for each in desk.assignments()]

        self.finish(json.dumps({"assignments": await asyncio.to_thread(described)}))


class FetchHandler(_Handler):
    """Into the home; `again` keeps what is there under another name."""

    @web.authenticated
    @authorized
    async def post(self, course: str, assignment: str) -> None:
        again = self.body().get("again") is True
        async with self.working_on(course, assignment):
            fetched = await asyncio.to_thread(self.desk.fetch, course, assignment, self.texts.language, again=again)
        self.finish(json.dumps({"folder": fetched.folder, "kept": fetched.kept}))


class ValidateHandler(_Handler):
    """The visible tests of every notebook of the assignment, run afresh."""

    @web.authenticated
    @authorized
    async def post(self, course: str, assignment: str) -> None:
        folder = Folder(self.home, course, assignment)  # tests run without the centre, too
        folder.require()
        notebooks = folder.notebooks()
        if not notebooks:
            raise NotebookMissingError(wanted=f"{assignment}.ipynb")
        async with self.working_on(course, assignment):
            results = [
                {
                    "notebook": f"{folder.inside_home}/{name}",
                    "findings": [each.to_json() for each in await validate(folder.path / name, self.texts)],
                }
                for name in notebooks
            ]
        self.finish(json.dumps({"results": results}))


class SubmitHandler(_Handler):
    """Hands in, and answers with a line of JSON whenever more has arrived; the last line is the receipt or the refusal."""

    @web.authenticated
    @authorized
    async def post(self, course: str, assignment: str) -> None:
        async with self.working_on(course, assignment):
            told = _Told()
            # In a task of its own: once begun, a hand-in goes on when the page that asked for it is closed.
            task = asyncio.create_task(asyncio.to_thread(self._hand_in, course, assignment, told))
            self.set_header("Content-Type", "application/x-ndjson")
            self.set_header("Cache-Control", "no-store")
            self.set_header("X-Accel-Buffering", "no")
            with contextlib.suppress(StreamClosedError):
                await self._report(task, told)
            last = await self._last(task)
        with contextlib.suppress(StreamClosedError):
            self.finish(json.dumps(last) + "\n", set_content_type="application/x-ndjson")

    def _hand_in(self, course: str, assignment: str, told: "_Told") -> Receipt:
        return self.desk.hand_in(course, assignment, told, self.texts.language)

    async def _report(self, task: "asyncio.Task[Receipt]", told: "_Told") -> None:
        said = None
        while not task.done():
            await asyncio.wait({task}, timeout=_TOLD_EVERY_S)
            if told.now != said and told.now is not None and not task.done():
                said = told.now
                self.write(json.dumps({"sent": said[0], "size": said[1]}) + "\n")
                await self.flush()

    async def _last(self, task: "asyncio.Task[Receipt]") -> dict[str, Any]:
        try:
            return {"receipt": (await task).to_json()}
        except HandInError as exc:
            self.log.info("hand-in: %s %s", exc, dict(exc.fields))
            return {"error": self.refusal(exc)}
        except Exception:
            # The status line is long gone, so the answer has to say it.
            self.log.exception("hand-in failed")
            return {"error": self.refusal(HandInError())}


class _Told:
    """How far a hand-in is, written by its thread and read by the server: one tuple, replaced as a whole."""

    def __init__(self) -> None:
        self.now: tuple[int, int] | None = None

    def __call__(self, sent: int, size: int) -> None:
        self.now = (sent, size)


class ReceiptHandler(_Handler):
    """One receipt as a text file to keep."""

    @web.authenticated
    @authorized
    async def get(self, course: str, assignment: str, receipt_id: str) -> None:
        receipt = await asyncio.to_thread(lambda: self.desk.receipt(course, assignment, receipt_id))
        self.set_header(
            "Content-Disposition", f'attachment; filename="receipt-{course}-{assignment}-{receipt.number}.txt"'
        )
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(receipt_text(receipt, self.texts), set_content_type="text/plain; charset=utf-8")


class FeedbackHandler(_Handler):
    """The feedback's HTML inside JSON: whoever opens this address by itself is shown text, never a page of our origin."""

    @web.authenticated
    @authorized
    async def get(self, course: str, assignment: str, receipt_id: str) -> None:
        html = await asyncio.to_thread(lambda: self.desk.feedback(course, assignment, receipt_id))
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(json.dumps({"html": html}))


def receipt_text(receipt: Receipt, texts: Texts) -> str:
    """A receipt for people to keep: what was handed in, when, and the digest that anybody can check it by."""
    verdict = texts.text("on time") if receipt.on_time else texts.text("late")
    lines = [
        texts.text("Receipt %(number)s", number=receipt.number),
        "",
        f"{texts.text('Course')}: {receipt.course}",
        f"{texts.text('Assignment')}: {receipt.assignment}",
        f"{texts.text('Learner')}: {receipt.learner}",
        f"{texts.text('Received (UTC)')}: {moment_text(receipt.submitted_at)}, {verdict}",
        f"SHA-256: {receipt.sha256}",
        f"{texts.text('Size')}: {receipt.size} B",
        f"{texts.text('Receipt number')}: {receipt.id}",
        "",
    ]
    return "\n".join(lines)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "courses.kit.handin.extension"}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Called by Jupyter Server once at its start."""
    shared = {"home": Path(server.root_dir).resolve(), "busy": set()}
    base = url_path_join(server.web_app.settings["base_url"], "practicum", "handin")
    receipt = r"([0-9a-zA-Z-]{1,64})"
    routes = [
        (r"texts", TextsHandler),
        (r"assignments", AssignmentsHandler),
        (rf"{_ASSIGNMENT}/fetch", FetchHandler),
        (rf"{_ASSIGNMENT}/validate", ValidateHandler),
        (rf"{_ASSIGNMENT}/submit", SubmitHandler),
        (rf"{_ASSIGNMENT}/receipts/{receipt}", ReceiptHandler),
        (rf"{_ASSIGNMENT}/feedback/{receipt}", FeedbackHandler),
    ]
    server.web_app.add_handlers(".*$", [(url_path_join(base, path), handler, shared) for path, handler in routes])

"""The learners' side of the grader service over real HTTP: the real intake, and a network as bad as a test wants it.

Faithful to «Learners' side of grader» in ARCHITECTURE.md; what it leaves out is who may see which course.
"""

import hashlib
import io
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from grader.exchange import bundle
from grader.exchange.intake import Intake, Progress
from grader.exchange.objects import ObjectStore
from grader.exchange.receipt import Receipt
from grader.exchange.terms import Terms
from grader.migrations import migrate
from grader.overview import AssignmentUnknownError
from grader.store.model import Work
from hub.clock import ManualClock
from hub.database import Database, sqlite_url

TOKEN = "a-token-of-this-server"
LEARNER = "lin.na"
ROOT = "/services/grader/api/v1"


@dataclass
class Lesson:
    """One released assignment: files by language, and what the list says of it."""

    course: str
    course_title: str
    name: str
    title: str
    release: dict[str, dict[str, bytes]]
    terms: Terms = field(default_factory=Terms)
    state: str = "new"
    score: dict[str, float] | None = None
    feedback: dict[str, str] = field(default_factory=dict)
    """HTML by receipt id."""
    receipts: list[Receipt] = field(default_factory=list)


class Faults:
    """What goes wrong, decided per request by a function of (method, path) that answers None or a fault.

    "refuse": the connection is reset at once. ("request", n): reset after n bytes of the request's body were read.
    "answer": the request is served, its answer is lost. ("answer", n): n bytes of the answer's body arrive.
    (status, body): answered instead.
    """

    def __init__(self) -> None:
        self.next: Callable[[str, str], Any] = lambda _method, _path: None
        self.requests: list[tuple[str, str]] = []


class GraderDouble:
    """A running service; `url` is what `PRACTICUM_GRADER_URL` holds."""

    def __init__(self, folder: Path, lessons: list[Lesson]) -> None:
        self.lessons = {(lesson.course, lesson.name): lesson for lesson in lessons}
        self.clock = ManualClock(datetime.now(UTC).replace(microsecond=0))
        self.database = Database(sqlite_url(folder / "grader.sqlite"))
        migrate(self.database)
        self.objects = ObjectStore(folder / "submissions")
        self.intake = Intake(self.database, self.objects, self.clock)
        self.faults = Faults()
        self.spoil: Callable[[bytes], bytes] = lambda release: release
        """Changes a release's bytes on the way out; the ETag stays that of the true ones unless `spoil_tag`."""
        self.spoil_tag = False
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/services/grader"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        self.database.close()

    def listing(self) -> list[dict[str, Any]]:
        return [self._listed(lesson) for lesson in self.lessons.values()]

    def _listed(self, lesson: Lesson) -> dict[str, Any]:
        terms, left = lesson.terms, lesson.terms.attempts
        return {
            "course": lesson.course,
            "course_title": lesson.course_title,
            "assignment": lesson.name,
            "title": lesson.title,
            "languages": list(lesson.release),
            "due_at": terms.due_at and terms.due_at.isoformat().replace("+00:00", "Z"),
            "closes_at": terms.closes_at and terms.closes_at.isoformat().replace("+00:00", "Z"),
            "attempts_left": None if left is None else left - len(lesson.receipts),
            "state": "submitted" if lesson.state == "new" and lesson.receipts else lesson.state,
            "receipts": [receipt.to_json() for receipt in lesson.receipts],
            "score": lesson.score,
            "feedback": [{"receipt_id": each, "url": f"{ROOT}/somewhere/{each}"} for each in lesson.feedback],
        }

    def release(self, lesson: Lesson, language: str) -> tuple[bytes, str]:
        files = lesson.release.get(language) or lesson.release["en"]
        sink = io.BytesIO()
        written = bundle.pack_contents(files, sink, course=lesson.course, assignment=lesson.name, language=language)
        data = self.spoil(sink.getvalue())
        return data, hashlib.sha256(data).hexdigest() if self.spoil_tag else written.sha256


def _handler(double: GraderDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        centre = double

    return Handler


class _Handler(BaseHTTPRequestHandler):
    centre: GraderDouble

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def _serve(self, method: str) -> None:
        self.centre.faults.requests.append((method, self.path))
        self.fault = self.centre.faults.next(method, self.path)
        if self.fault == "refuse":
            return self._reset()
        body = self._body()
        if body is None:
            return self._reset()
        if isinstance(self.fault, tuple) and isinstance(self.fault[0], int):
            return self._send(self.fault[0], self.fault[1], "application/json")
        try:
            return self._routed(method, body)
        except bundle.BundleError as exc:
            return self._refuse(exc)
        except Exception as exc:
            if not hasattr(exc, "sentence"):
                raise
            return self._refuse(exc)

    def _body(self) -> bytes | None:
        length = int(self.headers.get("Content-Length") or 0)
        if isinstance(self.fault, tuple) and self.fault[0] == "request":
            part = self.rfile.read(min(length, self.fault[1]))
            # What has arrived counts, as with a service that streams the body to its disk.
            self._keep_part(part)
            return None
        return self.rfile.read(length)

    def _keep_part(self, part: bytes) -> None:
        parts = urlsplit(self.path)
        pieces = parts.path.removeprefix(ROOT).strip("/").split("/")
        if self.command == "PUT" and part:
            self.centre.intake.append(pieces[5], self._work(pieces), int(parse_qs(parts.query)["offset"][0]), part)

    def _work(self, pieces: list[str]) -> Work:
        return Work(pieces[1], pieces[3], LEARNER)

    def _routed(self, method: str, body: bytes) -> None:
        parts = urlsplit(self.path)
        if self.headers.get("Authorization") != f"token {TOKEN}":
            return self._json({"code": "token-invalid", "sentence": "no", "fields": {}}, 401)
        pieces = parts.path.removeprefix(ROOT).strip("/").split("/")
        if pieces == ["assignments"]:
            return self._json({"assignments": self.centre.listing()})
        lesson = self.centre.lessons.get((pieces[1], pieces[3])) if len(pieces) > 4 else None
        if lesson is None:
            return self._refuse(AssignmentUnknownError())
        return self._of_lesson(method, pieces, lesson, body, parse_qs(parts.query))

    def _of_lesson(
        self, method: str, pieces: list[str], lesson: Lesson, body: bytes, query: dict[str, list[str]]
    ) -> None:
        if pieces[4] == "release":
            data, tag = self.centre.release(lesson, query["language"][0])
            return self._send(200, data, "application/x-tar", ETag=f'"{tag}"')
        if pieces[4] == "feedback" and pieces[5] in lesson.feedback:
            return self._send(200, lesson.feedback[pieces[5]].encode(), "text/html; charset=utf-8")
        if pieces[4] == "uploads":
            return self._upload(method, pieces, lesson, body, query)
        return self._json({"code": "page-not-found", "sentence": "There is nothing here.", "fields": {}}, 404)

    def _upload(self, method: str, pieces: list[str], lesson: Lesson, body: bytes, query: dict[str, list[str]]) -> None:
        intake, work = self.centre.intake, self._work(pieces)
        if len(pieces) == 5:
            announced = json.loads(body)
            begun = intake.announce(work, lesson.terms, sha256=announced["sha256"], size=announced["size"])
            return self._progress(begun)
        if method == "GET":
            return self._progress(intake.progress(pieces[5], work))
        if method == "PUT":
            return self._progress(intake.append(pieces[5], work, int(query["offset"][0]), body))
        receipt = intake.finish(
            pieces[5], work, frozenset(name for name in lesson.release["en"] if name.endswith(".ipynb"))
        )
        if receipt.id not in {each.id for each in lesson.receipts}:
            lesson.receipts.append(receipt)
        return self._json({"receipt": receipt.to_json()})

    def _progress(self, at: Progress) -> None:
        receipt = None if at.receipt is None else at.receipt.to_json()
        self._json({"upload_id": at.upload_id, "offset": at.offset, "receipt": receipt})

    def _refuse(self, error: Any) -> None:
        fields = {name: str(value) for name, value in error.fields.items()}
        self._json({"code": error.code, "sentence": error.message_id, "fields": fields}, int(error.status))

    def _json(self, values: dict[str, Any], status: int = 200) -> None:
        self._send(status, json.dumps(values).encode(), "application/json")

    def _send(self, status: int, data: bytes, kind: str, **headers: str) -> None:
        if self.fault == "answer":
            return self._reset()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if isinstance(self.fault, tuple) and self.fault[0] == "answer":
            self.wfile.write(data[: self.fault[1]])
            return self._reset()
        self.wfile.write(data)
        return None

    def _reset(self) -> None:
        """End the connection the rude way, as a network does: with a reset in place of an orderly end."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.shutdown(socket.SHUT_RDWR) if self.fault == "answer" else None
        self.connection.close()


@contextmanager
def grader_double(folder: Path, lessons: list[Lesson]) -> Iterator[GraderDouble]:
    """A running double, and its end."""
    double = GraderDouble(folder, lessons)
    try:
        yield double
    finally:
        double.close()


def in_days(days: float) -> Terms:
    """Terms due in so many days from now."""
    return Terms(due_at=datetime.now(UTC).replace(microsecond=0, second=0) + timedelta(days=days))

"""The centre's learner API over HTTP, one method per call. Synchronous: the server extension calls it from threads."""

import contextlib
import http.client
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, BinaryIO, cast
from urllib.parse import quote, urlencode, urlsplit

from courses.kit.handin.answers import Assignment, Progress, Receipt, assignments_in, progress_in, receipt_in
from courses.kit.handin.errors import (
    CentreAnswerError,
    CentreRefusedError,
    CentreUnreachableError,
    HandInError,
    NotAtCentreError,
    SignInExpiredError,
)

_TIMEOUT_S = 30.0
"""Of one step on the socket: longer than a busy centre needs, short enough to notice a line that went dead."""
_ANSWER_BYTES = 4 * 1024 * 1024
_FEEDBACK_BYTES = 16 * 1024 * 1024
_PASSING = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
"""Answers of a centre that is restarting or of a proxy in front of it: worth another try."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release on its way here: what `body` gives has to have this digest at its end."""

    body: BinaryIO
    sha256: str


class Centre:
    """One learner's view of the centre. Safe to use from several threads: each call has a connection of its own.

    Every method raises `CentreUnreachableError` where trying again may help, and `CentreRefusedError`,
    `SignInExpiredError` or `CentreAnswerError` where it will not.
    """

    def __init__(self, url: str, token: str, language: str, timeout_s: float = _TIMEOUT_S) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise NotAtCentreError
        self.language = language
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._root = parts.path.rstrip("/") + "/api/v1"
        self._token = token
        self._timeout_s = timeout_s

    @classmethod
    def of_server(cls, language: str) -> "Centre":
        """The centre that started this server; raises `NotAtCentreError` where none did."""
        url, token = os.environ.get("PRACTICUM_GRADER_URL"), os.environ.get("JUPYTERHUB_API_TOKEN")
        if not url or not token:
            raise NotAtCentreError
        return cls(url, token, language)

    def assignments(self) -> tuple[Assignment, ...]:
        """Everything released to this learner."""
        return assignments_in(self._json("GET", "/assignments", language=self.language))

    @contextlib.contextmanager
    def release(self, course: str, assignment: str, language: str) -> Iterator[Release]:
        """The assignment as it is handed out in that language; leaving early ends the transfer."""
        path = f"{_of(course, assignment)}/release?{urlencode({'language': language})}"
        with self._answer("GET", path) as answer:
            tag = answer.getheader("ETag", "").removeprefix("W/").strip('"')
            yield Release(cast("BinaryIO", _Body(answer)), tag)

    def announce(self, course: str, assignment: str, *, sha256: str, size: int) -> Progress:
        """Begin an upload, or find the one that stopped; a receipt where the centre has these bytes already."""
        answer = self._json("POST", f"{_of(course, assignment)}/uploads", {"sha256": sha256, "size": size})
        return progress_in(answer, size)

    def progress(self, course: str, assignment: str, upload_id: str, size: int) -> Progress:
        """Where an upload stands."""
        return progress_in(self._json("GET", f"{_of(course, assignment)}/uploads/{quote(upload_id, safe='')}"), size)

    def append(self, course: str, assignment: str, upload_id: str, piece: bytes, *, offset: int, size: int) -> Progress:
        """Send the bytes that begin at `offset`."""
        path = f"{_of(course, assignment)}/uploads/{quote(upload_id, safe='')}?offset={offset}"
        return progress_in(self._json("PUT", path, piece), size)

    def finish(self, course: str, assignment: str, upload_id: str) -> Receipt:
        """Have a complete upload accepted; asking again gives the same receipt."""
        answer = self._json("POST", f"{_of(course, assignment)}/uploads/{quote(upload_id, safe='')}/finish", {})
        return receipt_in(answer.get("receipt"))

    def feedback(self, course: str, assignment: str, receipt_id: str) -> str:
        """The feedback on one hand-in as HTML. Show it without scripts, whatever the centre did to it."""
        with self._answer("GET", f"{_of(course, assignment)}/feedback/{quote(receipt_id, safe='')}") as answer:
            return _whole(answer, _FEEDBACK_BYTES).decode("utf-8", errors="replace")

    def _json(self, method: str, path: str, body: dict[str, Any] | bytes | None = None, **query: str) -> dict[str, Any]:
        if query:
            path = f"{path}?{urlencode(query)}"
        with self._answer(method, path, body) as answer:
            data = _whole(answer, _ANSWER_BYTES)
        try:
            values = json.loads(data)
        except (ValueError, RecursionError) as exc:
            raise CentreAnswerError(what="no JSON") from exc
        if not isinstance(values, dict):
            raise CentreAnswerError(what="no object")
        return values

    @contextlib.contextmanager
    def _answer(
        self, method: str, path: str, body: dict[str, Any] | bytes | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        headers = {"Authorization": f"token {self._token}", "Accept-Language": self.language}
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        elif body is not None:
            headers["Content-Type"] = "application/octet-stream"
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        with contextlib.closing(kind(self._host, self._port, timeout=self._timeout_s)) as connection:
            try:
                connection.request(method, self._root + path, body, headers)
                answer = connection.getresponse()
            except (OSError, http.client.HTTPException) as exc:
                raise CentreUnreachableError from exc
            # An answer that ends its connection owns the socket from here on, so it has to be closed by itself.
            with contextlib.closing(answer):
                if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
                    raise _refusal(answer.status, _whole(answer, _ANSWER_BYTES))
                yield answer


class _Body:
    """An answer's bytes for whoever reads a file; a broken line is `CentreUnreachableError` here, too."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self._answer = answer

    def read(self, size: int) -> bytes:
        try:
            data = self._answer.read(size)
        except (OSError, http.client.HTTPException) as exc:
            raise CentreUnreachableError from exc
        if not data and size and self._answer.length:
            # http.client ends a body that is shorter than announced without a word.
            raise CentreUnreachableError
        return data


def _whole(answer: http.client.HTTPResponse, limit: int) -> bytes:
    try:
        data = answer.read(limit + 1)
        if answer.length and len(data) <= limit:
            # As above: shorter than announced.
            raise CentreUnreachableError
    except (OSError, http.client.HTTPException) as exc:
        raise CentreUnreachableError from exc
    if len(data) > limit:
        raise CentreAnswerError(what="too long")
    return data


def _refusal(status: int, data: bytes) -> HandInError:
    if status in _PASSING:
        return CentreUnreachableError()
    if status == HTTPStatus.UNAUTHORIZED:
        return SignInExpiredError()
    try:
        values = json.loads(data)
        code, sentence, fields = values["code"], values["sentence"], values["fields"]
    except (ValueError, KeyError, TypeError, RecursionError):
        code, sentence, fields = None, None, None
    if not (isinstance(code, str) and isinstance(sentence, str) and isinstance(fields, dict)):
        return CentreRefusedError(status, f"http-{status}", "", {})
    return CentreRefusedError(status, code, sentence, fields)


def _of(course: str, assignment: str) -> str:
    return f"/courses/{quote(course, safe='')}/assignments/{quote(assignment, safe='')}"

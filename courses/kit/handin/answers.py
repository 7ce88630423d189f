"""What the centre answers, as plain values; anything its contract does not allow is refused here, not met later."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from courses.kit.handin.errors import CentreAnswerError
from courses.kit.handin.names import is_plain


@dataclass(frozen=True, slots=True)
class Receipt:
    """The centre's proof that it accepted these bytes. `number` counts the hand-ins of this assignment from 1."""

    id: str
    course: str
    assignment: str
    learner: str
    sha256: str
    size: int
    submitted_at: datetime
    on_time: bool
    number: int

    def to_json(self) -> dict[str, Any]:
        """JSON values as the panel takes them."""
        return {
            "id": self.id,
            "course": self.course,
            "assignment": self.assignment,
            "learner": self.learner,
            "sha256": self.sha256,
            "size": self.size,
            "submitted_at": moment_text(self.submitted_at),
            "on_time": self.on_time,
            "number": self.number,
        }


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an upload stands: `offset` bytes have arrived, all of them if there is a receipt."""

    upload_id: str | None
    offset: int
    receipt: Receipt | None


@dataclass(frozen=True, slots=True)
class Assignment:
    """One assignment of the learner's courses. Times are UTC; `state` is what the centre knows of it."""

    course: str
    course_title: str
    name: str
    title: str
    languages: tuple[str, ...]
    due_at: datetime | None
    closes_at: datetime | None
    attempts_left: int | None
    state: str
    receipts: tuple[Receipt, ...]
    score: tuple[float, float] | None
    feedback: tuple[str, ...]
    """Ids of the receipts whose feedback may be read."""


def assignments_in(values: object) -> tuple[Assignment, ...]:
    """The answer to the list; raises `CentreAnswerError`."""
    try:
        return tuple(_assignment(each) for each in _field(values, "assignments", list))
    except (ValueError, OverflowError) as exc:
        raise CentreAnswerError(what="the list of assignments") from exc


def receipt_in(values: object) -> Receipt:
    """One receipt; raises `CentreAnswerError`."""
    try:
        return _receipt(values)
    except (ValueError, OverflowError) as exc:
        raise CentreAnswerError(what="a receipt") from exc


def progress_in(values: object, size: int) -> Progress:
    """Where an upload of `size` bytes stands; raises `CentreAnswerError`."""
    try:
        receipt = _maybe(values, "receipt", dict)
        progress = Progress(
            _maybe(values, "upload_id", str),
            _field(values, "offset", int),
            None if receipt is None else _receipt(receipt),
        )
    except (ValueError, OverflowError) as exc:
        raise CentreAnswerError(what="an upload's progress") from exc
    if not 0 <= progress.offset <= size or (progress.upload_id is None and progress.receipt is None):
        raise CentreAnswerError(what="an upload's progress")
    return progress


def moment_text(moment: datetime) -> str:
    """`2026-11-24T06:30:00Z`, seconds as people read them."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _assignment(values: object) -> Assignment:
    course, name = _field(values, "course", str), _field(values, "assignment", str)
    if not (is_plain(course) and is_plain(name)):
        raise ValueError("a name that is no folder's name")
    score = _maybe(values, "score", dict)
    return Assignment(
        course=course,
        course_title=_field(values, "course_title", str),
        name=name,
        title=_field(values, "title", str),
        languages=tuple(str(each) for each in _field(values, "languages", list)),
        due_at=_moment(_maybe(values, "due_at", str)),
        closes_at=_moment(_maybe(values, "closes_at", str)),
        attempts_left=_maybe(values, "attempts_left", int),
        state=_field(values, "state", str),
        receipts=tuple(_receipt(each) for each in _field(values, "receipts", list)),
        score=None if score is None else (_number(score, "earned"), _number(score, "possible")),
        feedback=tuple(_field(each, "receipt_id", str) for each in _field(values, "feedback", list)),
    )


def _receipt(values: object) -> Receipt:
    submitted_at = _moment(_field(values, "submitted_at", str))
    assert submitted_at is not None
    return Receipt(
        id=_field(values, "id", str),
        course=_field(values, "course", str),
        assignment=_field(values, "assignment", str),
        learner=_field(values, "learner", str),
        sha256=_field(values, "sha256", str),
        size=_field(values, "size", int),
        submitted_at=submitted_at,
        on_time=_field(values, "verdict", str) == "on-time",
        number=_field(values, "attempt", int),
    )


def _field(values: object, key: str, kind: type[Any]) -> Any:
    found = _maybe(values, key, kind)
    if found is None:
        raise ValueError(f"{key} is missing")
    return found


def _maybe(values: object, key: str, kind: type[Any]) -> Any:
    if not isinstance(values, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one kind of error for every wrong answer
    found = values.get(key)
    if found is not None and type(found) is not kind:
        raise ValueError(f"{key} is not of its type")
    return found


def _number(values: dict[str, Any], key: str) -> float:
    found = values.get(key)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise ValueError(f"{key} is no number")  # noqa: TRY004 - as above
    return float(found)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC)

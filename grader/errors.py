"""What can go wrong between a course's source and a released mark, each with a stable code, a status and a sentence.

The sentence is an English message id with named `%(name)s` fields, as in the hub: pages translate it first and fill the
fields in afterwards.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar


class GraderError(Exception):
    """Base of every failure this package raises on purpose."""

    code: ClassVar[str] = "internal"
    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    sentence: ClassVar[str] = "Something went wrong with this course. Try again; if it stays, tell your instructor."

    def __init__(self, sentence: str | None = None, **fields: object) -> None:
        self.message_id = sentence or self.sentence
        self.fields: Mapping[str, object] = fields
        super().__init__(self.message_id % fields if fields else self.message_id)


class CourseError(GraderError):
    """A course folder cannot be used as it stands."""

    code = "course-invalid"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class UnknownLessonError(GraderError):
    """No such course, assignment or language."""

    code = "lesson-unknown"
    status = HTTPStatus.NOT_FOUND


class NotebookError(GraderError):
    """A source notebook cannot be read or converted."""

    code = "notebook-invalid"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class TranslationError(GraderError):
    """A lesson's translation is not in step with its source."""

    code = "translation-stale"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class ReleaseError(GraderError):
    """A lesson could not be written to where learners get it from."""

    code = "release-failed"

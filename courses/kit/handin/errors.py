"""What can go wrong between a learner's folder and the centre, each with a stable code, a status and one sentence.

The sentence is an English message id with named `%(name)s` fields; `texts` has it in the learner's language.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar

_FIELD = re.compile(r"%\((\w+)\)s")


def filled(text: str, fields: Mapping[str, object]) -> str:
    """The text with the fields there are; never raises, as some texts come from the centre."""
    return _FIELD.sub(lambda found: str(fields.get(found[1], found[0])), text)


class HandInError(Exception):
    """Base of every failure this package raises on purpose."""

    code: str = "hand-in-failed"
    status: HTTPStatus = HTTPStatus.INTERNAL_SERVER_ERROR
    sentence: ClassVar[str] = "Something went wrong. Your files are untouched; try again."

    def __init__(self, **fields: object) -> None:
        self.message_id = self.sentence
        self.fields: Mapping[str, object] = fields
        super().__init__(filled(self.sentence, fields))


class CentreUnreachableError(HandInError):
    """No answer from the centre, for as long as it was worth waiting."""

    code = "centre-unreachable"
    status = HTTPStatus.BAD_GATEWAY
    sentence = "The centre cannot be reached at the moment. Your work is safe in your home; try again in a minute."


class CentreAnswerError(HandInError):
    """The centre answered something that its contract does not allow."""

    code = "centre-answer-invalid"
    status = HTTPStatus.BAD_GATEWAY
    sentence = "The centre answered something unexpected. Your files are untouched; tell your instructor."


class CentreRefusedError(HandInError):
    """The centre refused, with a code and a sentence of its own: a message id, as ours are."""

    sentence = "The centre refused (%(code)s)."

    def __init__(self, status: int, code: str, message_id: str, fields: Mapping[str, object]) -> None:
        super().__init__(**{**fields, "code": code})
        self.status = HTTPStatus(status) if status in set(HTTPStatus) else HTTPStatus.BAD_GATEWAY
        self.code = code
        self.message_id = message_id or self.sentence


class SignInExpiredError(HandInError):
    """The token of this server is not valid any more."""

    code = "sign-in-expired"
    status = HTTPStatus.FORBIDDEN
    sentence = (
        "The centre no longer knows this server. Save your work, stop the server on the centre's home page and start it "
        "again; your files stay."
    )


class NotAtCentreError(HandInError):
    """This server was not started by a centre."""

    code = "not-at-centre"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    sentence = "This server does not belong to a centre, so there is nothing to fetch and nobody to hand in to."


class ReleaseDamagedError(HandInError):
    """What arrived is not the assignment that was announced, or could not be put into a home safely."""

    code = "release-damaged"
    status = HTTPStatus.BAD_GATEWAY
    sentence = "The assignment arrived damaged and was not unpacked. Your files are untouched; fetch it again."


class AlreadyFetchedError(HandInError):
    """There is a folder with that name, which may hold work."""

    code = "already-fetched"
    status = HTTPStatus.CONFLICT
    sentence = "You already have this assignment in %(folder)s. Fetching it again keeps your folder under another name."


class NotFetchedError(HandInError):
    """There is no such folder in the home."""

    code = "not-fetched"
    status = HTTPStatus.NOT_FOUND
    sentence = "You have not fetched this assignment yet: %(folder)s is not in your home."


class AssignmentUnknownError(HandInError):
    """None of the learner's courses has it."""

    code = "assignment-unknown"
    status = HTTPStatus.NOT_FOUND
    sentence = "There is no assignment %(assignment)s in your courses."


class AssignmentAmbiguousError(HandInError):
    """More than one course has an assignment of that name."""

    code = "assignment-ambiguous"
    status = HTTPStatus.CONFLICT
    sentence = "More than one of your courses has an assignment %(assignment)s: name the course, too."


class HomeFullError(HandInError):
    """No room left where the files have to go."""

    code = "home-full"
    status = HTTPStatus.INSUFFICIENT_STORAGE
    sentence = "There is no room left on this server. Delete files that you no longer need, then try again; nothing was changed."


class HomeUnusableError(HandInError):
    """The home's folders are not as they must be."""

    code = "home-unusable"
    status = HTTPStatus.CONFLICT
    sentence = "%(path)s cannot be used: %(cause)s. Rename or remove it, then try again."


class NotebookMissingError(HandInError):
    """None of the assignment's notebooks is in the folder."""

    code = "notebook-missing"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "Your folder holds no %(wanted)s. Give your notebook its original name, then submit."


class NotebookEmptyError(HandInError):
    """A notebook of no bytes."""

    code = "notebook-empty"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "%(name)s is empty. Check that your home has room, save the notebook again, then submit."


class FileNameError(HandInError):
    """A file name that a hand-in cannot hold."""

    code = "file-name-invalid"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = (
        "%(name)s cannot be handed in under this name. Use a short name of letters, digits, - and _, then submit."
    )


class FileNameClashError(HandInError):
    """Two names that some computers take for one."""

    code = "file-name-clash"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "The files %(name)s and %(other)s have names that some computers cannot tell apart. Rename one."


class NotAFileError(HandInError):
    """A link, a pipe, a folder: something else where a file has to be."""

    code = "not-a-file"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "%(name)s is a link or another special file. Replace it with a copy of the file, then submit."


class FileTooLargeError(HandInError):
    """One file weighs more than a hand-in may."""

    code = "file-too-large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    sentence = "%(name)s is larger than the %(limit_mib)s MiB a file may have. Clear large outputs, save, then submit."


class HandInTooLargeError(HandInError):
    """All files together weigh more than a hand-in may."""

    code = "hand-in-too-large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    sentence = (
        "Your files are larger than %(limit_mib)s MiB together. Clear large outputs and remove copies, then submit."
    )


class TooManyFilesError(HandInError):
    """More notebooks than a hand-in may have."""

    code = "too-many-files"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    sentence = "Your folder holds more than %(limit)s files to hand in. Remove the notebooks that are not your answer."


class FileChangedError(HandInError):
    """A file was written to while it was being packed."""

    code = "file-changed"
    status = HTTPStatus.CONFLICT
    sentence = "%(name)s changed while it was being handed in. Wait until it is saved, then submit again."


class BusyError(HandInError):
    """The same assignment is being worked on by another request."""

    code = "busy"
    status = HTTPStatus.CONFLICT
    sentence = "This assignment is busy with your last click. Wait until that is done."


class ValidationStoppedError(HandInError):
    """The tests could not be run to their end."""

    code = "validation-stopped"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "The tests could not be run: %(cause)s."


class ValidationTimeoutError(HandInError):
    """The notebook did not come to an end."""

    code = "validation-timeout"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "Your notebook ran for more than %(limit_s)s seconds and was stopped. Look for a loop that does not end."


class ReceiptUnknownError(HandInError):
    """The centre gave no such receipt for this assignment."""

    code = "receipt-unknown"
    status = HTTPStatus.NOT_FOUND
    sentence = "The centre has no such receipt of yours."

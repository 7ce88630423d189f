"""What can go wrong, each with a stable code, an HTTP status and one plain sentence.

The sentence is for the person in front of the page or the terminal: it says what happened and what to do next.
It is an English message id with named `%(name)s` fields; pages translate it and fill the fields in afterwards.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar


class HubError(Exception):
    """Base of every failure this package raises on purpose."""

    code: ClassVar[str] = "internal"
    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    sentence: ClassVar[str] = "Something went wrong at the centre. Try again; if it stays, tell your administrator."

    def __init__(self, sentence: str | None = None, **fields: object) -> None:
        self.message_id = sentence or self.sentence
        self.fields: Mapping[str, object] = fields
        super().__init__(self.message_id % fields if fields else self.message_id)


class SettingsError(HubError):
    """The operator's settings file cannot be used."""

    code = "settings-invalid"
    status = HTTPStatus.INTERNAL_SERVER_ERROR


class StateError(HubError):
    """The state directory cannot be used: not writable, from a newer version, or in use."""

    code = "state-unusable"


class NotActiveError(HubError):
    """The account has been switched off."""

    code = "not-active"
    status = HTTPStatus.FORBIDDEN
    sentence = "Your account is not active. Ask your administrator."

"""Everything handing in says to a learner, in the learner's language: in the panel, in a terminal, in an answer.

English is the message id. The others are `locale/LANGUAGE/LC_MESSAGES/handin.po`, read as they are: nothing compiled is
committed, and the panel is given the same catalogue by the server extension.
"""

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from courses.kit.handin.errors import HandInError, filled
from courses.kit.sentences import ENGLISH, LANGUAGES

LOCALE = Path(__file__).parent / "locale"


@dataclass(frozen=True, slots=True)
class Texts:
    """One language's texts; what has no translation comes out in English."""

    language: str
    singular: Mapping[str, str] = field(default_factory=dict)
    plural: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def text(self, message_id: str, **fields: object) -> str:
        """The text in this language with its fields filled in."""
        return filled(self.singular.get(message_id) or message_id, fields)

    def sentence(self, error: HandInError) -> str:
        """What to tell the learner about this error."""
        return self.text(error.message_id, **error.fields)


def catalogue_path(language: str) -> Path:
    """Where the language's catalogue lies."""
    return LOCALE / language.replace("-", "_") / "LC_MESSAGES" / "handin.po"


@functools.cache
def load(language: str) -> Texts:
    """The texts of a language of `LANGUAGES`; English for any other."""
    if language == ENGLISH or language not in LANGUAGES:
        return Texts(ENGLISH)
    from babel.messages.pofile import read_po  # noqa: PLC0415 - a terminal in English does without it

    singular: dict[str, str] = {}
    plural: dict[str, tuple[str, ...]] = {}
    with catalogue_path(language).open("rb") as file:
        for message in read_po(file):
            if not message.id or message.fuzzy:
                continue
            if isinstance(message.id, str):
                singular[message.id] = str(message.string)
            else:
                plural[message.id[0]] = tuple(message.string or ())
    return Texts(language, singular, plural)


def nearest(tag: str) -> str:
    """The language of `LANGUAGES` nearest to a tag such as `zh_CN` or `en-GB`: any Chinese is nearer to ours than English."""
    return "zh-CN" if tag.lower().startswith("zh") else ENGLISH


def of_server() -> str:
    """The language this server was started in."""
    return nearest(os.environ.get("PRACTICUM_LANGUAGE", ENGLISH))

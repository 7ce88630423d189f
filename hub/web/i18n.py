"""Languages: which one a request gets, and the catalogue of each.

The English text is the message id, so English needs no catalogue. The others are `hub/locale/LANGUAGE/LC_MESSAGES/
practicum.po`, read at start as they are: nothing compiled is committed, and an editor's change needs no build.
"""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

from hub.settings import LANGUAGES

LANGUAGE_COOKIE = "practicum-language"
"""Set at `/` and readable by JupyterHub's pages and scripts: it is a preference, not a secret."""

LANGUAGE_NAMES = {"en": "English", "zh-CN": "简体中文"}

LOCALE = Path(__file__).parents[1] / "locale"


def N_(text: str) -> str:  # noqa: N802 - gettext's name for "collect this, translate it later"
    """The text itself; the catalogue's tool finds it by the call."""
    return text


class Failure(Protocol):
    """What a page says about an error, of whichever package: a `HubError` or a `GraderError`."""

    @property
    def code(self) -> str: ...

    @property
    def status(self) -> HTTPStatus: ...

    @property
    def message_id(self) -> str: ...

    @property
    def fields(self) -> Mapping[str, object]: ...


class Translator:
    """One language's texts. What has no translation comes out in English."""

    def __init__(self, language: str, texts: Mapping[str, str], plurals: Mapping[str, tuple[str, ...]]) -> None:
        self.language = language
        self._texts = texts
        self._plurals = plurals

    def gettext(self, message_id: str) -> str:
        return self._texts.get(message_id) or message_id

    def ngettext(self, singular: str, plural: str, count: int) -> str:
        """The form for `count`. Languages here have one form or, like English, two."""
        forms = self._plurals.get(singular) or (singular, plural)
        return forms[0] if count == 1 or len(forms) == 1 else forms[1]

    def sentence(self, error: Failure) -> str:
        """The error's sentence in this language, fields filled in."""
        text = self.gettext(error.message_id)
        return text % error.fields if error.fields else text


Translators = Mapping[str, Translator]


def catalogue_path(language: str) -> Path:
    """Where the language's catalogue lies."""
    return LOCALE / language.replace("-", "_") / "LC_MESSAGES" / "practicum.po"


def load_translators() -> Translators:
    """A translator for each language of `LANGUAGES`, by language tag."""
    from babel.messages.pofile import read_po  # noqa: PLC0415 - needed once, and only by processes that show pages

    translators = {"en": Translator("en", {}, {})}
    for language in LANGUAGES:
        if language == "en":
            continue
        texts: dict[str, str] = {}
        plurals: dict[str, tuple[str, ...]] = {}
        with catalogue_path(language).open("rb") as file:
            for message in read_po(file):
                if not message.id or message.fuzzy:
                    continue
                if isinstance(message.id, str):
                    texts[message.id] = str(message.string)
                else:
                    plurals[message.id[0]] = tuple(message.string or ())
        translators[language] = Translator(language, texts, plurals)
    return translators


def choose_language(*, cookie: str | None, accept_language: str | None, default: str, person: str | None = None) -> str:
    """The person's own choice, else this browser's, else the best of what it accepts, else the centre's language."""
    for chosen in (person, cookie):
        if chosen in LANGUAGES:
            return chosen
    return _accepted(accept_language or "") or default


def _accepted(header: str) -> str | None:
    best, best_quality = None, 0.0
    for part in header.split(",")[:20]:
        tag, _, parameter = part.strip().partition(";")
        try:
            quality = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        # Any Chinese is nearer to Simplified Chinese than English is.
        primary = {"en": "en", "zh": "zh-CN"}.get(tag.strip().lower().partition("-")[0])
        if primary and quality > best_quality:
            best, best_quality = primary, quality
    return best

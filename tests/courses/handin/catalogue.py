"""`python -m tests.courses.handin.catalogue`: brings the catalogue of handing in up to date with what code and panel say.

Finds the sentences of `HandInError` classes, the literals given to `text`, `say` and, in the panel, `count`, and what the
centre may answer to a learner's server, which comes untranslated. New texts come with an empty translation for somebody to
fill in; vanished ones go.
"""

import ast
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_javascript
from babel.messages.pofile import read_po, write_po

import grader.exchange.errors
import grader.feedback.service
import grader.overview
import grader.people
import hub.web.errors
from courses.kit.handin.texts import LOCALE, catalogue_path
from grader.errors import GraderError
from hub.errors import HubError, NotActiveError

KIT = LOCALE.parent
PANEL = Path(__file__).parents[3] / "lab" / "src"

Text = str | tuple[str, str]


_CENTRE = (
    grader.exchange.errors,
    grader.feedback.service,
    grader.overview,
    grader.people,
    hub.web.errors,
)
_NOT_SAID_TO_PROGRAMS = {
    "NotNavigationError",
    "OriginUnknownError",
    "FormExpiredError",
    "SignInBrokenError",
    "LessonUnknownError",
    "NumberInvalidError",
    "ShareInUseError",
}
"""Refusals of pages, which only a browser meets."""


def centre_sentences() -> set[str]:
    """What the learner's side of the grader may refuse with."""
    kinds = [HubError, GraderError, NotActiveError]
    for module in _CENTRE:
        found = [
            each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__
        ]
        kinds += [each for each in found if issubclass(each, (HubError, GraderError))]
    return {each.sentence for each in kinds if each.__name__ not in _NOT_SAID_TO_PROGRAMS}


def collect() -> set[Text]:
    """Every text for translation; counted ones as (singular, plural)."""
    python = {text for path in KIT.glob("*.py") for text in _python_texts(path)}
    return centre_sentences() | python | {text for path in PANEL.glob("*.ts") for text in _panel_texts(path)}


def written(language: str) -> bytes:
    """The language's catalogue as it should be, with the translations there are."""
    path = catalogue_path(language)
    locale = language.replace("-", "_")
    catalogue = Catalog(locale=locale, fuzzy=False)
    if path.exists():
        with path.open("rb") as file:
            catalogue = read_po(file, locale=locale)
    wanted = Catalog(fuzzy=False)
    for text in collect():
        wanted.add(text)
    catalogue.update(wanted, no_fuzzy_matching=True)
    body = io.BytesIO()
    write_po(body, catalogue, width=120, sort_output=True, no_location=True, ignore_obsolete=True, omit_header=True)
    header = (
        f"# Handing in, {locale}. Renewed by `python -m tests.courses.handin.catalogue`.\n"
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
        f'"Language: {locale}\\n"\n"Plural-Forms: {catalogue.plural_forms}\\n"\n\n'
    )
    return header.encode() + body.getvalue()


def _python_texts(path: Path) -> Iterator[Text]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        value: ast.expr | None = None
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            value = node.value if isinstance(target, ast.Name) and target.id == "sentence" else None
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"text", "say"}:
            value = node.args[0] if node.args else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value


def _panel_texts(path: Path) -> Iterator[Text]:
    with path.open("rb") as file:
        options = {"encoding": "utf-8", "template_string": False}
        for _line, function, found, _comments in extract_javascript(file, ["text", "count"], [], options):
            texts = [found] if isinstance(found, str) else [text for text in found if text]
            if function == "count" and len(texts) >= 2:
                yield texts[0], texts[1]
            elif function == "text" and texts:
                yield texts[0]


def main() -> int:
    path = catalogue_path("zh-CN")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(written("zh-CN"))
    with path.open("rb") as file:
        gaps = [message.id for message in read_po(file) if message.id and not all(_forms(message.string))]
    print(f"{path}: {len(gaps)} to translate", *gaps, sep="\n")  # noqa: T201
    return 1 if gaps else 0


def _forms(string: object) -> tuple[str, ...]:
    return (string,) if isinstance(string, str) else tuple(string or ("",))  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())

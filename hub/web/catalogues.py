"""`python -m hub.web.catalogues`: brings the translators' catalogues up to date with the texts in the code.

Finds, with Babel, what templates and modules mark for translation, and what nothing marks: the sentences of `HubError`
classes and of the places that raise them. New texts are added with an empty translation, vanished ones are dropped, and
nothing is guessed. A test fails while a translation is missing, so run this after changing a text and fill the gaps.

Texts that only a terminal shows (settings, state, supervisor, command line) are English and not collected.
"""

import ast
import builtins
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from hub.settings import LANGUAGES
from hub.web.i18n import catalogue_path

ROOT = Path(__file__).parents[2]

SOURCES = (
    *(f"hub/{name}" for name in ("errors.py", "database.py", "roster_client.py", "cohorts", "leases", "spawn", "web")),
    "grader",
)
"""What people see in a browser; the grader's pages stand in the same frame and share its catalogue."""

_NOT_FOR_PEOPLE = {"StateError", "SettingsError", *vars(builtins)}
_FIRST_ARGUMENT = {"_", "N_", "gettext", "translate"}
_SECOND_ARGUMENT = {"_translated"}

Text = str | tuple[str, str]


def collect() -> Catalog:
    """Every text for translation with the files it stands in."""
    catalogue = Catalog(project="Practicum", charset="utf-8", fuzzy=False)
    for path in _files():
        for text in _template_texts(path) if path.suffix == ".html" else _python_texts(path):
            catalogue.add(text, locations=[(path.relative_to(ROOT).as_posix(), 0)])
    return catalogue


def renewed(language: str) -> Catalog:
    """The language's catalogue, brought up to date; nothing is written."""
    path = catalogue_path(language)
    catalogue = Catalog(locale=language.replace("-", "_"), project="Practicum", fuzzy=False)
    if path.exists():
        with path.open("rb") as file:
            catalogue = read_po(file, locale=language.replace("-", "_"))
    catalogue.update(collect(), no_fuzzy_matching=True)
    return catalogue


def update(language: str) -> Catalog:
    """The language's catalogue, brought up to date and written back."""
    path = catalogue_path(language)
    catalogue = renewed(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_written(catalogue))
    return catalogue


def _written(catalogue: Catalog) -> bytes:
    text = io.BytesIO()
    write_po(text, catalogue, width=120, sort_output=True, no_location=True, ignore_obsolete=True, omit_header=True)
    # Babel's header carries the hour of the run; without it a file changes only when a text does.
    header = (
        f"# Practicum, {catalogue.locale_identifier}. Renewed by `python -m hub.web.catalogues`.\n"
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
        f'"Language: {catalogue.locale_identifier}\\n"\n"Plural-Forms: {catalogue.plural_forms}\\n"\n\n'
    )
    return header.encode() + text.getvalue()


def _files() -> Iterator[Path]:
    for source in SOURCES:
        path = ROOT / source
        yield from [path] if path.is_file() else sorted([*path.rglob("*.py"), *path.rglob("*.html")])


def _template_texts(path: Path) -> Iterator[Text]:
    with path.open("rb") as file:
        for _line, function, arguments, _comments in babel_extract(file, ["_", "ngettext"], [], {}):
            given = (arguments,) if isinstance(arguments, str) else tuple(arguments or ())
            if function == "ngettext":
                yield str(given[0]), str(given[1])
            elif given and given[0]:
                yield given[0]


def _python_texts(path: Path) -> Iterator[Text]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ClassDef):
            for statement in node.body:
                if isinstance(statement, ast.Assign | ast.AnnAssign) and _target(statement) == "sentence":
                    yield from _literal(statement.value)
        elif isinstance(node, ast.Call):
            yield from _call_texts(node)


def _target(statement: ast.Assign | ast.AnnAssign) -> str:
    target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
    return target.id if isinstance(target, ast.Name) else ""


def _call_texts(node: ast.Call) -> Iterator[Text]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in _FIRST_ARGUMENT or (name.endswith("Error") and name not in _NOT_FOR_PEOPLE):
        yield from _literal(*node.args[:1])
    elif name in _SECOND_ARGUMENT:
        yield from _literal(*node.args[1:2])
    elif name == "ngettext" and len(node.args) >= 2:
        yield from _literal(*node.args[:2])


def _literal(*values: ast.expr | None) -> Iterator[Text]:
    texts = [value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)]
    # A name in quotes, or `%(message)s` alone, is not a text for people.
    if len(texts) == len(values) and texts and " " in texts[0]:
        yield texts[0] if len(texts) == 1 else (texts[0], texts[1])


def main() -> int:
    """Update every catalogue and say what is left to translate; exit status 1 while something is."""
    missing = 0
    for language in LANGUAGES:
        if language != "en":
            catalogue = update(language)
            gaps = [message for message in catalogue if message.id and not message.string]
            missing += len(gaps)
            print(f"{catalogue_path(language)}: {len(catalogue)} texts, {len(gaps)} to translate")  # noqa: T201
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())

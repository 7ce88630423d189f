"""A lesson in another language: same cells, same code, other words.

Prose is kept in `i18n/LANGUAGE/ASSIGNMENT.md`, one section per Markdown cell, headed by the cell's id and a fingerprint of
the English text it was made from::

    <!-- cell story 3f2a9c01d4e8 -->

What a code cell says to people (comments, docstrings, sentences in quotes) is kept in `i18n/LANGUAGE/ASSIGNMENT.yaml` as
English text and its translation. Code itself cannot be translated: only whole string literals and comments are replaced.
"""

import ast
import hashlib
import io
import re
import string
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml

from grader.assignments.course import Assignment, Course
from grader.errors import TranslationError
from grader.notebook import Notebook, Stubs, learners_part, nbgrader_metadata

_HEADING = re.compile(r"^<!-- cell (?P<id>[\w-]+) (?P<fingerprint>[0-9a-f]{12}) -->$", re.MULTILINE)
_STUB_CODE, _STUB_TEXT = "# YOUR CODE HERE", "YOUR ANSWER HERE"


@dataclass(frozen=True, slots=True)
class Prose:
    """One Markdown cell in another language, and the fingerprint of the English it follows."""

    fingerprint: str
    text: str


@dataclass(frozen=True, slots=True)
class Translation:
    """Everything a lesson says in one language: prose by cell id, sentences of code cells by their English text."""

    language: str
    prose: Mapping[str, Prose]
    sentences: Mapping[str, str]

    @property
    def stubs(self) -> Stubs:
        """What stands where a solution was."""
        code = self.sentences.get(_STUB_CODE, _STUB_CODE)
        return Stubs(f"{code}\nraise NotImplementedError()", self.sentences.get(_STUB_TEXT, _STUB_TEXT))


def translation_files(course: Course, assignment: Assignment, language: str) -> tuple[Path, Path]:
    """Prose and sentences of one lesson in one language."""
    folder = course.root / "i18n" / language
    return folder / f"{assignment.name}.md", folder / f"{assignment.name}.yaml"


def load_translation(course: Course, assignment: Assignment, language: str) -> Translation:
    """The lesson's translation as it lies beside the course. Raises `TranslationError` if a file is missing or malformed."""
    prose_file, sentences_file = translation_files(course, assignment, language)
    try:
        prose = prose_file.read_text(encoding="utf-8")
        sentences = yaml.safe_load(sentences_file.read_text(encoding="utf-8"))
        pairs = {str(pair["en"]): str(pair[language]) for pair in sentences}
    except OSError as exc:
        raise TranslationError("%(file)s cannot be read: %(cause)s.", file=exc.filename, cause=exc.strerror) from exc
    except (yaml.YAMLError, KeyError, TypeError) as exc:
        raise TranslationError(
            "%(file)s must be a list of entries with `en` and `%(language)s`.", file=sentences_file, language=language
        ) from exc
    return Translation(language, _sections(prose), pairs)


def translated(source: Notebook, translation: Translation) -> Notebook:
    """A copy of the source notebook, still with solutions, in the translation's language.

    Raises `TranslationError` unless the translation is complete and in step: half a translation confuses more than none.
    """
    if problems := out_of_step(source, translation):
        raise TranslationError(
            "The %(language)s translation is not in step: %(first)s (%(count)s in all).",
            language=translation.language,
            first=problems[0],
            count=len(problems),
        )
    notebook = nbformat.from_dict(source)
    for cell in notebook.cells:
        if cell.id in translation.prose:
            cell.source = translation.prose[cell.id].text
        elif cell.cell_type == "code":
            cell.source = _replaced(cell.source, translation.sentences)
    return notebook


def out_of_step(source: Notebook, translation: Translation) -> list[str]:
    """What is missing, stale or superfluous in the translation, one line each; empty if it is complete."""
    expected = {cell.id: fingerprint(cell.source) for cell in source.cells if _is_prose(cell)}
    problems = [f"cell {id_} is not translated" for id_ in expected if id_ not in translation.prose]
    for id_, prose in translation.prose.items():
        if id_ not in expected:
            problems.append(f"cell {id_} does not exist any more")
        elif prose.fingerprint != expected[id_]:
            problems.append(f"cell {id_} changed; look at it again, then head it `{expected[id_]}`")
    spoken = {_STUB_CODE, _STUB_TEXT}
    literals = set(spoken)
    for cell in source.cells:
        if cell.cell_type == "code":
            spoken |= {text for _, text in _said(learners_part(cell.source)) if _is_sentence(text)}
            literals |= {text for _, text in _said(cell.source)}
    problems += [f"not translated: {text!r}" for text in sorted(spoken - translation.sentences.keys())]
    problems += [f"said nowhere any more: {text!r}" for text in sorted(translation.sentences.keys() - literals)]
    problems += [
        f"other fields than the English: {text!r}"
        for text, other in translation.sentences.items()
        if _fields(text) != _fields(other)
    ]
    return problems


def fingerprint(text: str) -> str:
    """Twelve hex digits that change with the text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:12]


def _is_prose(cell: Notebook) -> bool:
    # A written answer is replaced by a stub before anybody sees it.
    return cell.cell_type == "markdown" and not nbgrader_metadata(cell).get("solution", False)


def _sections(text: str) -> dict[str, Prose]:
    headings = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    return {
        heading["id"]: Prose(heading["fingerprint"], text[heading.end() : end].strip("\n"))
        for heading, end in zip(headings, ends, strict=True)
    }


_Span = tuple[int, int]


def _said(source: str) -> Iterator[tuple[_Span, str]]:
    """Where a cell speaks to people, as byte spans: string literals, implicit concatenations as one, and comments.

    Expects plain Python, no IPython magics; raises `TranslationError` otherwise.
    """
    data = source.encode("utf-8")
    starts = [0]
    for line in data.split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)
    try:
        tree = ast.parse(source)
    except SyntaxError as exc:
        raise TranslationError("A code cell is not plain Python: %(line)s.", line=(exc.text or "").strip()) from exc
    inside_f_strings = {
        id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside_f_strings:
            assert node.end_lineno is not None
            assert node.end_col_offset is not None
            yield (
                (starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset),
                node.value,
            )
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            before = len(token.line[: token.start[1]].encode("utf-8"))
            begin = starts[token.start[0] - 1] + before
            yield (begin, begin + len(token.string.encode("utf-8"))), token.string


def _is_sentence(text: str) -> bool:
    """A comment, or words that end like a sentence; data such as column names does not."""
    return text.startswith("#") or (len(text.split()) > 1 and text.rstrip()[-1:] in {".", "?", "!", ":"})


def _replaced(source: str, sentences: Mapping[str, str]) -> str:
    data = source.encode("utf-8")
    for (begin, end), text in sorted(_said(source), reverse=True):
        if text in sentences:
            new = sentences[text]
            if not text.startswith("#"):
                new = _literal(new, quotes='"""' if data[begin:end].startswith(b'"""') else '"')
            data = data[:begin] + new.encode("utf-8") + data[end:]
    return data.decode("utf-8")


def _literal(text: str, quotes: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return quotes + (escaped if len(quotes) > 1 else escaped.replace("\n", "\\n")) + quotes


def _fields(text: str) -> set[str]:
    if text.startswith("#"):
        return set()
    try:
        return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}
    except ValueError:
        return set()

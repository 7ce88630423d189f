"""What a lesson's test cells use: checks that answer with a sentence, counted hidden cases, fresh seeds, silence.

A test cell looks like this; its value, the last line, is what the grader reads as points::

    tests = lesson.tests(worth=2)
    table = tests.call(load, path)
    tests.check(len(table) == 344, "Your table has {found} rows; the file has 344.", found=len(table))
    tests.earned

Points are a computed number, never the mere absence of an error: nbgrader gives full marks to a cell without output,
so a notebook that makes asserts vanish would pass. All of this runs beside the learner's code and can be overwritten
by it; it keeps honest work honest and stops naive cheating, and the grader must not believe more than that.
"""

import contextlib
import hashlib
import io
import linecache
import os
import secrets
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from courses.kit.sentences import ENGLISH, NOT_WRITTEN, PASSED, POINTS, STOPPED, STOPPED_AT, say

P = ParamSpec("P")
T = TypeVar("T")

SEED_VARIABLE = "PRACTICUM_GRADING_SEED"
"""Set by the grader to reproduce a mark; without it every call of `Lesson.seed` draws afresh."""


class NotYet(AssertionError):  # noqa: N818 - learners read this name
    """Work that is not right yet. A notebook shows only its sentence: the frames of the test would teach nothing."""

    def _render_traceback_(self) -> list[str]:
        # IPython's hook for exceptions that draw themselves; nbgrader's Validate shows the same lines.
        return [str(self)]


@dataclass(frozen=True, slots=True)
class Earned:
    """Points of one cell. Its plain text is the number nbgrader reads; people see a sentence instead."""

    points: float
    worth: float
    passed: int
    total: int
    language: str = ENGLISH

    def __float__(self) -> float:
        return self.points

    def __repr__(self) -> str:
        return f"{self.points:g}"

    def _repr_markdown_(self) -> str:
        mark = "✓" if self.passed == self.total else "○"
        counted = say(PASSED, self.language, passed=self.passed, total=self.total)
        return f"{mark} {counted} · {say(POINTS, self.language, earned=f'{self.points:g}', worth=f'{self.worth:g}')}"


class CellTests:
    """The tests of one cell, worth `worth` points, counted as they pass."""

    def __init__(self, worth: float, language: str = ENGLISH) -> None:
        self._worth = worth
        self._language = language
        self._passed = 0
        self._total = 0

    def check(self, condition: object, sentence: str, **fields: object) -> None:
        """Count one visible check. Raises `NotYet` with the sentence, fields filled in, where it does not hold."""
        self._total += 1
        if not condition:
            raise NotYet(sentence.format(**fields))
        self._passed += 1

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the learner's function returns, nothing on standard error.

        Raises `NotYet` that names the learner's own line where the function fails.
        """
        try:
            with quiet():
                return function(*args, **kwargs)
        except NotImplementedError:
            raise NotYet(say(NOT_WRITTEN, self._language, function=_name(function))) from None
        except Exception as exc:  # noqa: BLE001 - whatever the learner's code raises becomes a sentence
            raise NotYet(self._explain(function, exc)) from None

    def case(self, attempt: Callable[[], object]) -> None:
        """Count one hidden case: passed if `attempt` returns something true. Says nothing and never raises."""
        self._total += 1
        with quiet(), contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
            self._passed += bool(attempt())

    @property
    def earned(self) -> Earned:
        """Points so far: `worth` times the share of checks and cases that passed; 0 where none ran."""
        share = self._passed / self._total if self._total else 0.0
        return Earned(round(self._worth * share, 4), self._worth, self._passed, self._total, self._language)

    def _explain(self, function: Callable[..., object], exc: Exception) -> str:
        error = f"{type(exc).__name__}: {exc}"
        where = _line_of(function, exc.__traceback__)
        if where is None:
            return say(STOPPED, self._language, function=_name(function), error=error)
        line, source = where
        return say(STOPPED_AT, self._language, function=_name(function), line=line, source=source, error=error)


class Lesson:
    """What a lesson's notebook makes once at its top: the language of its sentences, its tests and its seeds."""

    def __init__(self, language: str = ENGLISH) -> None:
        self.language = language

    def tests(self, worth: float) -> CellTests:
        """New tests for one cell."""
        return CellTests(worth, self.language)

    def seed(self, purpose: str) -> int:
        """A seed below 2**63, fresh each time; reproducible per purpose where the grader set one."""
        given = os.environ.get(SEED_VARIABLE)
        if given is None:
            return secrets.randbits(63)
        return int.from_bytes(hashlib.sha256(f"{given}:{purpose}".encode()).digest()[:8], "big") >> 1


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing reaches standard error: any output there costs a grade cell all its points, honest warnings included.

    The file descriptor is silenced too, because compiled code writes to it without asking `sys.stderr`.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device, not a path
            os.dup2(nowhere.fileno(), 2)
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def plain(value: object) -> Any:
    """The value rebuilt from built-in types, numpy scalars unpacked; raises `TypeError` for anything else.

    Compare with `==` only after this: an object of a learner's class may claim to equal everything.
    """
    kind: type = type(value)
    if kind.__module__ == "numpy" and hasattr(value, "item"):
        return plain(value.item())
    if kind in {str, int, float, bool, type(None)}:
        return value
    if isinstance(value, tuple | list | set | frozenset) and kind in {tuple, list, set, frozenset}:
        return kind(plain(item) for item in value)
    if isinstance(value, dict) and kind is dict:
        return {plain(key): plain(item) for key, item in value.items()}
    raise TypeError(f"{kind.__name__} is not a plain value")


def _name(function: Callable[..., object]) -> str:
    return str(getattr(function, "__name__", "this"))


def _line_of(function: Callable[..., object], traceback: types.TracebackType | None) -> tuple[int, str] | None:
    """Line number and text of the deepest frame inside the cell that defines `function`."""
    filename = getattr(getattr(function, "__code__", None), "co_filename", None)
    found = None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == filename:
            found = traceback.tb_lineno, linecache.getline(filename, traceback.tb_lineno).strip()
        traceback = traceback.tb_next
    return found

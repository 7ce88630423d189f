"""A learner's home, a lesson to fetch into it, and a centre to hand in to."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from courses.kit.handin.centre import Centre
from courses.kit.handin.desk import Desk
from courses.kit.handin.patience import Patience
from tests.courses.handin.grader_double import TOKEN, GraderDouble, Lesson, grader_double, in_days


def notebook(*sources: str) -> bytes:
    """A notebook of plain code cells."""
    cells = [
        {"cell_type": "code", "id": f"c{at}", "metadata": {}, "execution_count": None, "outputs": [], "source": text}
        for at, text in enumerate(sources)
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def audit() -> Lesson:
    return Lesson(
        course="data-processing",
        course_title="Data processing",
        name="quality-audit",
        title="Quality audit: may we use this table?",
        release={
            "en": {"quality-audit.ipynb": notebook("answer = None"), "penguins_raw.csv": b"a,b\n1,2\n"},
            "zh-CN": {"quality-audit.ipynb": notebook("answer = None  # 在这里写"), "penguins_raw.csv": b"a,b\n1,2\n"},
        },
        terms=in_days(2),
    )


@pytest.fixture
def lesson() -> Lesson:
    return audit()


@pytest.fixture
def double(tmp_path: Path, lesson: Lesson) -> Iterator[GraderDouble]:
    folder = tmp_path / "centre"
    folder.mkdir()
    with grader_double(folder, [lesson]) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


class Haste(Patience):
    """Patience whose waits take no time, but count."""

    def __init__(self, limit_s: float) -> None:
        self.passed_s = 0.0
        super().__init__(limit_s, self._pass, lambda: self.passed_s)

    def _pass(self, seconds: float) -> None:
        self.passed_s += seconds


@pytest.fixture
def desk(home: Path, double: GraderDouble) -> Desk:
    return Desk(home, Centre(double.url, TOKEN, "en", timeout_s=5), Haste)

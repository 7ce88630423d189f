"""What one process converted, others find; nobody loads nbgrader for it."""

import subprocess
import sys
from pathlib import Path

from grader.autograde.conversions import Conversions, address_of
from grader.autograde.shelf import Shelf
from tests.grader.autograde.samples import Birds


def test_a_conversion_comes_back_as_it_was(tmp_path: Path) -> None:
    birds = Birds(tmp_path)
    made = birds.shelf.get("birds", "weigh", "zh-CN").notebooks
    conversions = Conversions(tmp_path / "kept")
    conversions.keep("a", made)
    assert conversions.find("a") == made
    assert conversions.find("b") is None


def test_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    conversions = Conversions(tmp_path)
    for text in ("", "{", "[1]", '[{"name": "x", "cells": [{}]}]'):
        (tmp_path / "a.json").write_text(text, encoding="utf-8")
        assert conversions.find("a") is None


def test_other_sources_have_another_address() -> None:
    assert address_of("source", "en", ((1, 2),)) != address_of("source", "en", ((1, 3),))


def test_who_finds_everything_converted_never_loads_nbgrader(tmp_path: Path) -> None:
    birds = Birds(tmp_path)
    kept, distribution = tmp_path / "kept", tmp_path / "distribution"
    Shelf(birds.state_courses, distribution, Conversions(kept)).get("birds", "weigh")
    program = (
        "import sys; from pathlib import Path; from grader.autograde.shelf import Shelf;"
        "from grader.autograde.conversions import Conversions;"
        f"found = Shelf(Path({str(birds.state_courses)!r}), Path({str(distribution)!r}), Conversions(Path({str(kept)!r})))"
        ".get('birds', 'weigh'); print(found.max_score, 'nbgrader' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["3.0", "False"]


def test_the_authors_answer_is_kept_for_people_who_grade_and_for_nobody_else(tmp_path: Path) -> None:
    (notebook,) = Birds(tmp_path).shelf.get("birds", "weigh").notebooks
    guides = {cell.grade_id: cell.guide for cell in notebook.cells if cell.guide}
    assert guides == {"why": "The model answer."}
    assert all("The model answer." not in cell.text + cell.released for cell in notebook.cells)

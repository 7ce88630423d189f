"""data-processing/quality-audit: right work earns everything, wrong work is taught, cheap tricks earn no hidden point."""

import hashlib
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import matplotlib
import palmerpenguins
import pandas as pd
import pytest

from courses.kit.grading import SEED_VARIABLE
from grader.assignments.translation import load_translation, translated
from grader.notebook import converted, dump, learners_part
from tests.courses.lesson import ASSIGNMENT, COURSE, SOURCE_FILE, Run, run, source, with_answers
from tests.courses.wrong_answers import WRONG_ANSWERS, WrongAnswer

matplotlib.use("Agg")

LANGUAGES = ("en", "zh-CN")
HIDDEN = {"hidden-typed": 2, "hidden-repeated": 2, "hidden-missing-by": 2, "hidden-draw": 1, "hidden-violations": 3}
VISIBLE = {"test-typed": 2, "test-repeated": 2, "test-missing-by": 2, "test-draw": 2, "test-violations": 2}
GIVEN = {"setup", "read-raw", "constants", "table"}


def in_language(language: str) -> Any:
    return source() if language == "en" else translated(source(), load_translation(COURSE, ASSIGNMENT, language))


def hidden_points(outcome: Run) -> float:
    return sum(outcome.points[cell] for cell in HIDDEN)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_model_solution_earns_every_automatic_point(language: str) -> None:
    outcome = run(in_language(language))
    assert (outcome.points, outcome.sentences, outcome.errors) == (VISIBLE | HIDDEN, {}, {})


@pytest.mark.parametrize("seed", range(20))
def test_the_model_solution_earns_the_hidden_points_for_every_seed(seed: int) -> None:
    outcome = run(source(), environment={SEED_VARIABLE: str(seed)})
    assert {cell: outcome.points[cell] for cell in HIDDEN} == HIDDEN


def test_points_are_split_forty_forty_twenty() -> None:
    points = {
        cell.id: cell.metadata.nbgrader["points"]
        for cell in source().cells
        if cell.metadata.get("nbgrader", {}).get("grade")
    }
    assert points == VISIBLE | HIDDEN | {"memo": 5}
    assert (sum(VISIBLE.values()), sum(HIDDEN.values())) == (10, 10)


def test_every_graded_code_cell_ends_in_a_number_so_that_a_silent_cell_can_be_given_nothing() -> None:
    for cell in source().cells:
        if cell.id in VISIBLE | HIDDEN:
            lines = [line for line in cell.source.split("\n") if not line.startswith("### ")]
            assert lines[-1] == "tests.earned", cell.id


def test_the_second_delivery_holds_the_forty_faults_the_story_tells_of() -> None:
    names = run(source()).namespace
    assert len(names["violations"](names["second"], names["CONTRACT"])) == 40


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_release_is_graded_zero(language: str) -> None:
    released = converted(in_language(language), "quality-audit")
    stubs = {cell.id: cell.source for cell in released.cells if cell.metadata.get("nbgrader", {}).get("solution")}
    outcome = run(with_answers(in_language(language), stubs))
    assert set(outcome.points.values()) == {0}
    assert len(outcome.sentences) == len(VISIBLE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_release_holds_no_solution_no_hidden_test_and_no_output(language: str) -> None:
    translation = None if language == "en" else load_translation(COURSE, ASSIGNMENT, language)
    released = dump(converted(in_language(language), "quality-audit", translation and translation.stubs)).decode()
    shown = "\n".join(learners_part(cell.source) for cell in source().cells)
    hidden = "\n".join(cell.source for cell in source().cells if cell.id != "memo")
    secret = {line.strip() for line in hidden.split("\n") if line.strip() not in shown}
    assert len(secret) > 150
    for line in secret:
        assert line.replace('"', '\\"') not in released, line
    for word in ("BEGIN", "RUBRIC", "评分标准", "_oracle", "_planted", "Dear Ms Lin"):
        assert word not in released
    assert '"outputs": [\n' not in released


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("wrong", WRONG_ANSWERS, ids=lambda wrong: wrong.name)
def test_a_plausible_wrong_answer_gets_the_sentence_meant_for_it(wrong: WrongAnswer, language: str) -> None:
    notebook = with_answers(in_language(language), {wrong.cell: wrong.code})
    notebook.cells = [cell for cell in notebook.cells if cell.id in GIVEN | {wrong.cell, f"test-{wrong.cell}"}]
    outcome = run(notebook)
    assert outcome.points[f"test-{wrong.cell}"] == 0
    assert outcome.errors == {}
    (sentence,) = outcome.sentences.values()
    if language == "en":
        assert wrong.taught in sentence
    else:
        assert re.search("[\u4e00-\u9fff]", sentence), sentence


CONSTANTS = {
    "typed": "def typed(raw):\n    return raw.copy(), []",
    "repeated": 'KEY = ["Species", "Sample Number"]\ndef repeated(table, key):\n    return set()',
    "missing-by": "def missing_by(table, by):\n    return table.drop(columns=by).isna().groupby(table[by], dropna=False).mean() * 0",
    "draw": "def draw(table, axes):\n    axes.scatter([181.0], [3750.0], label='bird')\n    axes.legend()",
    "violations": "CONTRACT = {}\ndef violations(table, contract):\n    return set()",
}


def test_constants_earn_no_hidden_point() -> None:
    for seed in range(5):
        assert hidden_points(run(with_answers(source(), CONSTANTS), environment={SEED_VARIABLE: str(seed)})) == 0


def test_visible_answers_by_heart_earn_the_visible_points_and_no_hidden_one() -> None:
    """Right for every table the visible tests show, a remembered answer for any other."""
    model = {cell.id: cell.source for cell in source().cells}
    by_heart = {
        "typed": "\n_typed = typed\ndef typed(raw):\n    return _typed(raw if len(raw) in {344, 4} else _raw)\n_raw = raw",
        "repeated": "\n_repeated = repeated\ndef repeated(table, key):\n    shown = len(table) in {344, 346} or set(table['Species'].str[:6]) == {'Adelie'} and key == ['Sample Number']\n    return _repeated(table, key) if shown else {('Adelie Penguin (Pygoscelis adeliae)', '6')}",
        "missing-by": "\n_missing_by = missing_by\n_table = table\ndef missing_by(table, by):\n    return _missing_by(_table, by)",
        "draw": "\n_drawn = draw\n_table = table\ndef draw(table, axes):\n    _drawn(_table, axes)",
        "violations": "\n_violations = violations\ndef violations(table, contract):\n    return _violations(table, contract) if len(table) in {344, 1} else set()",
    }
    outcome = run(with_answers(source(), {cell: model[cell] + trick for cell, trick in by_heart.items()}))
    assert {cell: outcome.points[cell] for cell in VISIBLE} == VISIBLE
    assert hidden_points(outcome) == 0


def test_objects_that_equal_everything_earn_no_hidden_point() -> None:
    yes = """
class Yes(set):
    def __eq__(self, other): return True
    def __len__(self): return 2
    def __getattr__(self, name): return Yes()
    def __call__(self, *given): return Yes()
    def __getitem__(self, key): return Yes()
    __hash__ = object.__hash__
"""
    answers = {
        "typed": yes + "def typed(raw): return Yes(), Yes()",
        "repeated": yes + "def repeated(table, key): return Yes()",
        "missing-by": yes + "def missing_by(table, by): return Yes()",
        "draw": yes + "def draw(table, axes): axes.get_legend = Yes()",
        "violations": yes + "CONTRACT = Yes()\ndef violations(table, contract): return Yes()",
    }
    assert hidden_points(run(with_answers(source(), answers))) == 0


def test_forgetting_the_unknown_group_costs_a_part_of_the_hidden_points_not_all() -> None:
    answer = "def missing_by(table, by):\n    return table.drop(columns=by).isna().groupby(table[by]).mean()"
    assert 0 < run(with_answers(source(), {"missing-by": answer})).points["hidden-missing-by"] < 2


def test_the_data_is_the_raw_penguin_table_of_the_package_byte_for_byte() -> None:
    ours = (SOURCE_FILE.parent / "penguins_raw.csv").read_bytes()
    assert ours == files(palmerpenguins).joinpath("data/penguins-raw.csv").read_bytes()
    assert pd.read_csv(SOURCE_FILE.parent / "penguins_raw.csv").shape == (344, 17)
    (described,) = ASSIGNMENT.data
    assert (described.rows, described.columns, described.licence) == (344, 17, "CC0-1.0")
    assert described.sha256 == hashlib.sha256(ours).hexdigest()


def test_every_outcome_is_measured_by_graded_cells_and_every_graded_cell_measures_one() -> None:
    measured = {cell for outcome in ASSIGNMENT.outcomes for cell in outcome.measured_by}
    assert measured == {*VISIBLE, *HIDDEN, "memo"}


def test_the_model_memo_keeps_the_length_it_asks_for() -> None:
    (memo,) = [cell.source for cell in source().cells if cell.id == "memo"]
    text = memo.split("### BEGIN SOLUTION")[1].split("RUBRIC")[0]
    assert 120 <= len(text.split()) <= 200


def test_the_source_notebook_is_stripped_and_has_readable_cell_ids() -> None:
    notebook = source()
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    for cell in notebook.cells:
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", cell.id)
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_chinese_emphasis_renders() -> None:
    """After Chinese punctuation `**` closes nothing if a letter follows (CommonMark's flanking rule)."""
    text = Path(COURSE.root / "i18n/zh-CN/quality-audit.md").read_text(encoding="utf-8")
    for line in text.split("\n"):
        for number, mark in enumerate(re.finditer(r"\*\*", re.sub(r"`[^`]*`", "`", line))):
            plain = re.sub(r"`[^`]*`", "`", line)
            before, after = plain[: mark.start()][-1:], plain[mark.end() :][:1]
            if number % 2:
                assert not (re.match(r"[^\w\s]", before) and re.match(r"\w", after)), line
            else:
                assert not (re.match(r"\w", before) and re.match(r"[^\w\s]", after)), line

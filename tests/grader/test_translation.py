"""Translations: complete or refused, code untouched, every way to fall out of step named."""

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

from grader.assignments.catalogue import courses
from grader.assignments.course import Course
from grader.assignments.translation import Translation, load_translation, out_of_step, translated
from grader.errors import TranslationError
from grader.notebook import read
from tests.grader.sample_course import make_course, notebook, sentences


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return make_course(tmp_path)


@pytest.fixture
def translation(course: Course) -> Translation:
    return load_translation(course, course.assignments[0], "zh-CN")


def words_of(course: Course) -> Path:
    return course.root / "i18n" / "zh-CN"


def test_every_lesson_of_the_distribution_is_in_step_in_every_language() -> None:
    for found in courses():
        for assignment in found.assignments:
            source = read(found.source_dir(assignment) / assignment.notebook)
            for language in set(found.languages) - {"en"}:
                assert out_of_step(source, load_translation(found, assignment, language)) == []


def test_prose_comments_docstrings_and_sentences_are_translated_and_solutions_kept(translation: Translation) -> None:
    result = translated(notebook(), translation)
    title, solution, test, written = [cell.source for cell in result.cells]
    assert title == "# 称鸟\n\n一次一**克**。"
    assert '"""返回较重的一个。"""' in solution
    assert "return max(a, b)  # the secret" in solution
    assert test.startswith('# 两只鸟。\nassert heavier(1, 2) == 2, "2 更重，再看看“大小”。"\n### BEGIN HIDDEN TESTS')
    assert "The model answer." in written


def without_words(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


def test_translated_code_is_the_same_code() -> None:
    (found,) = courses()
    source = read(found.source_dir(found.assignments[0]) / "quality-audit.ipynb")
    result = translated(source, load_translation(found, found.assignments[0], "zh-CN"))
    assert [cell.id for cell in result.cells] == [cell.id for cell in source.cells]
    for before, after in zip(source.cells, result.cells, strict=True):
        assert before.metadata == after.metadata
        if before.cell_type == "code":
            assert without_words(before.source) == without_words(after.source)


@pytest.mark.parametrize("quoted", ['"', "\\", "{0}", "\n", '"""', "“”"])
def test_any_text_survives_being_put_into_a_literal(quoted: str, translation: Translation) -> None:
    changed = dict(translation.sentences) | {"Return the heavier one.": quoted, "Two is heavier. Look again.": quoted}
    prose = translation.prose
    if "{" in quoted:
        with pytest.raises(TranslationError, match="other fields"):
            translated(notebook(), Translation("zh-CN", prose, changed))
        return
    result = translated(notebook(), Translation("zh-CN", prose, changed))
    function = ast.parse(result.cells[1].source).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert ast.get_docstring(function, clean=False) == quoted


def changed_notebook(cell: int, text: str) -> Any:
    source = notebook()
    source.cells[cell].source = text
    return source


@pytest.mark.parametrize(
    ("cell", "text", "problem"),
    [
        (0, "# Weigh two birds", "cell title changed; look at it again"),
        (2, "# Three birds.", "not translated: '# Three birds.'"),
        (2, '# Two birds.\nx = "Are you sure?"', "not translated: 'Are you sure?'"),
        (2, "pass", "said nowhere any more: '# Two birds.'"),
    ],
)
def test_a_changed_source_is_noticed(cell: int, text: str, problem: str, translation: Translation) -> None:
    problems = out_of_step(changed_notebook(cell, text), translation)
    assert any(problem in found for found in problems), problems
    with pytest.raises(TranslationError, match="not in step"):
        translated(changed_notebook(cell, text), translation)


def test_a_missing_and_a_superfluous_cell_are_noticed(course: Course) -> None:
    (words_of(course) / "weigh.md").write_text("<!-- cell other 0123456789ab -->\n\nx\n", encoding="utf-8")
    problems = out_of_step(notebook(), load_translation(course, course.assignments[0], "zh-CN"))
    assert problems == ["cell title is not translated", "cell other does not exist any more"]


def test_lost_fields_are_noticed(course: Course) -> None:
    pairs = [*sentences(), {"en": "You have {found} birds.", "zh-CN": "你有几只鸟。"}]
    (words_of(course) / "weigh.yaml").write_text(yaml.safe_dump(pairs, allow_unicode=True), encoding="utf-8")
    source = changed_notebook(2, notebook().cells[2].source + '\nx = "You have {found} birds."')
    problems = out_of_step(source, load_translation(course, course.assignments[0], "zh-CN"))
    assert problems == ["other fields than the English: 'You have {found} birds.'"]


@pytest.mark.parametrize("content", ["{", "- en: x", "text", "", "- [1]"])
def test_a_malformed_file_is_refused_in_one_sentence(content: str, course: Course) -> None:
    (words_of(course) / "weigh.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(TranslationError, match="must be a list of entries with `en` and `zh-CN`"):
        load_translation(course, course.assignments[0], "zh-CN")


def test_a_missing_file_is_refused_in_one_sentence(course: Course) -> None:
    (words_of(course) / "weigh.md").unlink()
    with pytest.raises(TranslationError, match=r"weigh\.md cannot be read"):
        load_translation(course, course.assignments[0], "zh-CN")


def test_magics_are_refused_because_they_cannot_be_translated_safely(translation: Translation) -> None:
    with pytest.raises(TranslationError, match="not plain Python: %matplotlib inline"):
        translated(changed_notebook(2, "%matplotlib inline"), translation)

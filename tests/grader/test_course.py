"""`course.yaml`: what is wrong is said in one sentence that names the place."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from grader.assignments.catalogue import COURSES_DIR, course, courses, listing
from grader.assignments.course import load_course
from grader.errors import CourseError, UnknownLessonError
from tests.grader.sample_course import described, make_course


def test_the_distribution_brings_data_processing_with_its_first_lesson() -> None:
    found = course("data-processing")
    assert found.languages == ("en", "zh-CN")
    assert found.title["zh-CN"] == "数据处理"
    assert found.assignment("quality-audit").notebook == "quality-audit.ipynb"
    assert found.standard == "4-04-05-05"
    assert found in courses()


def test_courses_is_a_namespace_so_that_the_kit_can_be_mounted_alone() -> None:
    assert not (COURSES_DIR / "__init__.py").exists()
    assert (COURSES_DIR / "kit" / "__init__.py").exists()


def test_the_kit_holds_no_solution() -> None:
    for path in (COURSES_DIR / "kit").rglob("*"):
        if path.suffix in {".py", ".json"}:
            text = path.read_text(encoding="utf-8")
            assert not [word for word in ("penguin", "BEGIN SOLUTION", "groupby", "Flipper") if word in text], path


def test_the_listing_holds_nothing_a_learner_may_not_see(tmp_path: Path) -> None:
    assert listing((make_course(tmp_path),)) == [
        {
            "name": "birds",
            "title": {"en": "Birds", "zh-CN": "Birds"},
            "summary": {"en": "Weigh them.", "zh-CN": "Weigh them."},
            "languages": ["en", "zh-CN"],
            "assignments": [
                {
                    "name": "weigh",
                    "title": {"en": "Weigh", "zh-CN": "Weigh"},
                    "summary": {"en": "One bird.", "zh-CN": "One bird."},
                    "minutes": 5,
                    "notebook": "weigh.ipynb",
                }
            ],
        }
    ]


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in described().items() if name != key}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (without("standard"), "standard: Field required"),
        (described() | {"tittle": {}}, "tittle: Extra inputs are not permitted"),
        (described() | {"title": {"zh-CN": "鸟"}}, "title has no en text"),
        (described() | {"summary": {"en": "Weigh them."}}, "summary must be given in en, zh-CN"),
        (described() | {"name": "../etc"}, "name: String should match pattern"),
        (described() | {"name": "fish"}, "says the course is fish"),
        (described() | {"assignments": []}, "assignments: List should have at least 1 item"),
        (["a", "list"], "is not a YAML file of `key: value` lines"),
        (None, "is not a YAML file of `key: value` lines"),
        ("{", "is not a YAML file of `key: value` lines"),
    ],
)
def test_a_faulty_description_is_refused_in_one_sentence(content: Any, words: str, tmp_path: Path) -> None:
    root = make_course(tmp_path).root
    text = content if isinstance(content, str) else yaml.safe_dump(content, allow_unicode=True)
    (root / "course.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(CourseError) as caught:
        load_course(root)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_description_and_an_unknown_course_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="cannot be read: No such file"):
        load_course(tmp_path)
    with pytest.raises(UnknownLessonError, match="There is no course fish here"):
        course("fish")

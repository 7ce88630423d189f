from pathlib import Path

import pytest

from grader.lesson_language import language_of
from tests.grader.autograde.samples import RIGHT, Birds, encoded


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_notebook_is_in_the_language_of_the_lesson_it_came_from(tmp_path: Path, language: str) -> None:
    birds = Birds(tmp_path)
    lessons = {each: birds.state_courses / "birds" / "release" / each / "weigh" for each in ("en", "zh-CN")}
    worked = encoded(birds.learner(RIGHT, "Because.", language))
    assert language_of(worked, "weigh.ipynb", lessons) == language


def test_what_shares_nothing_with_the_lesson_is_in_no_language(tmp_path: Path) -> None:
    birds = Birds(tmp_path)
    lessons = {"en": birds.state_courses / "birds" / "release" / "en" / "weigh", "fr": tmp_path / "nothing"}
    assert language_of(b"no notebook", "weigh.ipynb", lessons) == ""
    assert language_of(b'{"nbformat": 4, "cells": []}', "weigh.ipynb", lessons) == ""
    assert language_of(b"", "weigh.ipynb", {}) == ""

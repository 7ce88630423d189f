"""`python -m grader.cli`: what the centre's start calls."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from grader.cli import main
from tests.grader.sample_course import make_course


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_course(tmp_path / "courses").root.parent


def test_release_says_what_it_did_and_is_idempotent(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    arguments = ["--courses", str(folder), "release", "--into", str(state)]
    assert main(arguments) == 0
    assert [line.split(" ")[0] for line in capsys.readouterr().out.splitlines()] == ["released", "released"]
    assert main(arguments) == 0
    assert [line.split(" ")[0] for line in capsys.readouterr().out.splitlines()] == ["unchanged", "unchanged"]


def test_a_broken_course_is_one_sentence_and_status_one(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "birds" / "source" / "weigh" / "weigh.ipynb").write_text("{")
    assert main(["--courses", str(folder), "release", "--into", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "cannot be read as a notebook" in error
    assert error.count("\n") == 1


def test_bad_options_are_a_usage_line_and_status_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["release"])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: grader")


def test_listing_needs_no_nbgrader() -> None:
    program = (
        "import sys, grader.cli; code = grader.cli.main(['list']); sys.exit(9 if 'nbgrader' in sys.modules else code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "data-processing" in {course["name"] for course in json.loads(done.stdout)}

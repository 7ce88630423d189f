"""`courses.kit.grading`: what it says, what it counts, and what never reaches standard error."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

import courses.kit
from courses.kit import sentences
from courses.kit.grading import SEED_VARIABLE, Lesson, NotYet, plain, quiet


def test_a_failed_check_is_its_sentence_with_the_fields_filled_in() -> None:
    with pytest.raises(NotYet, match=r"^The table has 3 rows\.$"):
        Lesson().tests(worth=2).check(False, "The table has {found} rows.", found=3)


def test_a_notebook_shows_the_sentence_and_no_frames_of_the_test(capsys: pytest.CaptureFixture[str]) -> None:
    shell = InteractiveShell()
    shell.run_cell("from courses.kit.grading import Lesson\nLesson().tests(1).check(False, 'Look at the units.')")
    assert capsys.readouterr().out.strip() == "Look at the units."


def test_points_are_the_number_nbgrader_reads_and_people_see_a_sentence() -> None:
    tests = Lesson(language="zh-CN").tests(worth=3)
    tests.check(True, "")
    tests.case(lambda: False)
    assert (repr(tests.earned), float(tests.earned)) == ("1.5", 1.5)
    assert tests.earned._repr_markdown_() == "○ 通过 1/2 项检查 · 得分 1.5/3"


def test_a_cell_whose_checks_were_deleted_earns_nothing() -> None:
    assert float(Lesson().tests(worth=2).earned) == 0


def test_a_hidden_case_that_raises_counts_as_failed_and_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    tests = Lesson().tests(worth=2)
    tests.case(lambda: sys.stdout.write("the hidden table"))
    tests.case(lambda: 1 / 0)
    assert float(tests.earned) == 1
    assert capfd.readouterr() == ("", "")


def test_a_learners_error_becomes_a_sentence_with_their_own_line() -> None:
    shell = InteractiveShell()
    shell.run_cell("def mean(table):\n    total = 0\n    return total / len(table)")
    with pytest.raises(
        NotYet, match=r"`mean` stopped at line 3 of its cell, `return total / len\(table\)`, with ZeroDiv"
    ):
        Lesson().tests(1).call(shell.user_ns["mean"], [])


def test_a_stub_is_told_apart_from_an_error() -> None:
    def later() -> None:
        raise NotImplementedError

    with pytest.raises(NotYet, match="`later` is not written yet"):
        Lesson().tests(1).call(later)
    with pytest.raises(NotYet, match="`later` 还没有写"):
        Lesson(language="zh-CN").tests(1).call(later)


def test_quiet_silences_warnings_python_and_the_file_descriptor(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        warnings.warn("a library grumbles", stacklevel=1)
        sys.stderr.write("progress\n")
        os.write(2, b"from compiled code\n")
    sys.stderr.write("afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_seeds_are_fresh_unless_the_grader_reproduces_a_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    lesson = Lesson()
    assert lesson.seed("types") != lesson.seed("types")
    monkeypatch.setenv(SEED_VARIABLE, "41")
    assert lesson.seed("types") == lesson.seed("types") != lesson.seed("keys")
    assert 0 <= lesson.seed("types") < 2**63


def test_plain_refuses_objects_that_claim_to_equal_everything() -> None:
    class Yes(str):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = str.__hash__

    for impostor in (Yes("x"), {Yes("x")}, [(1, Yes("x"))], {"a": Yes("x")}):
        with pytest.raises(TypeError):
            plain(impostor)


def test_plain_unpacks_numpy_scalars() -> None:
    numpy = pytest.importorskip("numpy")
    assert plain({(numpy.int64(3), "a", None)}) == {(3, "a", None)}


def test_every_sentence_of_the_kit_is_translated() -> None:
    english = {value for name, value in vars(sentences).items() if name.isupper() and isinstance(value, str)} - {"en"}
    for language in set(sentences.LANGUAGES) - {"en"}:
        assert sentences._TRANSLATIONS[language].keys() == english


def test_the_kit_works_from_its_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "courses").mkdir()
    (tmp_path / "courses" / "kit").symlink_to(Path(courses.kit.__file__).parent)
    program = f"import sys; sys.path[:0] = [{str(tmp_path)!r}]; import courses.kit.grading as g; print(g.Lesson().tests(2).earned)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("0\n", "")

"""What nbgrader found, as sentences: the real thing runs in `test_extension.py`."""

from courses.kit.handin.texts import load
from courses.kit.handin.validation import NO_ANSWER, PARTIAL, Finding, findings

TRACEBACK = """\x1b[31m---------------------------------------------------------------------------\x1b[39m
\x1b[31mNameError\x1b[39m                                 Traceback (most recent call last)
\x1b[36mCell\x1b[39m\x1b[36m \x1b[39m\x1b[32mIn[3]\x1b[39m\x1b[32m, line 1\x1b[39m
\x1b[32m----> \x1b[39m\x1b[32m1\x1b[39m tabel

\x1b[31mNameError\x1b[39m: name 'tabel' is not defined
"""


def failed(source: str, error: str) -> dict[str, list[dict[str, str]]]:
    return {"failed": [{"source": source, "raw_error": error, "error": "<pre>"}]}


def test_of_a_traceback_only_what_happened_is_left() -> None:
    [found] = findings(failed("# Tests of exercise 1.5. They say more below.\ntabel", TRACEBACK), load("en"))
    assert found == Finding("Tests of exercise 1.5", "NameError: name 'tabel' is not defined")


def test_a_sentence_of_the_kit_stays_one() -> None:
    assert findings(failed("\n# 练习 1 的测试。哪里还不对，下方会告诉你。", "`typed` 还没有写。"), load("zh-CN")) == [
        Finding("练习 1 的测试", "`typed` 还没有写。")
    ]


def test_states_that_nbgrader_words_as_errors_are_said_in_the_learners_language() -> None:
    for error, english, chinese in (
        (NO_ANSWER, "Not answered yet.", "还没有作答。"),
        (
            PARTIAL,
            "Partly right: some of the tests of this cell do not pass yet.",
            "部分正确：这个单元格还有测试没有通过。",
        ),
        ("", "The tests of this cell do not pass yet.", "这个单元格的测试还没有通过。"),
    ):
        assert findings(failed("x", error), load("en"))[0].sentence == english
        assert findings(failed("x", error), load("zh-CN"))[0].sentence == chinese


def test_changed_tests_and_changed_kinds_of_cells_send_the_learner_to_the_original() -> None:
    for kind in ("changed", "type_changed"):
        [found] = findings({kind: [{"source": "# Tests of exercise 2\n1"}]}, load("en"))
        assert found.cell == "Tests of exercise 2"
        assert "Fetch the assignment again" in found.sentence


def test_an_endless_message_is_cut_and_no_finding_is_no_news() -> None:
    assert len(findings(failed("x" * 500, "y" * 10_000), load("en"))[0].sentence) == 601
    assert findings({}, load("en")) == []

"""Everything a learner is told exists in both languages, in one catalogue for server, panel and terminal."""

import re

import pytest
from babel.messages.pofile import read_po

from courses.kit.handin import errors
from courses.kit.handin.errors import CentreRefusedError, FileTooLargeError, HandInError
from courses.kit.handin.texts import catalogue_path, load, nearest
from grader.exchange.errors import AttemptsSpentError
from tests.courses.handin.catalogue import collect, written

RENEW = "run `python -m tests.courses.handin.catalogue`, then fill in what is empty"
_FIELD = re.compile(r"%\((\w+)\)s")


def forms(text: str | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else text


def test_every_text_has_a_translation_with_the_same_fields() -> None:
    with catalogue_path("zh-CN").open("rb") as file:
        chinese = read_po(file, locale="zh_CN")
    problems = []
    for wanted in collect():
        found = chinese.get(forms(wanted)[0])
        if found is None or found.fuzzy or not found.string or not all(forms(found.string)):
            problems.append(f"not translated: {wanted}")
            continue
        fields = {field for text in forms(wanted) for field in _FIELD.findall(text)}
        wrong = [
            text for text in forms(found.string) if set(_FIELD.findall(text)) != fields or "%" in _FIELD.sub("", text)
        ]
        problems += [f"other fields than {sorted(fields)}: {text}" for text in wrong]
    assert not problems, "\n".join([RENEW, *problems])


def test_the_catalogue_is_as_the_tool_writes_it() -> None:
    assert catalogue_path("zh-CN").read_bytes() == written("zh-CN"), RENEW


def test_texts_are_found_in_errors_calls_and_the_panel() -> None:
    found = collect()
    for text in (
        "You have not fetched this assignment yet: %(folder)s is not in your home.",  # an error's class
        "Fetched: the assignment is in %(folder)s in your home.",  # said in a terminal
        "Not answered yet.",  # made in a module
        "Running the tests…",  # in the panel
        ("%(count)s receipt", "%(count)s receipts"),  # counted in the panel
    ):
        assert text in found


def test_errors_speak_both_languages() -> None:
    error = FileTooLargeError(name="a.ipynb", limit_mib=32)
    assert load("en").sentence(error).startswith("a.ipynb is larger than the 32 MiB")
    assert load("zh-CN").sentence(error) == "a.ipynb 超过了单个文件 32 MiB 的上限。请清除过大的输出并保存，然后再提交。"
    assert load("fr").language == "en"


def test_the_centres_sentences_are_translated_and_filled_in_here() -> None:
    refused = CentreRefusedError(403, "attempts-spent", AttemptsSpentError.sentence, {"limit": 3})
    assert load("en").sentence(refused) == "You have handed in 3 times, which is all this assignment allows."
    assert load("zh-CN").sentence(refused) == "您已经提交了 3 次，达到了这份作业的上限。"
    unknown = CentreRefusedError(
        418, "new", "Something a newer centre says: %(what)s, 100 % sure, %(gone)s.", {"what": "tea"}
    )
    assert load("zh-CN").sentence(unknown) == "Something a newer centre says: tea, 100 % sure, %(gone)s."
    assert "http-418" in load("zh-CN").sentence(CentreRefusedError(418, "http-418", "", {}))


def test_codes_are_distinct_and_every_error_has_a_sentence_of_its_own() -> None:
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, HandInError)]
    named = [each.code for each in kinds if each is not CentreRefusedError]
    assert len(set(named)) == len(named) > 20
    assert len({each.sentence for each in kinds}) == len(kinds)


@pytest.mark.parametrize(
    ("tag", "language"), [("zh_CN", "zh-CN"), ("zh-TW", "zh-CN"), ("en", "en"), ("fr_FR", "en"), ("", "en")]
)
def test_the_nearest_language_is_spoken(tag: str, language: str) -> None:
    assert nearest(tag) == language

import re
from collections.abc import Iterable

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from hub.cohorts.errors import ThrottledError
from hub.web.catalogues import _written, collect, renewed
from hub.web.i18n import catalogue_path, choose_language, load_translators

RENEW = "run `python -m hub.web.catalogues`, then fill in what is empty in hub/locale/zh_CN/LC_MESSAGES/practicum.po"

_FIELD = re.compile(r"%\((\w+)\)s")


def _texts(message: str | Iterable[str] | None) -> tuple[str, ...]:
    return (message,) if isinstance(message, str) else tuple(message or ())


def test_every_text_has_a_translation_with_the_same_fields() -> None:
    with catalogue_path("zh-CN").open("rb") as file:
        chinese = read_po(file, locale="zh_CN")
    problems = []
    for wanted in collect():
        if not wanted.id:
            continue
        found = chinese.get(_texts(wanted.id)[0])
        if found is None or found.fuzzy or not all(_texts(found.string)) or not found.string:
            problems.append(f"not translated: {wanted.id}")
            continue
        fields = {field for text in _texts(wanted.id) for field in _FIELD.findall(text)}
        problems.extend(
            f"other fields than {sorted(fields)}: {text}"
            for text in _texts(found.string)
            if set(_FIELD.findall(text)) != fields or "%" in _FIELD.sub("", text)
        )
    assert not problems, "\n".join([RENEW, *problems])


def test_the_catalogue_holds_no_text_that_has_vanished() -> None:
    wanted = {_texts(message.id)[0] for message in collect() if message.id}
    with catalogue_path("zh-CN").open("rb") as file:
        gone = [message.id for message in read_po(file) if message.id and _texts(message.id)[0] not in wanted]
    assert not gone, f"{RENEW}\n{gone}"


def test_texts_are_found_in_templates_classes_raises_and_calls() -> None:
    found = {_texts(message.id)[0] for message in collect() if message.id}
    for text in (
        "Sign out everywhere",  # a template
        "About %(count)s minute",  # counted
        "This link has expired. Ask your administrator for a new one.",  # an error's class
        "Your place is booked.",  # marked in a module
    ):
        assert text in found
    assert "a datetime without a time zone" not in found


def test_english_and_chinese_sentences_carry_their_fields() -> None:
    translators = load_translators()
    error = ThrottledError(wait_s=5)
    assert translators["en"].sentence(error).endswith("Wait 5 seconds, then try again.")
    assert translators["zh-CN"].sentence(error) == "此账号登录失败次数过多。请等待 5 秒后再试。"
    assert translators["zh-CN"].ngettext("About %(count)s minute", "About %(count)s minutes", 1) == "约 %(count)s 分钟"
    assert (
        translators["en"].ngettext("About %(count)s minute", "About %(count)s minutes", 0) == "About %(count)s minutes"
    )
    assert translators["zh-CN"].gettext("not in any catalogue") == "not in any catalogue"


@pytest.mark.parametrize(("header", "language"), [
    ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"), ("en-GB,zh;q=0.9", "en"), ("zh-TW", "zh-CN"), ("fr,de;q=0.9,zh;q=0.1", "zh-CN"),
    ("fr", "en"), ("", "en"), ("*;q=x,zh", "zh-CN"), ("en;q=0,zh;q=0", "en"),
])  # fmt: skip
def test_the_best_accepted_language_is_taken(header: str, language: str) -> None:
    assert choose_language(cookie=None, accept_language=header, default="en") == language


def test_the_persons_choice_goes_before_the_browsers() -> None:
    assert choose_language(person="en", cookie="zh-CN", accept_language="zh", default="zh-CN") == "en"
    assert choose_language(cookie="zh-CN", accept_language="en", default="en") == "zh-CN"
    assert choose_language(cookie="xx", accept_language=None, default="zh-CN") == "zh-CN"


@given(st.text(max_size=200))
def test_no_header_breaks_the_choice(header: str) -> None:
    assert choose_language(cookie=header, accept_language=header, default="en") in {"en", "zh-CN"}


def test_renewing_a_catalogue_changes_nothing() -> None:
    # Not written: a centre that another test starts meanwhile would take the touched file for an upgrade.
    assert _written(renewed("zh-CN")) == catalogue_path("zh-CN").read_bytes(), RENEW

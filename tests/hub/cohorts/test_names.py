import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyterhub.auth import Authenticator
from jupyterhub.utils import _strict_dns_safe_encode

from hub.cohorts.errors import DisplayNameInvalidError, NameInvalidError
from hub.cohorts.names import checked_display_name, checked_name, is_name


@pytest.mark.parametrize("name", ["a", "lin.na", "wang-wei", "x_1", "a" * 30, "maria.silva2"])
def test_an_ordinary_name_is_taken_as_it_is(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "...", "a.", ".a", "a..b", "a--b", "a._b", "1a", "Lin", "a/b", "../etc", "a\\b", "a b", "a\n", "a\x00",
     "林娜", "😀", "a" * 31, "a" * 300, "a%2fb", "a'b", "root", "www", "\ud800"],
)  # fmt: skip
def test_anything_else_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(NameInvalidError) as refused:
        checked_name(name)
    assert re.fullmatch(r"[^.]+[^.]*\.", str(refused.value))


@given(st.text(alphabet="ab1._-", max_size=34), st.text(alphabet="ab1._-", max_size=34))
def test_every_name_suits_jupyterhub_and_two_names_never_share_a_host_name(one: str, other: str) -> None:
    for name in filter(is_name, (one, other)):
        assert Authenticator().validate_username(name)
        assert Authenticator().normalize_username(name) == name
    if is_name(one) and is_name(other) and one != other:
        assert _strict_dns_safe_encode(one) != _strict_dns_safe_encode(other)


def test_a_displayed_name_is_composed_and_trimmed() -> None:
    assert checked_display_name("  Le\u0301a   Dupont ") == "Léa Dupont"


@pytest.mark.parametrize("text", ["", "   ", "x" * 101, "a\x00b", "a\u202eb", "\u200b", "\ud800", "a\x1b[31m"])
def test_a_displayed_name_that_cannot_be_seen_is_refused(text: str) -> None:
    with pytest.raises(DisplayNameInvalidError):
        checked_display_name(text)

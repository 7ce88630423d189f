"""A learner's file is read for its cells and texts, or refused in words."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.autograde.errors import UnreadableNotebookError
from grader.autograde.learner_notebook import MAX_CELLS, LearnerCell, read_notebook


def notebook(*cells: Any) -> bytes:
    return json.dumps({"nbformat": 4, "cells": list(cells)}).encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not valid JSON"),
        (b"\xff\xfe\x00", "not text"),
        (b"[" * 100_000, "nested"),
        (b"[]", "no notebook"),
        (b'{"nbformat": 4}', "no list of cells"),
        (b'{"nbformat": 2, "cells": []}', "format"),
        (b'{"cells": []}', "format"),
        (notebook(1), "no cell"),
        (notebook({"source": 7}), "no text"),
        (notebook({"source": ["a", 1]}), "no text"),
        (notebook({"source": "x" * 1_000_001}), "million"),
        (notebook(*[{}] * (MAX_CELLS + 1)), "more than"),
    ],
)
def test_what_is_no_notebook_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(UnreadableNotebookError, match=words):
        read_notebook(data, "weigh.ipynb")


def test_texts_come_as_lists_or_strings_and_claims_are_only_claims() -> None:
    marked = {"cell_type": "code", "source": ["a\n", "b"], "metadata": {"nbgrader": {"grade_id": "x", "points": 99}}}
    assert read_notebook(notebook(marked), "n") == (LearnerCell("code", "a\nb", "x"),)


def test_an_old_notebook_is_read_too() -> None:
    old = {"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": "1+1"}]}]}
    assert read_notebook(json.dumps(old).encode(), "n") == (LearnerCell("code", "1+1"),)


def test_text_that_no_file_can_hold_is_made_holdable() -> None:
    (cell,) = read_notebook(b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "a\\ud800\\u0000b"}]}', "n")
    assert cell.text == "a?�b"
    cell.text.encode("utf-8")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["nbformat", "cells", "source", "metadata", "nbgrader", "grade_id", "cell_type", "outputs", "id"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=2000, deadline=None)
@given(JSON, st.sampled_from([3, 4]))
def test_any_json_is_cells_or_a_sentence(value: Any, version: int) -> None:
    data = json.dumps({"nbformat": version, "cells": value, "worksheets": value}).encode()
    try:
        cells = read_notebook(data, "n")
    except UnreadableNotebookError as exc:
        assert "n cannot be read" in str(exc)  # noqa: PT017 - most examples take neither path alone
        return
    for cell in cells:
        cell.text.encode("utf-8")

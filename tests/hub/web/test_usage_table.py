import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.leases.model import UsageLine
from hub.web.errors import NumberInvalidError
from hub.web.quota_pages import milli
from hub.web.usage_table import By, usage_csv, usage_rows
from tests.hub.web.shares import NOW

LINES = [
    UsageLine("lin.na", "spring", "ACME", "cpu", "cpu.half", 2, 7200, 5_400_000),
    UsageLine("lin.na", "spring", "ACME", "cpu", "cpu.quarter", 1, 3600, 900_000),
    UsageLine("wang.wei", "spring", "", "h100", "h100.whole", 1, 1800, 1_800_000),
]


def test_hours_are_summed_by_learner_cohort_or_organisation_for_each_pool() -> None:
    rows = usage_rows(LINES, By.LEARNER, {"lin.na": "林娜"})
    assert [(row.who, row.pool, row.leases, row.share_h, row.device_h, row.percent) for row in rows] == [
        ("林娜", "cpu", 3, 3.0, 1.75, 100),
        ("wang.wei", "h100", 1, 0.5, 0.5, 29),
    ]
    assert [row.who for row in usage_rows(LINES, By.COHORT, {"spring": "Spring 2026"})] == ["Spring 2026"] * 2
    assert {row.who for row in usage_rows(LINES, By.ORGANISATION, {})} == {"ACME", ""}
    assert usage_rows([], By.LEARNER, {}) == []


def test_the_table_for_spreadsheets_runs_nothing_there() -> None:
    evil = UsageLine("=cmd|' /C calc'!A0", "+c", "@SUM(A1)", "-p", "\tx", 1, 3600, 1_000_000)
    wide = UsageLine("w", "＝1", "＠SUM(A1)", "－p", "＋x", 1, 3600, 1_000_000)
    text = usage_csv([*LINES, evil, wide], {"lin.na": "林娜"}, NOW - timedelta(days=1), NOW).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0][0] == "user name"
    assert len(rows) == 6
    assert {len(row) for row in rows} == {11}
    assert next(row[:6] for row in rows if "cpu.half" in row) == ["lin.na", "林娜", "spring", "ACME", "cpu", "cpu.half"]
    assert not [cell for row in rows for cell in row if cell.startswith((*"=+-@\t＝＋－＠",))]


@pytest.mark.parametrize(
    ("text", "amount"),
    [("", None), ("  ", None), ("2", 2000), ("0.5", 500), ("0,125", 125), ("0", 0), (" 1.5 ", 1500), ("１．５", 1500)],
)
def test_a_limit_is_typed_in_devices(text: str, amount: int | None) -> None:
    assert milli(text) == amount


@pytest.mark.parametrize(
    "text", ["-1", "x", "NaN", "Infinity", "1e999999", "0.0001", "²", "½", "😀", "1 2", "--1", "9" * 19, "0x10", "1_0"]
)
def test_what_is_no_number_of_devices_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(NumberInvalidError, match=r"is not a number of devices"):
        milli(text)


@given(st.text(max_size=30))
def test_no_text_breaks_it(text: str) -> None:
    try:
        amount = milli(text)
    except NumberInvalidError:
        return
    assert amount is None or Decimal(amount) >= 0

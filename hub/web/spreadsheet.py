"""Tables for spreadsheets, which take some texts for formulas and run them. Pure."""

import csv
import io
from collections.abc import Iterable

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""What makes a spreadsheet take a text for a formula; Chinese and Japanese ones take the wide forms as well."""


def as_csv(head: Iterable[str], rows: Iterable[Iterable[object]]) -> bytes:
    """The table in UTF-8 with a byte order mark, without which spreadsheets take Chinese names for something else.

    Texts come out so that none is a formula; numbers as they are.
    """
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(head)
    table.writerows([_plain(value) for value in row] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def _plain(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value

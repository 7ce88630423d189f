"""The lease API's page says what the code does."""

import re
from pathlib import Path

from hub.leases.errors import LeaseError
from tests.docs.lease_api import HEADING, PAGE, openapi, operation_sections

METRICS_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"


def test_every_operation_is_documented_and_no_other() -> None:
    documented = PAGE.read_text(encoding="utf-8").partition(HEADING)[2]
    assert documented.strip() == "\n".join(operation_sections()).strip(), "run python -m tests.docs.reference"


def test_every_failure_of_leases_is_an_answer_of_some_operation() -> None:
    documented = {
        code
        for operations in openapi()["paths"].values()
        for operation in operations.values()
        for answer in operation["responses"].values()
        for code in answer.get("x-codes", ())
    }
    assert {error.code for error in _children(LeaseError)} <= documented


def test_every_metric_is_documented_and_no_other() -> None:
    source = (Path(__file__).parents[2] / "hub" / "web" / "metrics.py").read_text(encoding="utf-8")
    made = set(re.findall(r'"(practicum_[a-z_]+)"', source))
    rows = re.findall(r"^\| `(practicum_[a-z_]+)` \| (\w+)", METRICS_PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert made == {name.removesuffix("_total") if kind == "counter" else name for name, kind in rows}


def _children(kind: type[LeaseError]) -> set[type[LeaseError]]:
    return {child for each in kind.__subclasses__() for child in {each, *_children(each)}}

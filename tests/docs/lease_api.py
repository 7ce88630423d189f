"""The part of docs/reference/lease-api.md that is derived from the code: every operation with its answers and refusals."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from hub.web import lease_api

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "lease-api.md"
HEADING = "## Operations\n"


def openapi() -> dict[str, Any]:
    """The lease API's own part of the OpenAPI document."""
    app = FastAPI()
    app.include_router(lease_api.router)
    app.include_router(lease_api.reads)
    return app.openapi()


def renew() -> None:
    """Bring the page up to the code."""
    intro = PAGE.read_text(encoding="utf-8").partition(HEADING)[0]
    PAGE.write_text(f"{intro}{HEADING}\n" + "\n".join(operation_sections()), encoding="utf-8")


def operation_sections() -> Iterator[str]:
    """One section per operation: what it does, its parameters, its answers."""
    document = openapi()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            shown = path.removeprefix(lease_api.API_PREFIX)
            yield f"### {method.upper()} {shown}\n\n{' '.join(operation['description'].split())}\n"
            given = [*_body(document, operation), *map(_parameter, operation.get("parameters", []))]
            if given:
                yield "\n".join([*given, ""])
            yield "\n".join(["| answer | when |", "|---|---|", *_answers(operation)]) + "\n"


def _body(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[str]:
    body = operation.get("requestBody")
    if body:
        name = body["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[-1]
        schema = document["components"]["schemas"][name]
        for field, facts in schema["properties"].items():
            need = "" if field in schema.get("required", []) else " (optional)"
            yield f"- `{field}`{need}{_colon(facts.get('description', ''))}"


def _parameter(parameter: dict[str, Any]) -> str:
    need = "" if parameter.get("required") else " (optional)"
    return f"- `{parameter['name']}`, in the {parameter['in']}{need}{_colon(parameter.get('description', ''))}"


def _colon(text: str) -> str:
    return f": {text}" if text else ""


def _answers(operation: dict[str, Any]) -> Iterator[str]:
    for status, answer in sorted(operation["responses"].items()):
        if "x-codes" in answer or status < "300":
            yield f"| {status} | {answer['description'].rstrip('.')}. |"

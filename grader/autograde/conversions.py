"""What was converted once, in files that other processes read: then only whoever converts has to load nbgrader.

The files hold hidden tests, so they lie in the private part of the state directory; they can be deleted at any time.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import grader
from grader.autograde.assignment import SourceCell, SourceNotebook


def address_of(*what: object) -> str:
    """A name for a conversion of exactly these sources by exactly this code."""
    return hashlib.sha256(repr((what, _code())).encode("utf-8", "surrogatepass")).hexdigest()


class Conversions:
    """Converted notebooks by their address. Safe between processes: a file is there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, address: str) -> tuple[SourceNotebook, ...] | None:
        """The notebooks, if somebody kept them; a damaged file counts as none."""
        try:
            values = json.loads((self._folder / f"{address}.json").read_text(encoding="utf-8"))
            return tuple(_notebook(each) for each in values)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, address: str, notebooks: tuple[SourceNotebook, ...]) -> None:
        """Let others find them."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        part = self._folder / f"{address}.{os.getpid()}.part"
        values = [_values(each) for each in notebooks]
        part.write_text(json.dumps(values, ensure_ascii=True), encoding="ascii")
        part.replace(self._folder / f"{address}.json")


def _values(notebook: SourceNotebook) -> dict[str, Any]:
    values = asdict(notebook)
    for cell in values["cells"]:
        cell["stubs"], cell["hidden_lines"] = sorted(cell["stubs"]), sorted(cell["hidden_lines"])
    return values


def _notebook(values: Mapping[str, Any]) -> SourceNotebook:
    cells = tuple(
        SourceCell(**{**each, "stubs": frozenset(each["stubs"]), "hidden_lines": frozenset(each["hidden_lines"])})
        for each in values["cells"]
    )
    return SourceNotebook(values["name"], cells, values["kernelspec"])


def _code() -> tuple[tuple[str, int, int], ...]:
    found = []
    for path in sorted(Path(grader.__file__).parent.rglob("*.py")):
        status = path.stat()
        found.append((path.name, status.st_size, status.st_mtime_ns))
    return tuple(found)

"""What an nbgrader_config.py says, read and never run: it is somebody's Python, and importing a course must not execute it."""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HONOURED = {
    "CourseDirectory.course_id": str,
    "IncludeHeaderFooter.header": str,
    "IncludeHeaderFooter.footer": str,
}
"""Settings that are taken over. The others are reported."""


def read_config(path: Path) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Settings that hold plain values, and the names of those that cannot be taken over.

    A missing file is an empty one. Raises `ValueError` for a file that is no Python.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, ()
    except (SyntaxError, UnicodeDecodeError) as exc:
        raise ValueError(f"{path.name} is not valid Python") from exc
    settings: dict[str, Any] = {}
    left: list[str] = []
    for node in tree.body:
        name = _setting(node)
        if name is None:
            continue
        assert isinstance(node, ast.Assign)
        try:
            value = ast.literal_eval(node.value)
        except ValueError:
            left.append(name)
            continue
        if name in HONOURED and isinstance(value, HONOURED[name]):
            settings[name] = value
        else:
            left.append(name)
    return settings, tuple(left)


def _setting(node: ast.stmt) -> str | None:
    """`Class.trait` for a statement of the form `c.Class.trait = …`."""
    if not isinstance(node, ast.Assign) or len(node.targets) != 1:
        return None
    target = node.targets[0]
    if not (isinstance(target, ast.Attribute) and isinstance(target.value, ast.Attribute)):
        return None
    root = target.value.value
    return f"{target.value.attr}.{target.attr}" if isinstance(root, ast.Name) and root.id == "c" else None

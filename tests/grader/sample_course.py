"""A course of one small lesson in two languages, made on disk: the least that everything in a release happens to."""

import hashlib
from pathlib import Path
from typing import Any

import nbformat
import yaml

from grader.assignments.course import Course, load_course
from grader.assignments.translation import fingerprint

DATA = b"bird,mass_g\n1,3750\n"
PROSE = "# Weigh the bird\n\nOne *gram* at a time."


def notebook() -> Any:
    nb = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    )
    nb.cells = [
        nbformat.v4.new_markdown_cell(PROSE, id="title"),
        _code(
            "heavier",
            '''def heavier(a, b):
    """Return the heavier one."""
    ### BEGIN SOLUTION
    return max(a, b)  # the secret
    ### END SOLUTION''',
            solution=True,
        ),
        _code(
            "test-heavier",
            """# Two birds.
assert heavier(1, 2) == 2, "Two is heavier. Look again."
### BEGIN HIDDEN TESTS
assert heavier(7, 3) == 7
### END HIDDEN TESTS""",
            grade=True,
            locked=True,
            points=2,
        ),
        _marked(
            nbformat.v4.new_markdown_cell("### BEGIN SOLUTION\nThe model answer.\n### END SOLUTION", id="why"),
            grade=True,
            solution=True,
            points=1,
        ),
    ]
    nb.cells[2].outputs = [nbformat.v4.new_output("stream", name="stdout", text="left over")]
    nb.cells[2].execution_count = 3
    nb.nbformat_minor = 5
    return nb


def make_course(root: Path) -> Course:
    folder = root / "birds"
    source = folder / "source" / "weigh"
    source.mkdir(parents=True)
    nbformat.write(notebook(), source / "weigh.ipynb")
    (source / "birds.csv").write_bytes(DATA)
    (folder / "course.yaml").write_text(yaml.safe_dump(described(), allow_unicode=True), encoding="utf-8")
    words = folder / "i18n" / "zh-CN"
    words.mkdir(parents=True)
    (words / "weigh.md").write_text(
        f"<!-- cell title {fingerprint(PROSE)} -->\n\n# 称鸟\n\n一次一**克**。\n", encoding="utf-8"
    )
    (words / "weigh.yaml").write_text(yaml.safe_dump(sentences(), allow_unicode=True), encoding="utf-8")
    return load_course(folder)


def sentences() -> list[dict[str, str]]:
    pairs = {
        "# YOUR CODE HERE": "# 在这里写代码",
        "YOUR ANSWER HERE": "在这里回答",
        "Return the heavier one.": "返回较重的一个。",
        "# Two birds.": "# 两只鸟。",
        "Two is heavier. Look again.": "2 更重，再看看“大小”。",
    }
    return [{"en": english, "zh-CN": chinese} for english, chinese in pairs.items()]


def described() -> dict[str, Any]:
    def both(text: str) -> dict[str, str]:
        return {"en": text, "zh-CN": text}

    return {
        "name": "birds",
        "title": both("Birds"),
        "summary": both("Weigh them."),
        "standard": "4-04-05-05",
        "assignments": [
            {
                "name": "weigh",
                "title": both("Weigh"),
                "summary": both("One bird."),
                "minutes": 5,
                "outcomes": [
                    {"id": "compare", "text": both("Compare."), "standard": ["L5"], "measured_by": ["test-heavier"]}
                ],
                "data": [
                    {
                        "file": "birds.csv",
                        "title": both("Birds"),
                        "licence": "CC0-1.0",
                        "licence_url": "https://creativecommons.org/publicdomain/zero/1.0/",
                        "source": "made up",
                        "citation": "none",
                        "sha256": hashlib.sha256(DATA).hexdigest(),
                        "rows": 1,
                        "columns": 2,
                    }
                ],
            }
        ],
    }


def _code(id_: str, text: str, **grading: Any) -> Any:
    return _marked(nbformat.v4.new_code_cell(text, id=id_), **grading)


def _marked(cell: Any, **grading: Any) -> Any:
    cell.metadata["nbgrader"] = {
        "grade_id": cell.id,
        "schema_version": 3,
        "grade": False,
        "solution": False,
        "locked": False,
        "task": False,
        **grading,
    }
    return cell

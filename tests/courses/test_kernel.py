"""quality-audit in a real kernel, scored by nbgrader: what only IPython and nbgrader can show."""

import ast
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.preprocessors import Execute
from nbgrader.utils import determine_grade
from nbgrader.validator import Validator
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

import courses.kit
from grader.assignments.release import lesson_content
from tests.courses.lesson import ASSIGNMENT, COURSE, source, with_answers
from tests.courses.test_quality_audit import CONSTANTS, HIDDEN, VISIBLE

CONFIG_DIR = Path(courses.kit.__file__).parent / "jupyter"


@pytest.fixture
def config(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The configuration that learners' servers give nbgrader. Socket paths over about 100 characters do not work."""
    runtime = tmp_path_factory.mktemp("rt")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("IPYTHONDIR", str(runtime / "ipython"))
    return PyFileConfigLoader("nbgrader_config.py", path=str(CONFIG_DIR)).load_config()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A learner's copy of the released lesson."""
    for inside, data in lesson_content(COURSE, ASSIGNMENT, "en").items():
        (tmp_path / inside).write_bytes(data)
    return tmp_path


def graded(notebook: Any, folder: Path, config: Config) -> dict[str, float]:
    Execute(config=config).preprocess(notebook, {"metadata": {"path": str(folder)}})
    cells = [cell for cell in notebook.cells if cell.id in VISIBLE | HIDDEN]
    return {cell.id: determine_grade(cell)[0] for cell in cells}


def test_nbgrader_reads_full_points_from_the_model_solution_although_it_writes_to_standard_error(
    folder: Path, config: Config
) -> None:
    model = {cell.id: cell.source for cell in source().cells}
    noisy = model["typed"].replace(
        "    ### BEGIN SOLUTION",
        "    import os, warnings\n    os.write(2, b'noise')\n    warnings.warn('noise')\n    ### BEGIN SOLUTION",
    )
    assert graded(with_answers(source(), {"typed": noisy}), folder, config) == VISIBLE | HIDDEN


TRANSFORMERS = {
    "asserts deleted": "def visit_Assert(self, node): return ast.Pass()",
    "checks deleted": """
    def visit_Expr(self, node):
        return ast.Pass() if isinstance(node.value, ast.Call) and ast.unparse(node).startswith('tests.') else node""",
    "checks made true": """
    def visit_Call(self, node):
        if ast.unparse(node.func) == 'tests.check': node.args[0] = ast.Constant(True)
        return node""",
}


@pytest.mark.parametrize("trick", TRANSFORMERS)
def test_code_that_rewrites_the_visible_tests_earns_no_hidden_point(trick: str, folder: Path, config: Config) -> None:
    cheat = f"import ast\nclass Cheat(ast.NodeTransformer):\n    {TRANSFORMERS[trick].strip()}\nget_ipython().ast_transformers.append(Cheat())\n"
    assert ast.parse(cheat)
    points = graded(with_answers(source(), CONSTANTS | {"typed": cheat + CONSTANTS["typed"]}), folder, config)
    assert {cell: points[cell] for cell in HIDDEN} == dict.fromkeys(HIDDEN, 0)


def test_validate_says_what_is_not_written_yet_and_leaves_no_trace_in_the_folder(folder: Path, config: Config) -> None:
    before = sorted(folder.iterdir())
    results = Validator(config=config).validate(str(folder / ASSIGNMENT.notebook))
    assert [failed["raw_error"].split(" ")[0] for failed in results["failed"]] == [
        "`typed`",
        "`KEY`",
        "`missing_by`",
        "`draw`",
        "`CONTRACT`",
        "You",  # did not provide a response: the written part
    ]
    assert sorted(folder.iterdir()) == before


def test_validate_is_content_with_right_answers_and_notices_changed_tests(folder: Path, config: Config) -> None:
    path = folder / ASSIGNMENT.notebook
    answers = {cell.id: cell.source for cell in source().cells if cell.metadata.get("nbgrader", {}).get("solution")}
    solved = with_answers(nbformat.read(path, as_version=4), answers)
    nbformat.write(solved, path)
    assert Validator(config=config).validate(str(path)) == {}
    solved = with_answers(solved, {"test-typed": "lesson.tests(2)"})
    nbformat.write(solved, path)
    assert [changed["source"] for changed in Validator(config=config).validate(str(path))["changed"]] == [
        "lesson.tests(2)"
    ]


def test_kernels_of_validate_listen_on_no_port(config: Config) -> None:
    assert config.KernelManager.transport == "ipc"
    assert Path(config.KernelManager.ip).is_absolute()

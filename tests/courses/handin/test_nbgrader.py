"""nbgrader's own commands and its Assignment List, in a learner's environment, over the centre."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange import ExchangeError, ExchangeFactory
from traitlets.config.loader import PyFileConfigLoader

from courses.kit.handin import nbgrader_exchange as exchange
from tests.courses.handin.conftest import audit, notebook
from tests.courses.handin.grader_double import GraderDouble, grader_double
from tests.courses.handin.lab_server import CONFIG, LabServer, environment, lab_server

Nbgrader = Callable[..., "subprocess.CompletedProcess[str]"]

FOLDER = "data-processing/quality-audit"


@pytest.fixture
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rt")


@pytest.fixture
def nbgrader(home: Path, runtime: Path, double: GraderDouble) -> Nbgrader:
    """Runs one nbgrader command as a learner does in a terminal, in some folder of the home."""

    def run(*command: str, language: str = "en", url: str | None = double.url) -> "subprocess.CompletedProcess[str]":
        elsewhere = home / "some" / "where"
        elsewhere.mkdir(parents=True, exist_ok=True)
        return subprocess.run(
            (str(Path(sys.executable).parent / "nbgrader"), *command),
            cwd=elsewhere,
            env=environment(home, runtime, url, language),
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch, home: Path, double: GraderDouble) -> None:
    """The same, faster: nbgrader's import takes longer than everything it does."""
    for name, value in environment(home, home, double.url).items():
        monkeypatch.setenv(name, value)


def plugin(kind: Any, assignment: str = "", course: str = "", **options: bool) -> Any:
    coursedir = CourseDirectory(course_id=course, assignment_id=assignment)
    return kind(coursedir=coursedir, **options)


@pytest.mark.usefixtures("in_process")
def test_a_learner_lists_fetches_submits_and_reads_feedback_in_a_terminal(
    nbgrader: Nbgrader, home: Path, double: GraderDouble
) -> None:
    [released] = plugin(exchange.List).start()
    assert (released["assignment_id"], released["status"]) == ("quality-audit", "released")
    fetched = nbgrader("fetch_assignment", "quality-audit")
    assert fetched.returncode == 0, fetched.stderr
    assert f"Fetched: the assignment is in {FOLDER} in your home." in fetched.stderr
    (home / FOLDER / "quality-audit.ipynb").write_bytes(notebook("answer = 42"))
    refused = nbgrader("submit", "nothing", language="zh-CN")
    assert refused.returncode != 0
    assert "您的课程中没有作业 nothing。" in refused.stderr
    assert "Traceback" not in refused.stderr
    submitted = nbgrader("submit", "quality-audit", "--course", "data-processing")
    assert submitted.returncode == 0, submitted.stderr
    [receipt] = double.listing()[0]["receipts"]
    assert f"Receipt 1: {FOLDER}" in submitted.stderr
    assert receipt["sha256"] in submitted.stderr
    double.lessons["data-processing", "quality-audit"].feedback[receipt["id"]] = "<p>Well done.</p>"
    plugin(exchange.FetchFeedback, "quality-audit").start()
    [page] = (home / FOLDER / "feedback").rglob("*.html")
    assert page.read_text() == "<p>Well done.</p>"


@pytest.mark.usefixtures("in_process")
def test_every_refusal_is_nbgraders_own_error_with_our_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin(exchange.FetchAssignment, FOLDER).start()
    for made, sentence in (
        (plugin(exchange.FetchAssignment, "quality-audit"), f"You already have this assignment in {FOLDER}."),
        (plugin(exchange.Submit, "nothing"), "There is no assignment nothing in your courses."),
        (plugin(exchange.Submit, "quality-audit", "another"), "There is no assignment quality-audit in your courses."),
        (plugin(exchange.ReleaseAssignment, "quality-audit"), "done on the centre's page for instructors."),
        (plugin(exchange.ReleaseFeedback, "quality-audit"), "done on the centre's page for instructors."),
        (plugin(exchange.Collect, "quality-audit"), "done on the centre's page for instructors."),
        (plugin(exchange.List, remove=True), "it cannot be removed from here"),
    ):
        with pytest.raises(ExchangeError, match=re.escape(sentence)):
            made.start()
    monkeypatch.delenv("PRACTICUM_GRADER_URL")
    with pytest.raises(ExchangeError, match="does not belong to a centre"):
        plugin(exchange.List).start()


@pytest.mark.usefixtures("in_process")
def test_replace_keeps_the_older_folder(home: Path) -> None:
    plugin(exchange.FetchAssignment, "quality-audit").start()
    (home / FOLDER / "quality-audit.ipynb").write_text("work")
    plugin(exchange.FetchAssignment, "quality-audit", replace_missing_files=True).start()
    [kept] = (home / "data-processing").glob("quality-audit.kept-*")
    assert (kept / "quality-audit.ipynb").read_text() == "work"


def test_the_configuration_names_every_part_of_nbgraders_factory() -> None:
    config = PyFileConfigLoader("nbgrader_config.py", path=str(CONFIG)).load_config()
    factory = ExchangeFactory(config=config)
    for part in ExchangeFactory.class_trait_names(config=True):
        assert getattr(factory, part).__module__ == "courses.kit.handin.nbgrader_exchange", part


@pytest.fixture
def operators_choice(tmp_path: Path, home: Path, runtime: Path) -> Iterator[tuple[LabServer, GraderDouble]]:
    """A server whose operator put the folder that switches the Assignment List on before the usual configuration."""
    (tmp_path / "centre").mkdir()
    path = f"{CONFIG / 'assignment-list'}:{CONFIG}"
    with (
        grader_double(tmp_path / "centre", [audit()]) as double,
        lab_server(home, runtime, double.url, JUPYTER_CONFIG_PATH=path) as server,
    ):
        server.http.base_url = server.url
        yield server, double


def test_the_assignment_list_works_where_the_operator_switches_it_on(
    operators_choice: tuple[LabServer, GraderDouble], home: Path
) -> None:
    server, double = operators_choice
    found = re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', server.http.get("lab").text, re.DOTALL)
    assert found is not None
    disabled = json.loads(found[1])["disabledExtensions"]
    assert "@jupyter/nbgrader:assignment-list" not in disabled
    assert "@jupyter/nbgrader:formgrader" in disabled
    assert server.http.get("courses").json() == {"success": True, "value": ["data-processing"]}
    data = {"course_id": "data-processing", "assignment_id": "quality-audit"}

    def act(action: str) -> list[dict[str, Any]]:
        answer = server.http.post(f"assignments/{action}", json=data).json()
        assert answer["success"], answer
        return list(answer["value"])

    [released] = server.http.get("assignments", params=data).json()["value"]
    assert released["status"] == "released"
    [fetched] = act("fetch")
    assert (fetched["status"], fetched["path"]) == ("fetched", FOLDER)
    assert (home / FOLDER / "quality-audit.ipynb").is_file()
    _, submitted = act("submit")
    [submission] = submitted["submissions"]
    assert submission["has_exchange_feedback"] is False
    [receipt] = double.listing()[0]["receipts"]
    double.lessons["data-processing", "quality-audit"].feedback[receipt["id"]] = "<p>Well done.</p>"
    _, submitted = act("fetch_feedback")
    [submission] = submitted["submissions"]
    folder = home / str(submission["local_feedback_path"])
    assert (folder / "feedback.html").read_text() == "<p>Well done.</p>"

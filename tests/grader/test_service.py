"""The grader as the supervisor runs it: a process that answers, ends when told to, and says in one line why it cannot start."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from grader.grading import open_grading
from grader.migrations import VERSION_TABLE
from hub.addresses import load_or_choose_addresses
from hub.secrets import load_or_create_secrets
from hub.state import StateDir


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    made = StateDir(tmp_path / "state")
    made.prepare()
    return made


def start(state: StateDir, module: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-I", "-m", module, "--state-dir", str(state.root)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def service(state: StateDir) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A running service and its address."""
    url = load_or_choose_addresses(state.addresses_file).grader_url
    process = start(state, "grader.wiring")
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/services/grader/health").status_code == 200:
                break
        time.sleep(0.05)
    yield process, url
    process.kill()
    process.communicate()


def test_it_answers_and_ends_quietly_when_told_to(service: tuple["subprocess.Popen[str]", str]) -> None:
    process, url = service
    assert httpx.get(f"{url}/services/grader/api/v1/assignments").json()["code"] == "token-invalid"
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "Traceback" not in said


def test_without_a_hub_a_token_is_a_matter_of_trying_again(service: tuple["subprocess.Popen[str]", str]) -> None:
    _, url = service
    answer = httpx.get(f"{url}/services/grader/api/v1/assignments", headers={"authorization": "token x"}, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (503, "hub-unreachable")


def test_the_service_never_loads_nbgrader(service: tuple["subprocess.Popen[str]", str]) -> None:
    process, url = service
    assert httpx.get(f"{url}/services/grader/").status_code == 403
    mapped = Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8")
    assert "zmq" not in mapped  # nbgrader brings Jupyter's kernels along
    assert "pandas" not in mapped


def test_its_secrets_are_in_no_argument_and_no_log(
    service: tuple["subprocess.Popen[str]", str], state: StateDir
) -> None:
    process, _ = service
    secrets = load_or_create_secrets(state.secrets_file)
    process.send_signal(signal.SIGTERM)
    command = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
    _, said = process.communicate(timeout=10)
    for secret in (secrets.grader_token, secrets.grader_hub_token):
        assert secret not in command + said


@pytest.mark.parametrize("module", ["grader.wiring", "grader.worker"])
def test_what_it_cannot_start_with_is_one_line(state: StateDir, module: str) -> None:
    grading = open_grading(state)
    with grading.database.writing() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = 'g9999'"))
    grading.close()
    process = start(state, module)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert said.strip().splitlines()[-1].startswith("The grader's database was written by a newer Practicum")
    assert "Traceback" not in said


def test_a_setting_that_is_no_database_is_one_line(state: StateDir) -> None:
    state.settings_file.write_text("database:\n  grader_url: nonsense\n", encoding="utf-8")
    process = start(state, "grader.wiring")
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "database URL" in said
    assert "Traceback" not in said


def test_an_unknown_time_zone_is_one_line(state: StateDir) -> None:
    state.settings_file.write_text("time_zone: Asia/Atlantis\n", encoding="utf-8")
    process = start(state, "grader.wiring")
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "time_zone" in said
    assert "is no time zone" in said


def run(state: StateDir, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", "-m", "grader.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]})


def test_an_assignment_is_offered_from_the_terminal_once(state: StateDir) -> None:
    state.settings_file.write_text("time_zone: Asia/Shanghai\n", encoding="utf-8")
    arguments = ("offer", "--state-dir", str(state.root), "--due-in-days", "14", "data-processing", "quality-audit")
    assert run(state, *arguments).stdout == "released data-processing/quality-audit\n"
    assert run(state, *arguments).stdout == "unchanged data-processing/quality-audit\n"
    grading = open_grading(state)
    offer = grading.offers.find("data-processing", "quality-audit")
    grading.close()
    assert offer is not None
    assert offer.terms.due_at is not None
    assert offer.terms.due_at.strftime("%H:%M:%S") == "15:59:00"  # 23:59 in Shanghai


def test_a_course_is_imported_and_exported_from_the_terminal(state: StateDir, tmp_path: Path) -> None:
    from tests.grader.sample_course import make_course

    old = make_course(tmp_path / "elsewhere").root
    taken = run(state, "import", "--state-dir", str(state.root), "--name", "fish", str(old))
    assert taken.stdout.startswith("fish: weigh; 0 hand-ins; 0 marks given by hand")
    again = run(state, "import", "--state-dir", str(state.root), "--name", "fish", str(old))
    assert (again.returncode, again.stderr) == (1, "There is a course fish already. Import under another name.\n")
    made = run(state, "lesson", "--state-dir", str(state.root), "fish", "weigh")
    assert made.returncode == 0, made.stderr
    lesson = json.loads((state.courses / "fish/release/en/weigh/weigh.ipynb").read_text(encoding="utf-8"))
    assert "the secret" not in json.dumps(lesson)
    nothing = run(state, "lesson", "--state-dir", str(state.root), "fish", "sing")
    assert (nothing.returncode, "Traceback" in nothing.stderr) == (1, False)
    given = run(state, "export", "--state-dir", str(state.root), "fish", str(tmp_path / "given"))
    assert given.returncode == 0, given.stderr
    assert (tmp_path / "given/source/weigh/weigh.ipynb").is_file()

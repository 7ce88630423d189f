"""However a learner's server ends, the home page says so, nothing of it is left, and a new one starts."""

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import websocket

from tests import processes
from tests.centre import Centre, running_centre
from tests.visitor import Notebook, Visitor
from tests.waiting import until

pytestmark = pytest.mark.timeout(300)

NAME = "lin.na"
SAID_WITHIN_S = 12.0
"""JupyterLab is given 10 s to end when only its keeper was killed; every other end is said within a second or two."""

MEMORY_MIB = 768
EATS_MEMORY = "hog = []\nwhile True: hog.append(b'x' * 50_000_000)"


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    state_dir = tmp_path_factory.mktemp("ends") / "state"
    state_dir.mkdir()
    (state_dir / "settings.yaml").write_text(f"sandbox: {{memory_mib: {MEMORY_MIB}}}\n")
    with running_centre(state_dir) as centre:
        yield centre


@pytest.fixture(scope="module")
def learner(centre: Centre) -> Iterator[Visitor]:
    visitor = Visitor(centre.url)
    visitor.redeem(centre.invitations[NAME])
    visitor.sign_in(NAME)
    yield visitor
    visitor.close()


def said(learner: Visitor) -> str:
    """The state of the server in the words of the home page's markup."""
    page = learner.http.get("/services/practicum/")
    found = re.search(r'class="state (\w+)"', page.text)
    assert found, f"{page.status_code} {page.url} says nothing about the server:\n{page.text}"
    return found[1]


def until_said(learner: Visitor, *states: str, timeout_s: float = SAID_WITHIN_S) -> str:
    until(lambda: said(learner) in states, timeout_s)
    return said(learner)


def left_of_the_server(centre: Centre) -> list[str]:
    """Processes whose mounts show the learner's home: the sandbox, whatever became of its keeper."""
    home = str(centre.state_dir / "homes" / NAME).encode()
    tables = ((path, _mounts(path)) for path in Path("/proc").glob("[0-9]*/mountinfo"))
    return [str(path.parent) for path, table in tables if home in table]


def _mounts(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def starts_and_works(centre: Centre, learner: Visitor) -> None:
    learner.start_server(NAME)
    assert said(learner) == "running"
    notebook = Notebook(centre.url, NAME, learner.server_token(NAME))
    try:
        assert notebook.run("print(6 * 7)") == "42"
    finally:
        notebook.close()


VICTIMS: dict[str, Callable[[processes.ServerProcesses], int]] = {
    "keeper": lambda server: server.keeper,
    "bubblewrap": lambda server: server.bubblewrap,
    "init": lambda server: server.init,
    "JupyterLab": lambda server: processes.children(server.init)[0],
}


def test_a_killed_server_is_said_to_be_stopped_and_starts_anew(centre: Centre, learner: Visitor) -> None:
    for victim, pid_of in VICTIMS.items():
        learner.start_server(NAME)
        assert said(learner) == "running"
        os.kill(pid_of(processes.servers(centre.state_dir)[NAME]), signal.SIGKILL)
        until_said(learner, "stopped")
        assert left_of_the_server(centre) == [], f"after the end of {victim}"
    starts_and_works(centre, learner)


def test_used_up_memory_ends_what_used_it_and_the_page_says_what_is_left(centre: Centre, learner: Visitor) -> None:
    if said(learner) != "running":
        learner.start_server(NAME)
    with contextlib.closing(Notebook(centre.url, NAME, learner.server_token(NAME))) as notebook:
        # Where only single processes can be limited the kernel gets a MemoryError; where the whole server can, its end.
        with contextlib.suppress(websocket.WebSocketException, OSError):
            assert "MemoryError" in notebook.run(EATS_MEMORY, timeout_s=8)
        time.sleep(1)
        if said(learner) == "running":
            assert notebook.http.get("/api/status").status_code == 200
            notebook.kernel_id = ""
            assert notebook.run("print('on')") == "on"
        else:
            until_said(learner, "stopped")
            assert left_of_the_server(centre) == []
            starts_and_works(centre, learner)


@pytest.mark.parametrize(
    "delay_s",
    [0.3, *(pytest.param(step / 10, marks=pytest.mark.all) for step in range(0, 50, 2))],
)
def test_a_hub_killed_during_a_start_leaves_one_server_or_none(
    centre: Centre, learner: Visitor, delay_s: float
) -> None:
    if said(learner) == "running":
        learner.stop_server(NAME)
    learner.submit(learner.http.get("/services/practicum/"), "/server/start")
    time.sleep(delay_s)
    for pid in processes.parts(centre.state_dir)["jupyterhub"]:
        os.kill(pid, signal.SIGKILL)
    centre.wait_until_whole()
    state = until_said(learner, "running", "stopped", timeout_s=30)
    keepers = processes.keepers(centre.state_dir)
    assert len(keepers) == (state == "running"), f"{state}, but {keepers}"
    if state == "stopped":
        assert left_of_the_server(centre) == []
        learner.start_server(NAME)
    assert list(processes.servers(centre.state_dir)) == [NAME]
    with contextlib.closing(Notebook(centre.url, NAME, learner.server_token(NAME))) as notebook:
        # A server found again after a restart is called ready a moment before JupyterHub gives the proxy its route.
        until(lambda: notebook.http.get("/api").status_code == 200, timeout_s=5)
        assert notebook.run("print(6 * 7)") == "42"
    learner.stop_server(NAME)
    assert processes.keepers(centre.state_dir) == []
    assert left_of_the_server(centre) == []

"""Cells run in a real sandbox; whatever they do there is an outcome, and nothing of it is left."""

import os
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from grader.autograde.containment import Sandboxed
from grader.autograde.run import CellOutcome, CellToRun, End, RunLimits, Session
from hub.sandbox.running import RunningSandbox

LIMITS = RunLimits(cell_s=3, total_s=30, memory_mib=400, processes=40, tmp_mib=16, file_mib=8)
TEST = "0.5"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "lesson"
    folder.mkdir()
    (folder / "data.csv").write_text("a,b\n1,2\n")
    (folder / "more").mkdir()
    (folder / "more" / "x.txt").write_text("x")
    return folder


@pytest.fixture
def session(files: Path) -> Iterator[Session]:
    with Session(Sandboxed(LIMITS), files, ["data.csv", "more"], LIMITS) as opened:
        yield opened


def learner(session: Session, source: str) -> CellOutcome:
    return session.run(CellToRun(source, is_test=False))


def graded(session: Session, source: str) -> CellOutcome:
    return session.run(CellToRun(source, is_test=True))


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("x + 0.5", 1.5),
        ("x = 0.5", None),
        ("0.25;", None),
        ("None", None),
        ("True", None),
        ("'0.5'", None),
        ("[0.5]", None),
        ("print(0.5)", None),
        ("import numpy as np\nnp.float64(0.25)", 0.25),
        ("import numpy as np\nnp.int64(1)", 1.0),
        ("1", 1.0),
        ("10**400", float("inf")),
        ("float('nan') if False else -1", -1.0),
        ("import asyncio\nawait asyncio.sleep(0)\n0.75", 0.75),
        ("%timeit -n1 -r1 -q pass\n0.5", 0.5),
        ("import sys\nprint('noise', file=sys.stderr)\n0.5", 0.5),
        ("import warnings\nwarnings.warn('careful')", None),
    ],
)
def test_the_value_of_a_test_is_what_nbgrader_would_read(session: Session, source: str, value: float | None) -> None:
    assert learner(session, "x = 1").end is End.OK
    found = graded(session, source)
    assert (found.end, found.value) == (End.OK, value)


def test_errors_are_told_with_type_sentence_and_line(session: Session) -> None:
    found = graded(session, "x = 1\nassert x == 2, 'x is not two.'")
    assert (found.end, found.error_type, found.message, found.line) == (End.ERROR, "AssertionError", "x is not two.", 2)
    assert graded(session, "x = (").error_type == "SyntaxError"
    assert graded(session, "import sys; sys.exit(0)").error_type == "SystemExit"
    deeper = graded(session, "def f():\n    raise KeyError('k')\n\nf()")
    assert (deeper.line, deeper.error_is_builtin) == (4, True)


def test_after_an_error_the_next_cell_runs(session: Session) -> None:
    assert learner(session, "1/0").end is End.ERROR
    assert graded(session, TEST).value == 0.5


def test_magics_figures_and_input_are_those_of_a_notebook(session: Session) -> None:
    plot = "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"
    assert learner(session, plot).end is End.OK
    assert learner(session, "!echo hello").end is End.OK
    assert learner(session, "input('name?')").end is End.ERROR
    assert graded(session, TEST).value == 0.5


def test_the_kit_is_there(session: Session) -> None:
    source = "from courses.kit.grading import Lesson\ntests = Lesson().tests(worth=2)\ntests.case(lambda: True)\ntests.earned"
    assert graded(session, source).value == 2.0


def test_an_endless_cell_ends_and_the_next_one_runs(session: Session) -> None:
    assert learner(session, "while True: pass").end is End.TIMEOUT
    assert graded(session, TEST).value == 0.5


def test_a_cell_that_refuses_to_end_is_ended(files: Path) -> None:
    stubborn = "import time\nwhile True:\n    try:\n        time.sleep(1)\n    except BaseException:\n        pass"
    with Session(Sandboxed(LIMITS), files, [], LIMITS) as session:
        assert learner(session, stubborn).end is End.TIMEOUT
        assert graded(session, TEST).end is End.NOT_RUN


def test_the_submissions_whole_time_is_limited(files: Path) -> None:
    limits = RunLimits(cell_s=2, total_s=3)
    with Session(Sandboxed(limits), files, [], limits) as session:
        ends = [learner(session, "import time\ntime.sleep(1.5)").end for _ in range(3)]
    assert ends == [End.OK, End.TIMEOUT, End.TIMEOUT]


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos._exit(0)",
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
        "import ctypes\nctypes.string_at(0)",
        "x = bytearray(10**9)",
        "import os\nwhile True: os.fork()",
    ],
)
def test_a_dead_process_gives_no_points(files: Path, source: str) -> None:
    with Session(Sandboxed(LIMITS), files, [], LIMITS) as session:
        found = learner(session, source)
        after = graded(session, TEST)
    if found.end is not End.OK:  # a fork bomb may leave the first process alive
        assert found.end in {End.DEAD, End.ERROR, End.TIMEOUT}
    if found.end is End.DEAD:
        assert after.end is End.NOT_RUN


def test_memory_is_named_where_it_ran_out(files: Path) -> None:
    with Session(Sandboxed(LIMITS), files, [], LIMITS) as session:
        found = learner(session, "x = [bytearray(10**7) for _ in range(200)]")
        held = session.running
    assert found.end in {End.DEAD, End.ERROR}
    assert isinstance(held, RunningSandbox)
    if any("cgroup" in each for each in held.held_limits):
        assert session.memory_ran_out


def test_a_flood_of_output_is_cut(session: Session) -> None:
    found = learner(session, "print('x' * 10**8)")
    assert found.end is End.OK
    assert (len(found.printed), found.dropped) == (16_000, 10**8 + 1 - 16_000)


def test_the_disk_is_limited(session: Session) -> None:
    assert learner(session, "open('/tmp/big', 'wb').write(bytes(10**8))").error_type == "OSError"
    assert graded(session, TEST).value == 0.5


ATTEMPTS = {
    "network": "import socket\nsocket.create_connection(('127.0.0.1', 22), 1)",
    "name server": "import socket\nsocket.getaddrinfo('example.org', 80)",
    "the door again": "import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect('/opt/practicum/door')",
    "the lesson's data": "open('data.csv', 'w')",
    "a folder of the lesson": "open('more/y.txt', 'w')",
    "the runner": "open('/opt/practicum/runner.py', 'a')",
    "the grader's code": "import grader.notebook",
    "the hub's code": "import hub.settings",
    "sources of courses": "open('{repository}/courses/data-processing/course.yaml')",
    "another home": "open('/root/.bashrc')",
    "processes outside": "import os\nos.kill(os.getppid() if os.getppid() > 1 else {pid}, 0)",
    "mount": "import ctypes\nassert ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0",
    "a namespace": "import os\nos.unshare(os.CLONE_NEWUSER) if hasattr(os, 'unshare') else 1/0",
}


@pytest.mark.parametrize("what", ATTEMPTS)
def test_what_is_out_of_reach(session: Session, what: str) -> None:
    source = ATTEMPTS[what].replace("{pid}", str(os.getpid()))
    source = source.replace("{repository}", str(Path(__file__).resolve().parents[3]))
    assert learner(session, source).end is End.ERROR


def test_no_variable_of_the_worker_is_inherited(session: Session) -> None:
    assert "PRACTICUM" not in learner(session, "import os\nprint(os.environ)").printed


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRACTICUM_TEST_SECRET", "hidden")


def test_data_is_put_back_before_every_test(session: Session) -> None:
    assert learner(session, "import os\nos.remove('data.csv')\nopen('data.csv', 'w').write('mine')").end is End.OK
    assert graded(session, "assert open('data.csv').read() == 'a,b\\n1,2\\n'").end is End.OK
    assert learner(session, "import os\nos.remove('data.csv')\nos.mkdir('data.csv')").end is End.OK
    assert graded(session, "assert open('data.csv').read() == 'a,b\\n1,2\\n'").end is End.OK


@pytest.mark.parametrize(
    "attack",
    [
        "import ast\nclass T(ast.NodeTransformer):\n    def visit_Assert(self, node): return ast.Pass()\n"
        "get_ipython().ast_transformers.append(T())",
        "get_ipython().input_transformers_cleanup.append(lambda lines: ['pass'])",
        "type(get_ipython()).run_cell = lambda *a, **k: None",
        "import builtins\nbuiltins.compile = lambda *a, **k: (lambda: None).__code__",
        "import builtins\nbuiltins.AssertionError = type('AssertionError', (), {})",
        "import sys\ndef skip(frame, event, arg):\n    return skip\nsys.settrace(skip)",
    ],
)
def test_known_ways_to_make_asserts_vanish_do_not_reach_a_test(session: Session, attack: str) -> None:
    learner(session, attack)
    assert graded(session, "assert False, 'seen'").message == "seen"


def test_nothing_is_left_of_a_session(files: Path) -> None:
    with Session(Sandboxed(LIMITS), files, [], LIMITS) as session:
        learner(session, "import subprocess\nsubprocess.Popen(['sleep', '600'], start_new_session=True)")
        running = session.running
    assert isinstance(running, RunningSandbox)
    assert not running.is_alive()


class Liar:
    """A place whose runner says what it likes."""

    def __init__(self, *replies: bytes) -> None:
        self._replies = replies

    def start(self, door: Path, files: Path) -> "Liar":
        self._thread = threading.Thread(target=self._speak, args=(door,))
        self._thread.start()
        return self

    def _speak(self, door: Path) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(door))
            ready = b'{"ready": true}'
            try:
                for reply in (struct.pack("!I", len(ready)) + ready, *self._replies):
                    connection.recv(65536)
                    connection.sendall(reply)
            except OSError:
                return

    def beginning(self, names: Sequence[str]) -> dict[str, Any]:
        return {}

    def to_dict(self) -> dict[str, Any]:
        return {}

    def stop(self, grace_s: float) -> None:
        self._thread.join(5)


def frame(body: bytes) -> bytes:
    return struct.pack("!I", len(body)) + body


@pytest.mark.parametrize(
    "reply",
    [
        frame(b"{}"),
        frame(b"[]"),
        frame(b"nonsense"),
        frame(b"[" * 50_000),
        frame(b'{"word": "guessed", "ok": true, "value": "3.0"}'),
        struct.pack("!I", 2**32 - 1),
        frame(b"\xff"),
        b"\x00",
        b"",
    ],
)
def test_a_reply_no_honest_runner_would_send_gives_nothing(files: Path, reply: bytes) -> None:
    limits = RunLimits(cell_s=0.1, total_s=30)
    with Session(Liar(reply), files, [], limits) as session:
        found = graded(session, TEST)
        after = graded(session, TEST)
    assert found.end in {End.DEAD, End.TIMEOUT}
    assert after.end is End.NOT_RUN

"""From inside a sandbox, everything that must not work is tried. As root and, in a second run, as an ordinary user."""

import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.sandbox.software import interpreter
from hub.sandbox.spec import Mount, Network, SandboxSpec, Way
from tests.hub.sandbox.attempts import ATTEMPTS
from tests.hub.sandbox.conftest import AS_ROOT, Boxes, eventually

SCRIPT = Path(__file__).with_name("attempts.py")
INSIDE_PORT = 8888


@dataclasses.dataclass
class Victims:
    """What the attempts are aimed at, all of it real and reachable from outside."""

    facts: dict[str, Any]


@pytest.fixture(scope="module")
def victims(module_boxes: Boxes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victims]:
    place = tmp_path_factory.mktemp("victims")
    secret = place / "secret"
    secret.write_text("the centre's")
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_greet, args=(listener,), daemon=True).start()
    abstract, by_file = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    abstract.bind(f"\0practicum-test-{os.getpid()}")
    by_file.bind(str(place / "s"))
    for each in (abstract, by_file):
        each.listen(8)
    marker = f"practicum-marker-{os.getpid()}"
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", marker])
    greet = f"import socket\ns = socket.create_server(('127.0.0.1', {INSIDE_PORT + 1}))\nwhile True: s.accept()[0].sendall(b'hello')"
    network = Network((Way(8081, ("127.0.0.1", listener.getsockname()[1])),), INSIDE_PORT + 1)
    other = module_boxes.python(greet, network=network)
    (other.home / "secret").write_text("the neighbour's")
    setuid = place / "id"
    shutil.copy("/usr/bin/id", setuid)
    setuid.chmod(0o4755)
    yield Victims(
        {
            "host_file": str(secret),
            "other_home": str(other.home),
            "host_port": listener.getsockname()[1],
            "other_host_port": other.running.host_port,
            "other_inside_port": INSIDE_PORT + 1,
            "abstract": f"practicum-test-{os.getpid()}",
            "socket_file": str(place / "s"),
            "marker_backwards": marker[::-1],  # the facts themselves lie in a command line inside
            "host_pid": process.pid,
            "setuid_program": str(setuid),
        }
    )
    process.kill()
    process.wait()
    for each in (listener, abstract, by_file):
        each.close()


def _greet(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.sendall(b"hello")


@pytest.fixture(scope="module")
def inside(victims: Victims, module_boxes: Boxes) -> dict[str, str]:
    """Every attempt's answer from inside a sandbox with a network."""
    facts = victims.facts | {"setuid_program": "/opt/id"}
    network = Network((Way(8081, ("127.0.0.1", victims.facts["host_port"])),), INSIDE_PORT)
    spec = module_boxes.spec(interpreter(), "-I", "-S", "/opt/attempts.py", json.dumps(facts), network=network)
    extra = (Mount(str(SCRIPT), "/opt/attempts.py"), Mount(victims.facts["setuid_program"], "/opt/id"))
    box = module_boxes.start(_with_mounts(spec, extra))
    box.wait_end(60)
    answers: dict[str, str] = json.loads(box.output().splitlines()[-1])
    return answers


def _with_mounts(spec: SandboxSpec, extra: tuple[Mount, ...]) -> SandboxSpec:
    return dataclasses.replace(spec, mounts=spec.mounts + extra)


@pytest.mark.parametrize("name", ATTEMPTS)
def test_is_refused_inside(name: str, inside: dict[str, str]) -> None:
    assert inside[name] == "", f"{name} got: {inside[name]}"


CONTROLS = (
    "read_a_file_of_the_host",
    "read_another_home",
    "list_another_home",
    "see_sysfs",
    "see_processes_of_the_host",
    "signal_a_process_of_the_host",
    "trace_a_child",
    "read_memory_by_process_vm",
    "reach_a_port_of_the_host",
    "reach_another_sandbox_through_its_host_port",
    "reach_an_abstract_socket_of_the_host",
    "reach_a_socket_file_of_the_host",
    "unshare_user_namespace",
    "clone_into_a_user_namespace",
    "clone3_into_a_user_namespace",
    "list_keys",
    "make_memory_executable_for_all_programs",
    *(("hold_capabilities", "gain_privileges_later") if AS_ROOT else ()),
)


def test_the_attempts_work_where_nothing_contains_them(victims: Victims, tmp_path: Path) -> None:
    """A control: an attempt that is wrongly written would be "refused" everywhere."""
    facts = json.dumps(victims.facts | {"only": CONTROLS, "outside": True})
    done = subprocess.run(
        [interpreter(), "-I", "-S", str(SCRIPT), facts], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    answers = json.loads(done.stdout.splitlines()[-1])
    assert [name for name, answer in answers.items() if not answer] == []


def test_the_home_is_the_learners_own_and_nothing_else_is_in_it(boxes: Boxes) -> None:
    box = boxes.python(
        "import os; open('mine', 'w').write('x'); print(os.getcwd(), os.listdir('/home'), os.listdir('.'))"
    )
    box.wait_end()
    assert box.output() == "/home/ada ['ada'] ['mine']"
    assert (box.home / "mine").stat().st_uid == box.home.stat().st_uid


def test_masks_hide_what_lies_beneath_a_mount(boxes: Boxes, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "state").mkdir(parents=True)
    (tree / "state" / "secret").write_text("x")
    (tree / "seen").write_text("y")
    for path in (tree, tree / "state"):
        path.chmod(0o755)
    code = "import os; print(sorted(os.listdir('/opt/tree')), os.listdir('/opt/tree/state'), os.access('/opt/tree/state', os.W_OK))"
    spec = boxes.spec(interpreter(), "-I", "-S", "-c", code, masks=("/opt/tree/state",))
    box = boxes.start(_with_mounts(spec, (Mount(str(tree), "/opt/tree"),)))
    box.wait_end()
    assert box.output() == "['seen', 'state'] [] False"


def test_the_environment_and_arguments_are_seen_only_by_the_program(boxes: Boxes) -> None:
    secret = f"secret-{os.urandom(8).hex()}"
    spec = boxes.spec("sh", "-c", "env; sleep 60", environment={"PATH": "/usr/bin:/bin", "TOKEN": secret})
    box = boxes.start(spec)
    eventually(lambda: secret in box.output())
    assert "PRACTICUM" not in box.output()
    assert {line.partition("=")[0] for line in box.output().splitlines()} <= {
        "PATH",
        "TOKEN",
        "PWD",
        "SHLVL",
        "_",
        "OLDPWD",
    }
    assert secret not in repr(spec)
    leaks = []
    for directory in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                if secret.encode() in (directory / name).read_bytes():
                    leaks.append((name, (directory / "comm").read_text().strip()))
            except OSError:
                continue
    assert [leak for leak in leaks if leak not in {("environ", "sh"), ("environ", "sleep")}] == []

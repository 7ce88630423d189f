"""From inside a real learner's server everything that must not work is tried, while a neighbour's server runs a kernel.

By root each learner has an uid of their own; a second run has the whole centre under one ordinary user.
"""

import json
import os
import re
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.addresses import load_or_choose_addresses
from hub.sandbox.software import interpreter
from hub.secrets import load_or_create_secrets
from hub.state import StateDir
from hub.supervisor.identity import all_pids, command_line
from hub.supervisor.servers import running_keepers
from tests.centre import Centre, running_centre
from tests.hub.sandbox import attempts
from tests.ordinary_user import pytest_as_ordinary_user
from tests.visitor import Notebook, signed_in

pytestmark = pytest.mark.timeout(600)

AS_ROOT = os.geteuid() == 0
HERE = Path(__file__).parent
COURSES = HERE.parents[1] / "courses"
TMP_MIB, HOME_MIB, LOG_MIB = 16, 64, 4
SETTINGS = f"sandbox: {{tmp_mib: {TMP_MIB}, home_mib: {HOME_MIB}, memory_mib: 1024}}\n"

# Aimed at servers that the sandbox's own tests start; the same against a real centre's is in inside.py.
NOT_HERE = {
    "reach_a_port_of_the_host",
    "reach_another_sandbox_through_its_host_port",
    "reach_another_sandbox_through_its_inside_port",
    "gain_root_by_a_setuid_program",
    "kill_init",  # it would end the server that the other attempts run in
}
WORKS_OUTSIDE = (
    "read_a_file_of_the_host",
    "read_another_home",
    "list_another_home",
    "read_what_the_centre_keeps",
    "read_it_through_links_in_the_own_home",
    "list_what_the_centre_keeps",
    "find_what_only_solutions_and_hidden_tests_say",
    "see_the_centres_processes",
    "read_the_centres_environments",
    "see_another_kernel",
    "find_another_kernels_keys",
    "signal_a_process_of_the_host",
    "reach_ports_of_the_machine",
    "reach_services_through_the_door_to_the_hub",
    "reach_an_abstract_socket_of_the_host",
    "reach_a_socket_file_of_the_host",
    "unshare_user_namespace",
    "trace_a_child",
)


@dataclass
class Scene:
    """lin.na's server with a kernel, wang.wei's as well, and what is to be had."""

    centre: Centre
    state: StateDir
    lin: Notebook
    facts: dict[str, Any]

    def inside(self) -> dict[str, str]:
        """What each attempt got in a program that lin.na's kernel runs."""
        for script in (Path(attempts.__file__), HERE / "inside.py"):
            said = self.lin.run(f"_ = open({script.name!r}, 'w').write({script.read_text(encoding='utf-8')!r})")
            assert said == "", said
        facts = {**self.facts, "door_port": 8081}
        run = f"""
        import subprocess, sys, os
        done = subprocess.run([sys.executable, "-I", "-S", "inside.py", {json.dumps(facts)!r}], capture_output=True, text=True)
        print(done.stdout or done.stderr)
        """
        answers: dict[str, str] = json.loads(self.lin.run(textwrap.dedent(run), timeout_s=300).splitlines()[-1])
        return answers

    def outside(self, place: Path) -> dict[str, str]:
        """What the attempts that can work at all get where nothing contains them."""
        for script in (Path(attempts.__file__), HERE / "inside.py"):
            (place / script.name).write_text(script.read_text(encoding="utf-8"), encoding="utf-8")
        facts = {
            **self.facts,
            "only": WORKS_OUTSIDE,
            "outside": True,
            "search": [str(COURSES)],
            "door_port": self.facts["service_port"],
        }
        command = [interpreter(), "-I", "-S", str(place / "inside.py"), json.dumps(facts)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=place)
        answers: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
        return answers


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    place = tmp_path_factory.mktemp("inside")
    state = StateDir(place / "state")
    state.prepare()
    state.settings_file.write_text(SETTINGS, encoding="utf-8")
    with running_centre(state.root) as centre:
        notebooks = [kernel(centre, name) for name in ("lin.na", "wang.wei")]
        with closing(notebooks[0].http), closing(notebooks[1].http):
            lin, wang = notebooks
            assert wang.run("_ = open('secret', 'w').write('wang.wei')") == ""
            with victims(place) as more:
                yield Scene(centre, state, lin, {**facts(centre, state, wang), **more})


def kernel(centre: Centre, name: str) -> Notebook:
    """A running kernel in the person's running server."""
    with signed_in(centre.url, name, centre.invitations[name]) as visitor:
        visitor.start_server(name)
        notebook = Notebook(centre.url, name, visitor.server_token(name))
    notebook.start_kernel()
    notebook.run("1")
    return notebook


def facts(centre: Centre, state: StateDir, wang: Notebook) -> dict[str, Any]:
    """Where everything is that there is to be had."""
    addresses = load_or_choose_addresses(state.addresses_file)
    listening = [addresses.hub, addresses.practicum, addresses.proxy_api, centre.port, *keepers_ports(state)]
    kernel_pid = next(pid for pid in all_pids() if wang.kernel_id in cmdline(pid))
    files = [path for path in state.root.rglob("*") if path.is_file()]
    ours = [path for path in files if not path.is_relative_to(state.homes) and not path.is_relative_to(state.courses)]
    sources = [path for path in COURSES.rglob("*.ipynb") if "source" in path.parts]
    return {
        "private_files": [
            str(path) for path in (*ours, *sources, state.homes / "wang.wei/secret") if path.stat().st_size
        ],
        "private_folders": [
            str(path) for path in (state.root, state.databases, state.homes, COURSES / "data-processing")
        ],
        "needles_backwards": [each[::-1] for each in told_by_solutions_alone(state)],
        "other_home": str(state.homes / "wang.wei"),
        "other_kernel_backwards": wang.kernel_id[::-1],
        "other_kernel_pid": kernel_pid,
        "ports": listening,
        "service_port": addresses.practicum,
        "machine_addresses": machine_addresses(),
        "only": [],
    }


class victims:  # noqa: N801 - used as a function
    """A process, a file and two sockets outside."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __enter__(self) -> dict[str, Any]:
        marker = f"practicum-marker-{os.getpid()}"
        self._process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)", marker])
        abstract = f"practicum-inside-{os.getpid()}"
        self._sockets = [socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)]
        for each, address in zip(self._sockets, (f"\0{abstract}", str(self._place / "s")), strict=True):
            each.bind(address)
            each.listen(8)
        (self._place / "secret").write_text("the machine's")
        return {
            "marker_backwards": marker[::-1],
            "host_pid": self._process.pid,
            "host_file": str(self._place / "secret"),
            "abstract": abstract,
            "socket_file": str(self._place / "s"),
        }

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for each in self._sockets:
            each.close()


def cmdline(pid: int) -> str:
    return " ".join(command_line(pid) or ())


def keepers_ports(state: StateDir) -> list[int]:
    """The loopback ports by which the proxy reaches learners' servers."""
    table = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
    by_inode = {line.split()[9]: int(line.split()[1].split(":")[1], 16) for line in table if line.split()[3] == "0A"}
    held = [fd.readlink().name for each in running_keepers(state) for fd in Path(f"/proc/{each.pid}/fd").iterdir()]
    ports = [port for inode, port in by_inode.items() if f"socket:[{inode}]" in held]
    assert len(ports) == 2
    return ports


def machine_addresses() -> list[str]:
    said = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout
    return said.split()


def told_by_solutions_alone(state: StateDir) -> list[str]:
    """Long lines of the courses' sources that no released lesson holds."""
    released = "".join(path.read_text("utf-8") for path in state.courses.rglob("*.ipynb"))
    needles = []
    for path in COURSES.glob("*/source/*/*.ipynb"):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            for hidden in re.findall(
                r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)### END", "".join(cell["source"]), re.DOTALL
            ):
                needles += [line.strip() for line in hidden.splitlines() if len(line.strip()) > 40]
    return [each for each in dict.fromkeys(needles) if json.dumps(each)[1:-1] not in released and '"' not in each]


def test_nothing_is_to_be_had_from_inside(scene: Scene) -> None:
    assert len(scene.facts["private_files"]) > 15
    assert len(scene.facts["needles_backwards"]) > 50
    answers = scene.inside()
    assert set(WORKS_OUTSIDE) <= set(answers)
    assert {name: got for name, got in answers.items() if got and name not in NOT_HERE} == {}


def test_each_attempt_works_where_nothing_contains_it(scene: Scene, tmp_path: Path) -> None:
    answers = scene.outside(tmp_path)
    assert [name for name in WORKS_OUTSIDE if not answers[name]] == []
    assert {str(port) for port in scene.facts["ports"]} == set(answers["reach_ports_of_the_machine"].split())
    assert set(scene.facts["private_files"]) == set(answers["read_what_the_centre_keeps"].split())


def test_no_path_of_another_learner_stands_in_the_list_of_mounts(scene: Scene) -> None:
    mounts = scene.lin.run("print(open('/proc/self/mountinfo').read())")
    named = {line.split()[3] for line in mounts.splitlines() if str(scene.state.root) in line.split()[3]}
    assert (
        str(scene.state.homes / "lin.na") in named
    )  # a kernel tells where a mount comes from; nothing can be opened by it
    own = (f"{scene.state.homes}/lin.na", f"{scene.state.servers}/lin.na.share", f"{scene.state.courses}/")
    assert [path for path in named if not path.startswith(own)] == []


def test_no_secret_stands_in_a_command_line_of_the_machine(scene: Scene) -> None:
    secrets = load_or_create_secrets(scene.state.secrets_file)
    token = scene.lin.run("import os; print(os.environ['JUPYTERHUB_API_TOKEN'])")
    hidden = [getattr(secrets, name) for name in secrets.__slots__] + [token]  # type: ignore[attr-defined]
    lines = [cmdline(pid) for pid in all_pids()]
    assert any("hub.wiring" in line for line in lines)
    assert [line for line in lines if any(each in line for each in hidden)] == []


class TestTheOwnToken:
    """What the token in a learner's server may do at the hub, asked through the sandbox's own door to it."""

    ALLOWED = (
        ("GET", "/hub/api/", None),
        ("GET", "/hub/api/user", None),
        ("GET", "/hub/api/users/lin.na", None),
        # Named in docs/explanation/sandbox.md: a server may say that it is in use when it is not.
        ("POST", "/hub/api/users/lin.na/activity", {"last_activity": "2020-01-01T00:00:00Z"}),
    )
    REFUSED = (
        ("GET", "/hub/api/info", None),
        ("GET", "/hub/api/users", None),
        ("GET", "/hub/api/users/wang.wei", None),
        ("GET", "/hub/api/groups", None),
        ("GET", "/hub/api/services", None),
        ("GET", "/hub/api/proxy", None),
        ("GET", "/hub/api/users/lin.na/tokens", None),
        ("GET", "/hub/api/users/wang.wei/tokens", None),
        ("GET", "/hub/api/users/lin.na/server/progress", None),
        ("GET", "/hub/api/shares/lin.na", None),
        ("GET", "/hub/metrics", None),
        ("POST", "/hub/api/users/lin.na/tokens", {"note": "x"}),
        ("POST", "/hub/api/users/lin.na/tokens", {"scopes": ["self"]}),
        ("POST", "/hub/api/users/lin.na/tokens", {"roles": ["user"]}),
        ("POST", "/hub/api/users/wang.wei/tokens", {"scopes": ["access:servers!user=wang.wei"]}),
        ("POST", "/hub/api/users/lin.na/server", {"cmd": ["id"], "environment": {"X": "y"}}),
        ("POST", "/hub/api/users/lin.na/servers/second", {}),
        ("DELETE", "/hub/api/users/wang.wei/server", None),
        ("POST", "/hub/api/users/wang.wei/activity", {"last_activity": "2020-01-01T00:00:00Z"}),
        ("POST", "/hub/api/shares/lin.na/", {"user": "wang.wei"}),
        ("POST", "/hub/api/share-codes/lin.na/", {}),
        ("POST", "/hub/api/groups/formgrade-data-processing", {}),
        ("POST", "/hub/api/groups/formgrade-data-processing/users", {"users": ["lin.na"]}),
        ("PATCH", "/hub/api/users/lin.na", {"admin": True}),
        ("POST", "/hub/api/users/eve", {}),
        ("POST", "/hub/api/shutdown", {}),
        ("POST", "/hub/api/proxy", {}),
    )

    def ask(self, scene: Scene, calls: tuple[tuple[str, str, object], ...]) -> list[tuple[int, str]]:
        code = f"""
        import json, os, urllib.request, urllib.error
        for method, path, body in json.loads({json.dumps(calls)!r}):
            request = urllib.request.Request("http://127.0.0.1:8081" + path, method=method,
                data=None if body is None else json.dumps(body).encode(),
                headers={{"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"], "Content-Type": "application/json"}})
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:
                    print(json.dumps([answer.status, answer.read().decode()[:500]]))
            except urllib.error.HTTPError as error:
                print(json.dumps([error.code, ""]))
        """
        return [tuple(json.loads(line)) for line in scene.lin.run(textwrap.dedent(code)).splitlines()]

    def test_it_sees_its_owner_and_reports_activity(self, scene: Scene) -> None:
        answers = self.ask(scene, self.ALLOWED)
        assert [status for status, _ in answers] == [200] * len(self.ALLOWED)
        assert set(json.loads(answers[1][1])["scopes"]) <= {
            "access:servers!server=lin.na/",
            "access:services!service=grader",
            "read:users:activity!user=lin.na",
            "read:users:groups!user=lin.na",
            "read:users:name!user=lin.na",
            "users:activity!user=lin.na",
        }

    def test_it_may_do_nothing_else(self, scene: Scene) -> None:
        answers = self.ask(scene, self.REFUSED)
        allowed = [
            call for call, (status, _) in zip(self.REFUSED, answers, strict=True) if status not in {403, 404, 405}
        ]
        assert allowed == []

    def test_the_same_calls_are_answered_to_who_may(self, scene: Scene) -> None:
        """A control: the addresses exist, and for another token they are open."""
        secrets = load_or_create_secrets(scene.state.secrets_file)
        addresses = load_or_choose_addresses(scene.state.addresses_file)
        for path in ("/users", "/users/wang.wei", "/users/lin.na/tokens"):
            answer = httpx.get(
                addresses.hub_api_url + path, headers={"Authorization": f"token {secrets.practicum_token}"}
            )
            assert answer.status_code == 200, path

    def test_who_it_pretends_to_come_from_does_not_make_guessing_passwords_cheaper(self, scene: Scene) -> None:
        code = """
        import re, urllib.parse, urllib.request, urllib.error
        def ask(data=None, **headers):
            request = urllib.request.Request("http://127.0.0.1:8081/hub/login", data=data, headers={
                "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "same-origin", **headers})
            try:
                return urllib.request.urlopen(request, timeout=20)
            except urllib.error.HTTPError as error:
                return error
        for number in range(12):
            source = {"X-Forwarded-For": f"10.0.0.{number}", "X-Real-Ip": f"10.0.0.{number}"}
            page = ask(**source)
            token = re.search(r'name="_xsrf" value="([^"]+)"', page.read().decode()).group(1)
            form = urllib.parse.urlencode({"username": "maria.silva", "password": f"guess {number}", "_xsrf": token})
            cookies = "; ".join(each.split(";")[0] for each in page.headers.get_all("Set-Cookie"))
            print(ask(form.encode(), Cookie=cookies, **source).status)
        """
        statuses = scene.lin.run(textwrap.dedent(code)).split()
        assert statuses[0] == "401" or statuses[0] == "403"
        assert statuses[-1] == "429"


class TestFilling:
    """Room is limited where a learner can write, so that a neighbour and the centre keep theirs."""

    @pytest.mark.parametrize(
        ("folder", "most_mib"),
        [("/tmp", TMP_MIB), ("/dev/shm", TMP_MIB), ("/run/user/jupyter", 16), ("/home/learner", HOME_MIB)],
    )
    def test_a_file_grows_to_the_limit_and_no_further(self, scene: Scene, folder: str, most_mib: int) -> None:
        code = f"""
        import os
        written = 0
        try:
            with open({folder!r} + "/filling", "wb", buffering=0) as file:
                while written < {8 * most_mib}:
                    written += file.write(bytes(2**20)) / 2**20
        except OSError as error:
            print(error.strerror)
        os.unlink({folder!r} + "/filling")
        print(written)
        """
        said = scene.lin.run(textwrap.dedent(code)).splitlines()
        assert said[0] in {"No space left on device", "File too large"}
        assert most_mib / 2 <= float(said[1]) <= most_mib

    def test_what_a_server_prints_fills_no_disk(self, scene: Scene) -> None:
        code = """
        import os, sys, time
        server_output, sent, until = sys.stdout._original_stdstream_copy, 0, time.monotonic() + 6
        while time.monotonic() < until:
            sent += os.write(server_output, (b"x" * 63 + b"\\n") * 64)
        print(sent)
        """
        sent = int(scene.lin.run(textwrap.dedent(code)))
        log = scene.state.servers / "lin.na.log"
        assert sent > LOG_MIB * 2**20  # the control: there was more than is kept
        assert log.stat().st_size <= LOG_MIB * 2**20
        assert "older lines are gone" in log.read_text("utf-8")[:40]


@pytest.mark.skipif(not AS_ROOT, reason="this is the ordinary user's run")
def test_everything_holds_where_the_centre_runs_as_an_ordinary_user() -> None:
    done = pytest_as_ordinary_user(__file__)
    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout

"""From inside a real learner's server the grader is attacked: others' work, other courses, the instructor's side, its patience.

What is sent is made here, byte by byte, and goes out from lin.na's kernel through the door that her sandbox has to the grader.
"""

import io
import json
import shutil
import socket
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from courses.kit.handin.centre import Centre as HandInCentre
from courses.kit.handin.patience import Patience
from courses.kit.handin.upload import upload
from grader.exchange.intake import OPEN_UPLOADS
from grader.exchange.terms import Terms
from grader.grading import Grading, open_grading
from hub.addresses import load_or_choose_addresses
from hub.cohorts.model import Role
from hub.secrets import Secrets, load_or_create_secrets
from hub.state import StateDir
from hub.wiring import open_service
from tests.centre import Centre, running_centre
from tests.journeys.grader_attacks import (
    API,
    FOREIGN,
    NAVIGATION,
    OWN,
    PRETENCES,
    SEND,
    TEACH,
    WORK,
    request,
    smuggling,
)
from tests.journeys.grader_storm import ASSIGNMENT, COURSE, Class
from tests.visitor import Notebook, Visitor

pytestmark = pytest.mark.timeout(600)

GRADED_WITHIN_S = 240
OPEN_CONNECTIONS = 300
BUNDLE_BYTES = 60 * 2**20


@dataclass
class Scene:
    """A class that has handed in: lin.na's kernel, and what there is of others to be had."""

    centre: Centre
    state: StateDir
    grading: Grading
    secrets: Secrets
    lin: Notebook
    visitors: dict[str, Visitor]
    tokens: dict[str, str]
    receipts: dict[str, str]
    open_upload: str

    def inside(self, requests: list[str]) -> list[str]:
        """What came back for each, sent from lin.na's kernel."""
        said = self.lin.run(f"_ = open('requests.json', 'w').write({json.dumps(requests)!r})")
        assert said == "", said
        answers = [json.loads(line) for line in self.lin.run(SEND, timeout_s=300).splitlines()]
        assert len(answers) == len(requests)
        return answers

    def ask(self, token: str, path: str) -> httpx.Response:
        """The control: somebody else's question from outside."""
        return httpx.get(self.centre.url + path, headers={"Authorization": f"token {token}"}, timeout=30)


def statuses(answer: str) -> list[int]:
    """Of every answer on the connection."""
    return [int(line.split()[1]) for line in answer.splitlines() if line.startswith("HTTP/1.")]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    state = StateDir(tmp_path_factory.mktemp("inside-grader") / "state")
    with running_centre(state.root) as centre, closing(open_grading(state)) as grading:
        eve = foreign_course(state, grading, centre)
        visitors = {
            name: sign_in(centre, name, centre.invitations[name]) for name in ("lin.na", "wang.wei", "zhao.yun")
        }
        visitors["eve"] = sign_in(centre, "eve", eve)
        tokens = {name: visitor.grader_token(name) for name, visitor in visitors.items()}
        klass = Class(centre, grading)
        receipts = {name: hand_in(klass, name, tokens[name]) for name in ("lin.na", "wang.wei")}
        grade(grading)
        visitors["lin.na"].start_server("lin.na")
        lin = Notebook(centre.url, "lin.na", visitors["lin.na"].server_token("lin.na"))
        begun = HandInCentre(f"{centre.url}/services/grader", tokens["wang.wei"], "en").announce(
            COURSE, ASSIGNMENT, sha256="0" * 64, size=1000
        )
        assert begun.upload_id
        secrets = load_or_create_secrets(state.secrets_file)
        with closing(lin):
            yield Scene(centre, state, grading, secrets, lin, visitors, tokens, receipts, begun.upload_id)
        for visitor in visitors.values():
            visitor.close()


def sign_in(centre: Centre, name: str, invitation: str) -> Visitor:
    visitor = Visitor(centre.url)
    visitor.redeem(invitation)
    visitor.sign_in(name)
    return visitor


def foreign_course(state: StateDir, grading: Grading, centre: Centre) -> str:
    """A course that lin.na does not take; the invitation of eve, who does."""
    shutil.copytree(state.courses / COURSE, state.courses / "foreign")
    grading.offers.put("foreign", ASSIGNMENT, Terms(), offered_by="zhao.yun")
    with closing(open_service(state)) as service:
        service.roster.add_cohort("other", "Other", ["foreign"])
        service.roster.add_person("eve", "Eve", "other", Role.LEARNER)
        return f"{centre.url}/services/practicum/invitations/{service.invitations.issue('eve').token}"


def hand_in(klass: Class, name: str, token: str) -> str:
    client = HandInCentre(f"{klass.centre.url}/services/grader", token, "en")
    data, packed = klass.version(name, 1, solved=True)
    return upload(client, io.BytesIO(data), packed, lambda *_: None, Patience(60)).id


def grade(grading: Grading) -> None:
    grading.service.enqueue(COURSE, ASSIGNMENT, requested_by="zhao.yun")
    until = time.monotonic() + GRADED_WITHIN_S
    while grading.service.progress(COURSE, ASSIGNMENT).is_busy:
        assert time.monotonic() < until
        time.sleep(0.3)
    report = grading.feedback.release(
        COURSE, ASSIGNMENT, title_in=lambda _: "Audit", released_by="zhao.yun", unfinished=True
    )
    assert report.released == ("lin.na", "wang.wei")


def others(scene: Scene) -> list[str]:
    """What belongs to wang.wei, or to a course of others, asked for with one's own token."""
    told = json.dumps({"sha256": "0" * 64, "size": 1000})
    typed = {"Content-Type": "application/json"}
    uploads = f"{WORK}/uploads/{scene.open_upload}"
    tricks = (
        "..%2fforeign",
        "%2e%2e/foreign",
        "foreign%2f",
        "FOREIGN",
        "foreign;x",
        "foreign%00",
        f"{COURSE}/../foreign",
    )
    return [
        request("GET", f"{WORK}/feedback/{scene.receipts['wang.wei']}", token=OWN),
        request("GET", uploads, token=OWN),
        request("PUT", f"{uploads}?offset=0", body="stolen", token=OWN),
        request("POST", f"{uploads}/finish", token=OWN),
        request("GET", f"{FOREIGN}/release", token=OWN),
        request("POST", f"{FOREIGN}/uploads", typed, told, token=OWN),
        request("GET", f"{FOREIGN}/feedback/{scene.receipts['wang.wei']}", token=OWN),
        *(request("GET", f"{API}/courses/{trick}/assignments/{ASSIGNMENT}/release", token=OWN) for trick in tricks),
        request("GET", f"{WORK}/../../../foreign/assignments/{ASSIGNMENT}/release", token=OWN),
        request("GET", f"{API}/courses/{COURSE}/assignments/..%2f..%2f..%2fforeign%2f{ASSIGNMENT}/release", token=OWN),
        request("GET", f"{API}/courses/{COURSE}/assignments/%2e%2e/release", token=OWN),
    ]


def instructors(scene: Scene) -> list[str]:
    """The instructor's side and that of other services, in every disguise."""
    body = json.dumps({"name": "wang.wei", "memberships": []})
    form = "again=yes&form_token=OWN-TOKEN"
    pages = (
        "",
        "/marks.csv",
        "/course.zip",
        "/events?token=OWN-TOKEN",
        "/marking",
        "/work/1",
        "/work/2",
        "/work/2/preview",
    )
    paths = ("/services/grader/../grader/teach/{}", "//services/grader/teach/{}", "/services/grader//teach/{}",
             "/services/grader/teach;x/{}", "/services/grader/%74each/{}", "/services/grader/mine/..%2fteach/{}",
             "http://127.0.0.1/services/grader/teach/{}")  # fmt: skip
    teach = f"{COURSE}/{ASSIGNMENT}/marks.csv"
    hub_port = load_or_choose_addresses(scene.state.addresses_file).hub
    return [
        *(request("GET", TEACH + page, NAVIGATION, token=OWN) for page in pages),
        *(request("POST", f"{TEACH}/{do}", NAVIGATION, form, token=OWN) for do in ("grade", "stop", "feedback", "release")),
        *(request("POST", f"{TEACH}/work/2/{do}", NAVIGATION, form, token=OWN) for do in ("regrade", "withdraw", "extension")),
        *(request("GET", f"{TEACH}/marks.csv", NAVIGATION | pretence, token=OWN) for pretence in PRETENCES),
        *(request("GET", path.format(teach), NAVIGATION, token=OWN) for path in paths),
        *(request("POST", f"{API}/people/{name}/due-lines", body=body, token=OWN) for name in ("wang.wei", "lin.na")),
        request("GET", f"{API}/assignments?token=OWN-TOKEN"),
        request("GET", f"{API}/assignments?access_token=OWN-TOKEN&_xsrf=x"),
        *(request("GET", f"{API}/assignments", pretence) for pretence in PRETENCES),
        *(request("GET", f"{API}/assignments", token=token) for token in
          ("OWN-TOKEN", "Basic OWN-TOKEN", "token OWN-TOKEN OWN-TOKEN", "token OWN-TOKEN,", "token wang.wei", "Bearer null")),
        request("GET", "/services/practicum/api/v1/people/wang.wei", token=OWN),
        request("GET", "/hub/api/users", token=OWN),
        request("GET", f"http://127.0.0.1:{hub_port}/hub/api/users", token=OWN),
        request("CONNECT", f"127.0.0.1:{hub_port}"),
        request("GET", f"{API}/assignments", {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "eA==",
                                              "Sec-WebSocket-Version": "13"}),
    ]  # fmt: skip


@pytest.mark.parametrize("attempts", [others, instructors])
def test_what_is_not_ones_own_is_refused(scene: Scene, attempts: Any) -> None:
    requests = attempts(scene)
    got = {
        asked.splitlines()[0]: answer[:300]
        for asked, answer in zip(requests, scene.inside(requests), strict=True)
        if not statuses(answer) or any(status < 300 for status in statuses(answer)) or "wang.wei" in answer
    }
    assert got == {}
    assert scene.grading.intake.progress(scene.open_upload, work_of("wang.wei", scene)).offset == 0
    assert not scene.grading.service.progress(COURSE, ASSIGNMENT).is_busy
    assert scene.grading.feedback.released(work_of("wang.wei", scene)) is not None


def work_of(name: str, scene: Scene) -> Any:
    return next(
        each.submission.work
        for each in scene.grading.service.standings(COURSE, ASSIGNMENT)
        if each.submission.work.learner == name
    )


def test_the_same_is_answered_to_who_may(scene: Scene) -> None:
    """A control: the addresses exist, and for others they are open."""
    wang, eve = scene.tokens["wang.wei"], scene.tokens["eve"]
    assert scene.ask(wang, f"{WORK}/feedback/{scene.receipts['wang.wei']}").status_code == 200
    assert scene.ask(wang, f"{WORK}/uploads/{scene.open_upload}").status_code == 200
    assert scene.ask(eve, f"{FOREIGN}/release").status_code == 200
    page = scene.visitors["zhao.yun"].http.get(f"{TEACH}/marks.csv")
    assert "wang.wei" in page.text
    lines = httpx.post(
        f"{scene.centre.url}{API}/people/lin.na/due-lines",
        json={"name": "lin.na", "display_name": "", "chosen_language": None, "active": True, "roles": [], "memberships": []},
        headers={"Authorization": f"Bearer {scene.secrets.grader_token}"},
    )  # fmt: skip
    assert lines.status_code == 200


def test_whatever_one_pretends_one_sees_ones_own(scene: Scene) -> None:
    requests = [request("GET", f"{API}/assignments", pretence, token=OWN) for pretence in PRETENCES]
    requests += [
        request("GET", f"{API}/assignments", {"Host": host}, token=OWN) for host in ("wang.wei", "localhost", "x:1")
    ]
    for answer in scene.inside(requests):
        assert statuses(answer) == [200]
        assert scene.receipts["lin.na"] in answer
        assert scene.receipts["wang.wei"] not in answer


def test_a_request_inside_a_request_is_nobody_elses(scene: Scene) -> None:
    """From inside, and through the proxy, which alone shares its connections to the grader among people."""
    for answer in scene.inside([each + "\r\n\r\n" for each in smuggling(OWN)]):
        assert all(status >= 400 for status in statuses(answer))
    wang = httpx.Client(base_url=scene.centre.url, headers={"Authorization": f"token {scene.tokens['wang.wei']}"})
    with closing(wang):
        for raw in smuggling(f"token {scene.tokens['lin.na']}"):
            with socket.create_connection(("127.0.0.1", scene.centre.port), timeout=10) as connection:
                connection.sendall(raw.replace("127.0.0.1:8082", f"127.0.0.1:{scene.centre.port}").encode("latin-1"))
                for _ in range(3):
                    seen = wang.get(f"{API}/assignments")
                    assert seen.status_code == 200, raw
                    assert scene.receipts["wang.wei"] in seen.text


class TestTokens:
    """A token counts for whom it was made, for this service, and as long as it stands."""

    def path(self) -> str:
        return f"{API}/assignments"

    def test_one_for_something_else_is_none(self, scene: Scene) -> None:
        visitor, asked = scene.visitors["wang.wei"], self.path()
        made = {"note": "test", "scopes": ["access:services!service=practicum"]}
        for_practicum = visitor.hub_api("POST", "/users/wang.wei/tokens", json=made)
        wrong = [visitor.server_token("wang.wei"), for_practicum.json().get("token", "none")]
        wrong += [getattr(scene.secrets, name) for name in scene.secrets.__slots__]
        assert {scene.ask(token, asked).status_code for token in wrong} == {401}
        assert scene.ask(scene.tokens["wang.wei"], asked).status_code == 200

    def test_a_revoked_and_an_expired_one_are_none(self, scene: Scene) -> None:
        visitor = scene.visitors["wang.wei"]
        told = {"note": "test", "scopes": ["access:services!service=grader"]}
        made = visitor.hub_api("POST", "/users/wang.wei/tokens", json=told).json()
        short = visitor.hub_api("POST", "/users/wang.wei/tokens", json={**told, "expires_in": 2}).json()["token"]
        assert scene.ask(made["token"], self.path()).status_code == scene.ask(short, self.path()).status_code == 200
        visitor.hub_api("DELETE", f"/users/wang.wei/tokens/{made['id']}")
        assert scene.ask(made["token"], self.path()).status_code == 401
        time.sleep(2.5)
        assert scene.ask(short, self.path()).status_code == 401

    def test_one_of_somebody_who_was_deactivated_opens_nothing(self, scene: Scene) -> None:
        token = scene.tokens["eve"]
        assert scene.ask(token, f"{FOREIGN}/release").status_code == 200
        with closing(open_service(scene.state)) as service:
            service.roster.set_active("eve", False)
            refused = scene.ask(token, f"{FOREIGN}/release")
            service.roster.set_active("eve", True)
        assert refused.status_code in {401, 403}
        assert scene.ask(token, f"{FOREIGN}/release").status_code == 200


def test_held_connections_keep_nobody_else_out(scene: Scene) -> None:
    hold = f"""
    import os, socket
    held = []
    head = {request("PUT", f"{WORK}/uploads/x?offset=0", {"Content-Length": "100000"}, token=OWN)!r}
    head = head.replace("OWN-TOKEN", os.environ["JUPYTERHUB_API_TOKEN"]).encode()
    try:
        for number in range({OPEN_CONNECTIONS}):
            connection = socket.create_connection(("127.0.0.1", 8082), timeout=2)
            connection.sendall(head if number % 2 else head[:40])
            held.append(connection)
    except OSError as error:
        pass
    print(len(held))
    """
    assert int(scene.lin.run(textwrap.dedent(hold), timeout_s=300)) > 64
    for _ in range(10):
        assert scene.ask(scene.tokens["wang.wei"], f"{API}/assignments").status_code == 200
    grader = load_or_choose_addresses(scene.state.addresses_file).grader
    assert connections_to(grader) < 64 + 40  # what a keeper lets through, and the proxy's own
    scene.lin.run("for each in held: each.close()")
    assert statuses(scene.inside([request("GET", f"{API}/assignments", token=OWN)])[0]) == [200]


def connections_to(port: int) -> int:
    """Established ones at that port of the machine."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
    return sum(line[1].endswith(f":{port:04X}") and line[3] == "01" for line in lines)


def test_unfinished_uploads_fill_no_disk(scene: Scene) -> None:
    fill = f"""
    import json, os, urllib.request
    def ask(method, path, body):
        request = urllib.request.Request("http://127.0.0.1:8082" + path, method=method, data=body, headers={{
            "Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"], "Content-Type": "application/json"}})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())
    for number in range({3 * OPEN_UPLOADS}):
        told = json.dumps({{"sha256": f"{{number:064x}}", "size": {BUNDLE_BYTES}}}).encode()
        upload_id = ask("POST", {WORK + "/uploads"!r}, told)["upload_id"]
        ask("PUT", f"{WORK}/uploads/{{upload_id}}?offset=0", bytes(2**20))
    print("sent")
    """
    assert scene.lin.run(textwrap.dedent(fill), timeout_s=300) == "sent"
    lying = [path.stat().st_size for path in scene.grading.objects.uploads.iterdir()]
    assert sum(lying) <= OPEN_UPLOADS * 2**20
    assert scene.ask(scene.tokens["lin.na"], f"{WORK}/feedback/{scene.receipts['lin.na']}").status_code == 200

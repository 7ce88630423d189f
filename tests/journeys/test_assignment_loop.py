"""One assignment from the instructor to a learner and back, through the real centre: released, fetched and handed in from inside
the learner's own server, graded, read, released, read by the learner."""

import io
import json
import re
import time

import httpx
import pytest

from grader.exchange import bundle
from tests.centre import Centre
from tests.courses.lesson import SOURCE_FILE
from tests.visitor import Notebook, Visitor

pytestmark = pytest.mark.timeout(600)

COURSE, ASSIGNMENT = "data-processing", "quality-audit"
TEACH = f"/services/grader/teach/{COURSE}/{ASSIGNMENT}"
MINE = f"/services/grader/mine/{COURSE}/{ASSIGNMENT}"
GRADED_WITHIN_S = 240

ASK_FROM_INSIDE = """
import json, os, urllib.request
def ask(path):
    request = urllib.request.Request(os.environ["PRACTICUM_GRADER_URL"] + "/api/v1" + path)
    request.add_header("Authorization", "token " + os.environ["JUPYTERHUB_API_TOKEN"])
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()
listed = json.loads(ask("/assignments"))["assignments"]
release = ask("/courses/data-processing/assignments/quality-audit/release?language=en")
print(json.dumps([listed, len(release), os.environ["JUPYTERHUB_API_TOKEN"]]))
"""


def invited(centre: Centre, name: str) -> Visitor:
    visitor = Visitor(centre.url)
    visitor.redeem(centre.invitations[name])
    visitor.sign_in(name)
    return visitor


def solved() -> tuple[bytes, str]:
    """The model solution as a learner's server packs it."""
    sink = io.BytesIO()
    contents = {SOURCE_FILE.name: SOURCE_FILE.read_bytes()}
    written = bundle.pack_contents(contents, sink, course=COURSE, assignment=ASSIGNMENT, language="en")
    return sink.getvalue(), written.sha256


def hand_in(centre: Centre, token: str) -> dict[str, object]:
    """The receipt for the model solution, through the proxy, with the token of the learner's own server."""
    data, sha256 = solved()
    uploads = f"/services/grader/api/v1/courses/{COURSE}/assignments/{ASSIGNMENT}/uploads"
    with httpx.Client(base_url=centre.url, headers={"Authorization": f"token {token}"}, timeout=30) as client:
        begun = client.post(uploads, json={"sha256": sha256, "size": len(data)}).json()
        if begun["receipt"] is not None:
            return dict(begun["receipt"])
        half = len(data) // 2
        client.put(f"{uploads}/{begun['upload_id']}?offset=0", content=data[:half])
        client.put(f"{uploads}/{begun['upload_id']}?offset={half}", content=data[half:])
        answer = client.post(f"{uploads}/{begun['upload_id']}/finish", json={})
        assert answer.status_code == 200, answer.text
        receipt: dict[str, object] = answer.json()["receipt"]
        assert receipt["sha256"] == sha256
        return receipt


def test_an_assignment_goes_out_and_comes_back_with_a_score(own_centre: Centre) -> None:
    centre = own_centre
    instructor, learner = invited(centre, "zhao.yun"), invited(centre, "wang.wei")

    # The demo's assignment is released, due in two weeks, and the first page says so.
    assert "in 14 days" in learner.http.get("/services/practicum/").text
    page = instructor.http.get(TEACH)
    assert "in 14 days" in page.text
    due = re.search(r'name="due" value="([^"]+)"', page.text)
    assert due
    page = instructor.submit(page, f"{ASSIGNMENT}/release", due=due[1], late_percent="10", grace_minutes="15")
    assert page.url.path == TEACH

    learner.start_server("wang.wei")
    notebook = Notebook(centre.url, "wang.wei", learner.server_token("wang.wei"))
    listed, size, token = json.loads(notebook.run(ASK_FROM_INSIDE).splitlines()[-1])
    assert [(each["assignment"], each["state"]) for each in listed] == [(ASSIGNMENT, "new")]
    assert size > 10_000
    receipt = hand_in(centre, token)
    assert (receipt["learner"], receipt["verdict"], receipt["attempt"]) == ("wang.wei", "on-time", 1)
    assert hand_in(centre, token) == receipt
    notebook.http.close()
    learner.stop_server("wang.wei")

    page = instructor.http.get(TEACH)
    assert "1 hand-in" in page.text
    instructor.submit(page, f"{ASSIGNMENT}/grade")
    until = time.monotonic() + GRADED_WITHIN_S
    while "1 answer to read" not in (page := instructor.http.get(TEACH)).text:
        assert time.monotonic() < until, page.text
        time.sleep(0.5)
    page = instructor.http.get(f"{TEACH}/marking")
    assert "Wang Wei" not in page.text
    page = instructor.submit(page, "/marking/", points="4.5", comment="Clear. Name the units, too.")
    assert page.url.path == TEACH
    page = instructor.submit(page, f"{ASSIGNMENT}/feedback")
    assert "Feedback was released to 1 learner." in page.text

    # The server is stopped; a phone is enough.
    page = learner.http.get(MINE)
    assert "Feedback is here" in page.text
    assert re.search(r"24\.5.*/ 25", page.text)
    assert learner.http.get(f"{MINE}/receipts/{receipt['id']}").text.count(str(receipt["sha256"])) == 1
    feedback = learner.http.get(f"{MINE}/feedback")
    assert "sandbox" in feedback.headers["content-security-policy"]
    assert "Clear. Name the units, too." in feedback.text
    assert "BEGIN HIDDEN TESTS" not in feedback.text
    assert "Feedback is here: 24.5 of 25 points" in learner.http.get("/services/practicum/").text

    table = instructor.http.get(f"{TEACH}/marks.csv").content.decode("utf-8-sig")
    assert re.search(r"^wang\.wei,.*,24\.5,25\.0,", table, re.MULTILINE)
    for visitor in (instructor, learner):
        visitor.close()

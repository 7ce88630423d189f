"""A share that ends while its server lives: in a real Jupyter server with the configuration learners get."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import websocket

from courses.kit.share.extension import ShareWatch
from courses.kit.share.notice import ShareNotice, read_notice
from tests.courses.handin.lab_server import LabServer, lab_server
from tests.visitor import Notebook
from tests.waiting import until

pytestmark = pytest.mark.timeout(180)

ENDED = {"en": "Your share ended: its device is gone.", "zh-CN": "您的份额已结束：设备已失效。"}


class Share:
    """The centre's side of the notice."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.say("lease-1", "cpu.quarter")

    def say(self, lease: str | None, profile: str | None = None, notice: dict[str, str] | None = None) -> None:
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps({"lease": lease, "profile": profile, "notice": notice}), encoding="utf-8")
        part.replace(self.path)


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Share:
    return Share(tmp_path_factory.mktemp("share") / "share.json")


@pytest.fixture(scope="module")
def server(share: Share, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    home, runtime = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("rt")
    with lab_server(home, runtime, None, PRACTICUM_SHARE_FILE=str(share.path)) as running:
        yield running


@pytest.fixture
def kernel(server: LabServer) -> Iterator[Notebook]:
    notebook = Notebook(server.url.removesuffix("/user/lin.na/"), "lin.na", server.token)
    yield notebook
    server.http.delete(f"{server.url}api/kernels/{notebook.kernel_id}")
    notebook.close()


def said(server: LabServer) -> dict[str, object]:
    answer = server.http.get(f"{server.url}practicum/share")
    assert answer.status_code == 200
    found: dict[str, object] = answer.json()
    return found


def test_the_kernel_starts_afresh_with_a_message_and_the_server_lives_on(
    server: LabServer, share: Share, kernel: Notebook
) -> None:
    share.say("lease-1", "cpu.quarter")
    until(lambda: said(server)["lease"] == "lease-1", what="the share")
    kernel.run("held = 'device memory'")
    listener = websocket.create_connection(
        server.url.replace("http", "ws", 1) + "api/events/subscribe",
        header=[f"Authorization: token {server.token}"],
        timeout=30,
    )
    try:
        share.say(None, notice=ENDED)
        events = iter(lambda: json.loads(listener.recv()), None)
        event = next(each for each in events if each["schema_id"].startswith("urn:practicum:share"))
    finally:
        listener.close()
    assert event["notice"] == ENDED
    until(lambda: "NameError" in kernel.run("print(held)"), what="a new kernel")
    assert said(server) == {"lease": None, "profile": None, "notice": ENDED}, "and a page opened later is told as well"


def test_a_new_share_leaves_kernels_alone(server: LabServer, share: Share, kernel: Notebook) -> None:
    share.say(None)
    until(lambda: said(server)["notice"] == {}, what="the end of the notice")
    kernel.run("held = 'work'")
    share.say("lease-2", "cpu.half")
    until(lambda: said(server)["lease"] == "lease-2", what="the new share")
    assert kernel.run("print(held)") == "work"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"lease": 7', '{"notice": ["x"]}', "null"])
async def test_a_notice_that_cannot_be_read_says_nothing(tmp_path: Path, text: str) -> None:
    share = Share(tmp_path / "share.json")
    ended: list[ShareNotice] = []

    async def note(notice: ShareNotice) -> None:
        ended.append(notice)

    watch = ShareWatch(share.path, note)
    share.path.write_text(text, encoding="utf-8")
    await watch.look()
    assert (watch.notice.lease, ended) == ("lease-1", [])
    share.say(None, notice=ENDED)
    await watch.look()
    await watch.look()
    assert [notice.sentences for notice in ended] == [ENDED], "and once it can, the end is told once"


def test_the_notice_needs_the_servers_own_sign_in(server: LabServer) -> None:
    answer = httpx.get(f"{server.url}practicum/share")  # without the cookie that `server.http` has by now
    assert answer.status_code in {302, 403}


def test_a_notice_speaks_the_language_it_has(tmp_path: Path) -> None:
    assert ShareNotice(sentences=ENDED).sentence("zh-CN") == ENDED["zh-CN"]
    assert ShareNotice(sentences={"en": "Ended."}).sentence("zh-CN") == "Ended."
    assert ShareNotice().sentence("en") == ""
    assert read_notice(tmp_path / "missing.json") is None

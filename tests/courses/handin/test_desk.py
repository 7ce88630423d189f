"""Fetching and handing in against a real intake, over a network that breaks wherever it can."""

import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from courses.kit.handin.centre import Centre
from courses.kit.handin.desk import Desk
from courses.kit.handin.errors import (
    AlreadyFetchedError,
    AssignmentUnknownError,
    CentreAnswerError,
    CentreRefusedError,
    CentreUnreachableError,
    HandInError,
    HomeUnusableError,
    NotAFileError,
    NotAtCentreError,
    NotebookEmptyError,
    NotebookMissingError,
    NotFetchedError,
    ReleaseDamagedError,
    SignInExpiredError,
)
from courses.kit.handin.texts import load
from courses.kit.handin.upload import PIECE_BYTES
from grader.exchange import bundle as centre_bundle
from tests.courses.handin.conftest import Haste, notebook
from tests.courses.handin.grader_double import TOKEN, GraderDouble, Lesson

C, A = "data-processing", "quality-audit"


def silent(_sent: int, _size: int) -> None:
    pass


def handed_in(double: GraderDouble, sha256: str) -> dict[str, bytes]:
    with double.objects.open(sha256) as file:
        return centre_bundle.contents(file)


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_list_says_what_the_centre_and_the_home_know(desk: Desk, home: Path, lesson: Lesson) -> None:
    described = desk.described(desk.assignments()[0])
    assert described["title"] == lesson.title
    assert described["due_at"] == lesson.terms.due_at.isoformat().replace("+00:00", "Z")  # type: ignore[union-attr]
    assert (described["state"], described["folder"], described["notebook"], described["changed"]) == (
        "new",
        None,
        None,
        None,
    )
    desk.fetch(C, A, "en")
    described = desk.described(desk.assignments()[0])
    assert (described["folder"], described["notebook"]) == (f"{C}/{A}", f"{C}/{A}/{A}.ipynb")


def test_fetching_puts_the_release_into_the_home(desk: Desk, home: Path, lesson: Lesson) -> None:
    assert desk.fetch(C, A, "zh-CN").kept is None
    found = everything(home / C / A)
    assert found.pop(".practicum.json")
    assert found == lesson.release["zh-CN"]
    assert [path.name for path in (home / C).iterdir()] == [A]
    assert desk.folder(C, A).language("en") == "zh-CN"


def test_fetching_never_touches_work_and_again_keeps_it_under_another_name(
    desk: Desk, home: Path, lesson: Lesson
) -> None:
    desk.fetch(C, A, "en")
    work = home / C / A / f"{A}.ipynb"
    work.write_bytes(b"hours of work")
    with pytest.raises(AlreadyFetchedError, match=f"{C}/{A}"):
        desk.fetch(C, A, "en")
    assert work.read_bytes() == b"hours of work"
    kept = [desk.fetch(C, A, "en", again=True).kept for _ in range(2)]
    assert work.read_bytes() == lesson.release["en"][f"{A}.ipynb"]
    assert len(set(kept)) == 2
    assert (home / str(kept[0]) / f"{A}.ipynb").read_bytes() == b"hours of work"


@pytest.mark.parametrize("again", [False, True])
def test_a_broken_line_at_any_point_leaves_the_home_as_it_was_or_whole(
    desk: Desk, double: GraderDouble, home: Path, lesson: Lesson, again: bool
) -> None:
    if again:
        desk.fetch(C, A, "en")
        (home / C / A / "note.txt").write_text("mine")
    size = len(double.release(lesson, "en")[0])
    before = everything(home)
    for cut in [0, 1, 511, 512, 700, size - 1, *random.Random(3).sample(range(size), 12)]:
        double.faults.next = lambda _m, _p, cut=cut: ("answer", cut)
        with pytest.raises(CentreUnreachableError):
            desk.fetch(C, A, "en", again=again)
        assert everything(home) == before
        assert not list(home.glob(f"{C}/.{A}*"))
    broken = [("answer", 700), "refuse", (503, b"{}"), "answer"]
    double.faults.next = lambda _m, _p: broken.pop() if broken else None
    desk.fetch(C, A, "en", again=again)
    assert (home / C / A / f"{A}.ipynb").read_bytes() == lesson.release["en"][f"{A}.ipynb"]


def flipped(release: bytes) -> bytes:
    return release[:1200] + bytes([release[1200] ^ 1]) + release[1201:]


def other_assignment(_release: bytes) -> bytes:
    import io

    sink = io.BytesIO()
    centre_bundle.pack_contents({"x.ipynb": b"{}"}, sink, course=C, assignment="another")
    return sink.getvalue()


@pytest.mark.parametrize(
    "spoil", [flipped, other_assignment, lambda _: b"\x1f\x8b" * 900, lambda _: b"", lambda it: it + b"\0"]
)
@pytest.mark.parametrize("tag", [False, True])
def test_a_release_that_is_not_what_it_should_be_is_refused(
    desk: Desk, double: GraderDouble, home: Path, spoil: Any, tag: bool
) -> None:
    double.spoil, double.spoil_tag = spoil, tag
    with pytest.raises(ReleaseDamagedError):
        desk.fetch(C, A, "en")
    assert everything(home) == {}


def test_a_home_that_cannot_take_the_folder_says_so(desk: Desk, home: Path) -> None:
    (home / C).write_text("a file where the course's folder should be")
    with pytest.raises(HomeUnusableError, match=f"{C}/{A}"):
        desk.fetch(C, A, "en")


def test_handing_in_sends_notebooks_and_changed_files_of_the_release_and_nothing_else(
    desk: Desk, double: GraderDouble, home: Path
) -> None:
    desk.fetch(C, A, "zh-CN")
    folder = home / C / A
    answer = notebook("answer = 42")
    (folder / f"{A}.ipynb").write_bytes(answer)
    (folder / "extra.ipynb").write_bytes(notebook("more"))
    (folder / "secret.txt").write_text("not part of the release")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "old.ipynb").write_text("{}")
    told: list[tuple[int, int]] = []
    receipt = desk.hand_in(C, A, lambda sent, size: told.append((sent, size)), "en")
    assert handed_in(double, receipt.sha256) == {f"{A}.ipynb": answer, "extra.ipynb": notebook("more")}
    with double.objects.open(receipt.sha256) as file:
        assert centre_bundle.inspect(file).language == "zh-CN"  # of the copy that was fetched
    assert told[-1] == (receipt.size, receipt.size)
    (folder / "penguins_raw.csv").write_text("changed by the learner")
    receipt = desk.hand_in(C, A, silent, "en")
    assert handed_in(double, receipt.sha256).keys() == {f"{A}.ipynb", "extra.ipynb", "penguins_raw.csv"}
    assert receipt.number == 2


def test_the_same_work_has_the_same_receipt_and_a_change_is_noticed(desk: Desk, home: Path) -> None:
    desk.fetch(C, A, "en")
    first = desk.hand_in(C, A, silent, "en")
    assert desk.hand_in(C, A, silent, "en") == first

    def changed() -> object:
        return desk.described(desk.assignments()[0])["changed"]

    assert changed() is False
    path = home / C / A / f"{A}.ipynb"
    path.touch()
    assert changed() is False
    path.write_bytes(notebook("answer = 1"))
    assert changed() is True
    desk.hand_in(C, A, silent, "en")
    assert changed() is False
    (home / C / A / "new.ipynb").write_bytes(notebook("x"))
    assert changed() is True
    (home / C / A / ".practicum.json").write_text("[{")
    assert changed() is None


def test_an_upload_over_a_line_that_breaks_at_random_arrives_once_and_whole(
    desk: Desk, double: GraderDouble, home: Path, lesson: Lesson
) -> None:
    desk.fetch(C, A, "en")
    path = home / C / A / f"{A}.ipynb"
    for seed in range(12):
        dice = random.Random(seed)
        path.write_bytes(notebook(dice.randbytes(900_000).hex()))

        def fault(method: str, _path: str, dice: random.Random = dice) -> Any:
            if dice.random() < 0.45:
                return dice.choice(
                    [
                        "refuse",
                        "answer",
                        ("answer", dice.randrange(40)),
                        (502, b"<html>"),
                        ("request", dice.randrange(PIECE_BYTES)),
                    ]
                )
            return None

        double.faults.next = fault
        receipt = desk.hand_in(C, A, silent, "en")
        assert handed_in(double, receipt.sha256)[f"{A}.ipynb"] == path.read_bytes()
        assert receipt.number == seed + 1
    assert len({each.id for each in lesson.receipts}) == 12


def test_a_resumed_upload_does_not_send_what_has_arrived(desk: Desk, double: GraderDouble, home: Path) -> None:
    desk.fetch(C, A, "en")
    (home / C / A / f"{A}.ipynb").write_bytes(notebook("x" * 4 * PIECE_BYTES))
    broken = [None, None, "refuse"]
    double.faults.next = lambda method, _p: broken.pop(0) if method == "PUT" and broken else None
    desk.hand_in(C, A, silent, "en")
    offsets = [path.partition("offset=")[2] for method, path in double.faults.requests if method == "PUT"]
    assert offsets == [str(at * PIECE_BYTES) for at in (0, 1, 2, 2, 3, 4)]


def test_a_deadline_that_passes_while_the_line_is_broken_costs_nothing(
    desk: Desk, double: GraderDouble, home: Path, lesson: Lesson
) -> None:
    desk.fetch(C, A, "en")
    due = double.clock.now() + timedelta(seconds=10)
    lesson.terms = type(lesson.terms)(due_at=due, closes_at=due)
    broken = ["refuse"]

    def fault(method: str, _path: str) -> Any:
        if method == "PUT" and broken:
            double.clock.advance(60)
            return broken.pop()
        return None

    double.faults.next = fault
    assert desk.hand_in(C, A, silent, "en").on_time
    (home / C / A / f"{A}.ipynb").write_bytes(notebook("too late"))
    with pytest.raises(CentreRefusedError) as caught:
        desk.hand_in(C, A, silent, "en")
    assert caught.value.code == "submissions-closed"
    assert "takes no more work" in load("en").sentence(caught.value)
    assert "%(" not in load("zh-CN").sentence(caught.value)


def test_bytes_that_the_centre_lost_in_a_crash_are_sent_again(desk: Desk, double: GraderDouble, home: Path) -> None:
    desk.fetch(C, A, "en")
    spoiled = [True]

    def fault(_method: str, path: str) -> Any:
        if path.endswith("/finish") and spoiled:
            spoiled.pop()
            for part in double.objects.uploads.glob("*.part"):
                part.write_bytes(bytes(part.stat().st_size))
        return None

    double.faults.next = fault
    receipt = desk.hand_in(C, A, silent, "en")
    assert f"{A}.ipynb" in handed_in(double, receipt.sha256)


def test_a_centre_that_stays_away_is_given_up_after_two_minutes_without_progress(
    home: Path, double: GraderDouble
) -> None:
    waits: list[Haste] = []

    def patience(limit_s: float) -> Haste:
        waits.append(Haste(limit_s))
        return waits[-1]

    desk = Desk(home, Centre(double.url, TOKEN, "en", timeout_s=5), patience)
    desk.fetch(C, A, "en")
    double.faults.next = lambda method, _p: "refuse" if method != "GET" else None
    with pytest.raises(CentreUnreachableError):
        desk.hand_in(C, A, silent, "en")
    assert 60 < waits[-1].passed_s <= 120
    double.faults.next = lambda *_: "refuse"
    with pytest.raises(CentreUnreachableError):
        desk.assignments()
    assert waits[-1].passed_s <= 5


def test_what_is_not_worth_handing_in_is_said_before_anything_is_sent(
    desk: Desk, double: GraderDouble, home: Path
) -> None:
    with pytest.raises(NotFetchedError):
        desk.hand_in(C, A, silent, "en")
    desk.fetch(C, A, "en")
    path = home / C / A / f"{A}.ipynb"
    path.write_bytes(b"")
    with pytest.raises(NotebookEmptyError, match=A):
        desk.hand_in(C, A, silent, "en")
    path.rename(path.with_name("renamed.ipynb"))
    with pytest.raises(NotebookMissingError, match=f"{A}.ipynb"):
        desk.hand_in(C, A, silent, "en")
    path.symlink_to("renamed.ipynb")
    with pytest.raises(HandInError):
        desk.hand_in(C, A, silent, "en")
    path.unlink()
    path.write_bytes(notebook("fine"))
    (path.with_name("renamed.ipynb")).unlink()
    (path.with_name("link.ipynb")).symlink_to("/etc/passwd")
    with pytest.raises(NotAFileError, match=r"link\.ipynb"):
        desk.hand_in(C, A, silent, "en")
    assert not [method for method, _path in double.faults.requests if method != "GET"]


def test_refusals_of_the_centre_come_in_the_learners_language_and_an_old_token_says_what_to_do(
    home: Path, double: GraderDouble
) -> None:
    chinese = Desk(home, Centre(double.url, TOKEN, "zh-CN"), Haste)
    with pytest.raises(CentreRefusedError) as caught:
        chinese.fetch(C, "nothing", "zh-CN")
    assert load("zh-CN").sentence(caught.value).startswith("您的课程中没有这份作业。")
    with pytest.raises(SignInExpiredError, match="start it again"):
        Desk(home, Centre(double.url, "old", "en"), Haste).assignments()
    with pytest.raises(AssignmentUnknownError):
        chinese.named("nothing")
    for url in ("", "ftp://x", "nonsense"):
        with pytest.raises(NotAtCentreError):
            Centre(url, TOKEN, "en")


GOOD: dict[str, Any] = {
    "course": C, "course_title": "t", "assignment": A, "title": "t", "languages": ["en"], "due_at": None, "closes_at": None,
    "attempts_left": None, "state": "new", "receipts": [], "score": None, "feedback": [],
}  # fmt: skip


@pytest.mark.parametrize("wrong", [
    b"", b"[]", b"{}", b"null", b"\xff", b"[" * 100_000, json.dumps({"assignments": {}}).encode(),
    *(json.dumps({"assignments": [GOOD | change]}).encode() for change in (
        {"course": "../.."}, {"assignment": "a/b"}, {"assignment": ".hidden"}, {"due_at": "soon"}, {"due_at": "2026-01-01T00:00:00"},
        {"receipts": [{}]}, {"receipts": None}, {"score": {"earned": "1"}}, {"attempts_left": "3"}, {"feedback": ["x"]},
    )),
    b'{"assignments": "' + b"x" * (5 * 1024 * 1024) + b'"}',
])  # fmt: skip
def test_a_list_that_breaks_the_contract_is_refused_whole(desk: Desk, double: GraderDouble, wrong: bytes) -> None:
    double.faults.next = lambda *_: (200, wrong)
    with pytest.raises(CentreAnswerError):
        desk.assignments()


@pytest.mark.parametrize("wrong", [
    {"upload_id": "u", "offset": 10**9, "receipt": None}, {"upload_id": None, "offset": 0, "receipt": None},
    {"upload_id": "u", "offset": 0, "receipt": None},  # never moves
    {"upload_id": "u", "offset": 1, "receipt": {"id": "r", "course": C, "assignment": A, "learner": "x", "sha256": "0" * 64,
                                                "size": 1, "submitted_at": "2026-01-01T00:00:00Z", "verdict": "on-time", "attempt": 1}},
])  # fmt: skip
def test_progress_and_receipts_that_cannot_be_true_are_refused(
    desk: Desk, double: GraderDouble, wrong: dict[str, Any]
) -> None:
    desk.fetch(C, A, "en")
    double.faults.next = lambda method, _p: (200, json.dumps(wrong).encode()) if method != "GET" else None
    with pytest.raises(CentreAnswerError):
        desk.hand_in(C, A, silent, "en")


def test_a_server_without_a_centre_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRACTICUM_GRADER_URL", raising=False)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", TOKEN)
    with pytest.raises(NotAtCentreError):
        Centre.of_server("en")

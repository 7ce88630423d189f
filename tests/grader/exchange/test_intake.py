"""A hand-in is accepted once, with its bytes on disk before its row, or not at all."""

import hashlib
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from grader.exchange.errors import (
    AttemptsSpentError,
    BundleDamagedError,
    BundleForeignError,
    BundleMismatchError,
    BundleNotebookMissingError,
    BundleTooLargeError,
    RoomSpentError,
    SubmissionsClosedError,
    UploadIncompleteError,
    UploadOffsetError,
    UploadOverrunError,
    UploadRefusedError,
    UploadUnknownError,
)
from grader.exchange.intake import OPEN_UPLOADS, UPLOAD_WINDOW, Intake
from grader.exchange.terms import Terms, Verdict
from grader.store.model import Work
from grader.store.submissions import Submissions
from grader.store.tables import upload
from hub.database import Database
from tests.grader.exchange.conftest import DUE, LIN, NOTEBOOKS, WANG, Desk, bundle_of, desk_at


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def begin(desk: Desk, data: bytes, work: Work = LIN, terms: Terms | None = None) -> str:
    upload_id = desk.intake.announce(work, terms or Terms(), sha256=digest(data), size=len(data)).upload_id
    assert upload_id is not None
    return upload_id


def send(desk: Desk, upload_id: str, data: bytes) -> None:
    for offset in range(0, len(data), 65536):
        desk.intake.append(upload_id, LIN, offset, data[offset : offset + 65536])


def test_a_receipt_says_what_when_and_in_time(desk: Desk) -> None:
    data = bundle_of("one")
    receipt = desk.submit(data, terms=Terms(due_at=DUE))
    assert (receipt.sha256, receipt.size, receipt.attempt, receipt.verdict) == (
        digest(data),
        len(data),
        1,
        Verdict.ON_TIME,
    )
    assert receipt.to_json()["submitted_at"] == "2026-09-01T08:00:00Z"
    assert desk.objects.path(receipt.sha256).read_bytes() == data


def test_the_same_bundle_twice_gives_the_same_receipt_even_after_the_deadline(desk: Desk) -> None:
    first = desk.submit(bundle_of("one"), terms=Terms(due_at=DUE, closes_at=DUE))
    desk.clock.advance(86_400)
    assert desk.submit(bundle_of("one"), terms=Terms(due_at=DUE, closes_at=DUE)) == first


def test_other_bytes_are_another_attempt_and_going_back_is_a_third(desk: Desk) -> None:
    receipts = [desk.submit(bundle_of(text)) for text in ("one", "two", "one")]
    assert [receipt.attempt for receipt in receipts] == [1, 2, 3]
    with desk.database.reading() as connection:
        latest = Submissions(connection).latest(LIN)
    assert latest is not None
    assert latest.receipt == receipts[2]


def test_two_learners_with_the_same_bytes_get_a_receipt_each(desk: Desk) -> None:
    one, other = desk.submit(bundle_of("same")), desk.submit(bundle_of("same"), WANG)
    assert one.id != other.id
    assert one.sha256 == other.sha256


def test_knowing_a_digest_is_not_having_the_work(desk: Desk) -> None:
    data = bundle_of("hers")
    desk.submit(data)
    upload_id = begin(desk, data, WANG)
    with pytest.raises(UploadIncompleteError):
        desk.intake.finish(upload_id, WANG, NOTEBOOKS)


def test_somebody_elses_upload_is_unknown(desk: Desk) -> None:
    upload_id = begin(desk, bundle_of("hers"))
    for attempt in (
        lambda: desk.intake.append(upload_id, WANG, 0, b"x"),
        lambda: desk.intake.progress(upload_id, WANG),
        lambda: desk.intake.finish(upload_id, WANG, NOTEBOOKS),
        lambda: desk.intake.progress("0" * 32, LIN),
    ):
        with pytest.raises(UploadUnknownError):
            attempt()


def test_pieces_may_come_twice_but_leave_no_gap(desk: Desk) -> None:
    data = bundle_of("pieces")
    upload_id = begin(desk, data)
    desk.intake.append(upload_id, LIN, 0, data[:1000])
    assert desk.intake.append(upload_id, LIN, 0, data[:1000]).offset == 1000
    assert desk.intake.append(upload_id, LIN, 500, data[500:1500]).offset == 1500
    with pytest.raises(UploadOffsetError) as gap:
        desk.intake.append(upload_id, LIN, 1600, data[1600:])
    assert gap.value.fields["offset"] == 1500
    with pytest.raises(UploadOverrunError):
        desk.intake.append(upload_id, LIN, 1500, data[1500:] + b"x")
    with pytest.raises(UploadIncompleteError):
        desk.intake.finish(upload_id, LIN, NOTEBOOKS)
    desk.intake.append(upload_id, LIN, 1500, data[1500:])
    receipt = desk.intake.finish(upload_id, LIN, NOTEBOOKS)
    assert desk.intake.finish(upload_id, LIN, NOTEBOOKS) == receipt
    assert desk.intake.append(upload_id, LIN, 0, data).receipt == receipt
    assert desk.intake.progress(upload_id, LIN).receipt == receipt


def test_an_upload_is_found_again_after_the_panel_forgot_it(desk: Desk) -> None:
    data = bundle_of("long")
    upload_id = begin(desk, data)
    desk.intake.append(upload_id, LIN, 0, data[:700])
    again = desk.intake.announce(LIN, Terms(), sha256=digest(data), size=len(data))
    assert (again.upload_id, again.offset) == (upload_id, 700)


def test_a_fifth_unfinished_upload_gives_up_the_oldest(desk: Desk) -> None:
    ids = [begin(desk, bundle_of(str(number))) for number in range(5)]
    with pytest.raises(UploadUnknownError):
        desk.intake.append(ids[0], LIN, 0, b"x")
    desk.intake.append(ids[1], LIN, 0, b"x")


def test_all_hand_ins_of_a_learner_have_room_together_and_unfinished_ones_give_way(desk: Desk) -> None:
    other = Work("data-processing", "another", LIN.learner)
    data = [bundle_of(str(number) * 3000) for number in range(4)]
    intake = Intake(desk.database, desk.objects, desk.clock, room_bytes=3 * len(data[0]))
    desk.submit(data[0])
    unfinished = [intake.announce(work, Terms(), sha256=digest(data[1]), size=len(data[1])) for work in (other, LIN)]
    for begun, work in zip(unfinished, (other, LIN), strict=True):
        intake.append(str(begun.upload_id), work, 0, data[1][:100])
    intake.announce(LIN, Terms(), sha256=digest(data[2]), size=len(data[2]))
    with pytest.raises(UploadUnknownError):
        intake.append(str(unfinished[0].upload_id), other, 100, b"x")
    assert len(list(desk.objects.uploads.iterdir())) == 1
    desk.submit(data[1])
    desk.submit(data[2])
    desk.submit(data[1])
    with pytest.raises(RoomSpentError):
        intake.announce(other, Terms(), sha256=digest(data[3]), size=len(data[3]))
    assert intake.announce(LIN, Terms(), sha256=digest(data[1]), size=len(data[1])).receipt is not None
    intake.announce(WANG, Terms(), sha256=digest(data[3]), size=len(data[3]))


def test_announcing_without_an_end_fills_no_table(desk: Desk) -> None:
    kept = desk.submit(bundle_of("kept"))
    for number in range(50):
        upload_id = begin(desk, b"nonsense" * (number + 100))
        if number % 2:
            send(desk, upload_id, b"nonsense" * (number + 100))
            with pytest.raises(BundleDamagedError):
                desk.intake.finish(upload_id, LIN, NOTEBOOKS)
    with desk.database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(upload)).scalar_one() <= 1 + OPEN_UPLOADS + 1
    assert desk.submit(bundle_of("more")).attempt == kept.attempt + 1


def test_bytes_that_are_not_what_was_announced_are_refused_and_can_be_sent_again(desk: Desk) -> None:
    data = bundle_of("good")
    upload_id = begin(desk, data)
    desk.intake.append(upload_id, LIN, 0, bytes(len(data)))
    with pytest.raises(BundleMismatchError):
        desk.intake.finish(upload_id, LIN, NOTEBOOKS)
    with pytest.raises(UploadRefusedError):
        desk.intake.finish(upload_id, LIN, NOTEBOOKS)
    assert desk.submit(data).attempt == 1


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"nonsense" * 100, BundleDamagedError),
        (bundle_of("x", Work("data-processing", "other", "lin.na")), BundleForeignError),
        (bundle_of("x").replace(b"quality-audit.ipynb", b"quality-audiT.ipynb"), BundleDamagedError),
    ],
)
def test_what_is_no_bundle_of_this_assignment_is_refused_and_forgotten(
    desk: Desk, data: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        desk.submit(data)
    assert not list(desk.objects.addresses())
    assert not list(desk.objects.uploads.iterdir())


def test_a_bundle_without_the_notebook_is_refused(desk: Desk) -> None:
    upload_id = begin(desk, data := bundle_of("x"))
    desk.intake.append(upload_id, LIN, 0, data)
    with pytest.raises(BundleNotebookMissingError):
        desk.intake.finish(upload_id, LIN, frozenset({"other.ipynb"}))


def test_announcements_are_checked(desk: Desk) -> None:
    for sha256, size in (("0" * 63, 1), ("Z" * 64, 1), ("0" * 64, 0)):
        with pytest.raises(BundleMismatchError):
            desk.intake.announce(LIN, Terms(), sha256=sha256, size=size)
    with pytest.raises(BundleTooLargeError):
        desk.intake.announce(LIN, Terms(), sha256="0" * 64, size=10**9)


def test_at_the_deadlines_second_is_on_time_and_one_later_is_late(desk: Desk) -> None:
    desk.clock.advance(4 * 3600 + 0.999)
    assert desk.submit(bundle_of("last second"), terms=Terms(due_at=DUE)).verdict is Verdict.ON_TIME
    desk.clock.advance(0.001)
    assert desk.submit(bundle_of("late"), terms=Terms(due_at=DUE)).verdict is Verdict.LATE


def test_a_slow_line_costs_nobody_the_deadline_but_a_pause_does(desk: Desk) -> None:
    terms = Terms(due_at=DUE)
    desk.clock.advance(4 * 3600)
    slow, paused = bundle_of("slow"), bundle_of("paused")
    slow_id, paused_id = begin(desk, slow, LIN, terms), begin(desk, paused, WANG, terms)
    desk.intake.append(slow_id, LIN, 0, slow)
    desk.intake.append(paused_id, WANG, 0, paused)
    desk.clock.advance(UPLOAD_WINDOW.total_seconds())
    assert desk.intake.finish(slow_id, LIN, NOTEBOOKS).verdict is Verdict.ON_TIME
    desk.clock.advance(1)
    receipt = desk.intake.finish(paused_id, WANG, NOTEBOOKS)
    assert (receipt.verdict, receipt.submitted_at) == (Verdict.LATE, desk.clock.now())


def test_closed_means_closed_also_for_an_upload_kept_open(desk: Desk) -> None:
    terms = Terms(due_at=DUE, closes_at=DUE + timedelta(hours=1))
    data = bundle_of("kept back")
    upload_id = begin(desk, data, terms=terms)
    desk.intake.append(upload_id, LIN, 0, data)
    desk.clock.advance(86_400)
    with pytest.raises(SubmissionsClosedError, match="2026-09-01 13:00"):
        desk.intake.announce(LIN, terms, sha256="0" * 64, size=5)
    with pytest.raises(SubmissionsClosedError):
        desk.intake.finish(upload_id, LIN, NOTEBOOKS)


def test_attempts_are_counted(desk: Desk) -> None:
    terms = Terms(attempts=2)
    for text in ("one", "two"):
        desk.submit(bundle_of(text), terms=terms)
    assert desk.submit(bundle_of("two"), terms=terms).attempt == 2
    with pytest.raises(AttemptsSpentError, match="2 times"):
        desk.submit(bundle_of("three"), terms=terms)


def test_the_one_announced_last_counts_whichever_line_is_faster(desk: Desk) -> None:
    slow, fast = bundle_of("slow"), bundle_of("fast")
    slow_id = begin(desk, slow)
    desk.intake.append(slow_id, LIN, 0, slow)
    desk.submit(fast)
    desk.clock.step_wall(-3600)
    assert desk.intake.finish(slow_id, LIN, NOTEBOOKS).attempt == 2
    with desk.database.reading() as connection:
        latest = Submissions(connection).latest(LIN)
        listed = Submissions(connection).latest_of(LIN.course, LIN.assignment)
    assert latest is not None
    assert latest.sha256 == digest(fast)
    assert listed == [latest]


def test_the_same_bundle_at_the_same_instant_is_one_hand_in(desk: Desk) -> None:
    with ThreadPoolExecutor(8) as threads:
        for number in range(10):
            data = bundle_of(f"same instant {number}")
            receipts = list(threads.map(lambda _, data=data: desk.submit(data), range(16)))
            assert len(set(receipts)) == 1
            assert receipts[0].attempt == number + 1
    assert not list(desk.objects.uploads.iterdir())


def test_different_bundles_at_the_same_instant_are_all_receipted_in_an_order(desk: Desk) -> None:
    upload_ids = {begin(desk, data := bundle_of(str(n))): data for n in range(4)}
    for upload_id, data in upload_ids.items():
        desk.intake.append(upload_id, LIN, 0, data)
    with ThreadPoolExecutor(4) as threads:
        receipts = list(threads.map(lambda each: desk.intake.finish(each, LIN, NOTEBOOKS), upload_ids))
    assert sorted(receipt.attempt for receipt in receipts) == [1, 2, 3, 4]
    assert len({receipt.submitted_at for receipt in receipts}) == 1


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_of_pieces_ends_in_the_bytes_or_a_sentence(
    data: st.DataObject, database: Database, tmp_path_factory: pytest.TempPathFactory
) -> None:
    desk = desk_at(database, tmp_path_factory.mktemp("desk"))
    whole = bundle_of(data.draw(st.text("ab\n", min_size=1, max_size=2000)))
    work = Work(
        "data-processing", "quality-audit", uuid.uuid4().hex
    )  # not drawn: what was drawn comes again, and is handed in already
    upload_id = begin(desk, whole, work)
    for offset, length in data.draw(st.lists(st.tuples(st.integers(-5, 9000), st.integers(0, 5000)), max_size=8)):
        try:
            desk.intake.append(upload_id, work, offset, whole[max(offset, 0) : max(offset, 0) + length])
        except (UploadOffsetError, UploadOverrunError):
            continue
    arrived = desk.intake.progress(upload_id, work).offset
    desk.intake.append(upload_id, work, arrived, whole[arrived:])
    receipt = desk.intake.finish(upload_id, work, NOTEBOOKS)
    assert desk.objects.path(receipt.sha256).read_bytes() == whole

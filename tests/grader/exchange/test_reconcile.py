"""Whatever a crash leaves behind is explained: bytes without a row, rows without bytes."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from grader.exchange.intake import Intake
from grader.exchange.reconcile import PAGE_BEGINS, Kind
from grader.exchange.terms import Terms
from grader.store.model import Upload
from tests.grader.exchange.conftest import LIN, NOTEBOOKS, Desk, bundle_of
from tests.grader.exchange.test_intake import begin, digest

NOW = timedelta()


class PowerCut(BaseException):
    """Ends the process, as far as the code under test can tell."""


def kinds(desk: Desk, **options: object) -> list[Kind]:
    report = desk.reconciler.run(**options)  # type: ignore[arg-type]
    assert all(finding.sentence.endswith(".") for finding in report.findings)
    return [finding.kind for finding in report.findings]


def crash_before_the_row(desk: Desk, monkeypatch: pytest.MonkeyPatch, data: bytes) -> str:
    upload_id = begin(desk, data)
    desk.intake.append(upload_id, LIN, 0, data)

    def cut(_self: Intake, _found: Upload, _language: str) -> None:
        raise PowerCut

    with monkeypatch.context() as patched:
        patched.setattr(Intake, "_recorded", cut)
        with pytest.raises(PowerCut):
            desk.intake.finish(upload_id, LIN, NOTEBOOKS)
    assert desk.objects.has(digest(data))
    return upload_id


def test_nothing_is_found_where_nothing_happened(desk: Desk) -> None:
    desk.submit(bundle_of("one"))
    assert kinds(desk, deep=True, young=NOW) == []


def test_a_crash_between_bytes_and_row_is_taken_up_by_the_learners_next_try(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bundle_of("cut")
    upload_id = crash_before_the_row(desk, monkeypatch, data)
    assert desk.intake.finish(upload_id, LIN, NOTEBOOKS).sha256 == digest(data)
    assert kinds(desk, young=NOW) == []


def test_a_crash_between_bytes_and_row_is_adopted_if_the_learner_is_gone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bundle_of("cut")
    crash_before_the_row(desk, monkeypatch, data)
    assert kinds(desk, young=timedelta(days=400)) == []
    desk.clock.step_wall(timedelta(days=365).total_seconds())
    assert kinds(desk, young=NOW) == [Kind.ADOPTED]
    assert desk.submit(data).attempt == 1
    assert kinds(desk, young=NOW) == []


def test_bytes_of_nobody_are_kept_aside_and_come_back_when_named(desk: Desk) -> None:
    receipt = desk.submit(bundle_of("one"))
    stray = desk.objects.put(b"whose is this?")
    assert kinds(desk, young=timedelta(days=400)) == []
    desk.clock.step_wall(timedelta(days=365).total_seconds())
    assert kinds(desk, young=NOW) == [Kind.QUARANTINED]
    assert (desk.objects.quarantine / stray).read_bytes() == b"whose is this?"
    desk.objects.set_aside(receipt.sha256, desk.clock.now().timestamp())
    assert kinds(desk) == [Kind.BROUGHT_BACK]
    assert desk.objects.has(receipt.sha256)


def test_a_page_of_feedback_that_no_release_names_is_explained_and_gone_after_a_week(desk: Desk) -> None:
    page, stray = desk.objects.put(PAGE_BEGINS + b"<html>"), desk.objects.put(b"whose is this?")
    desk.clock.step_wall(timedelta(days=365).total_seconds())
    assert set(kinds(desk, young=NOW)) == {Kind.REPLACED, Kind.QUARANTINED}
    assert (desk.objects.quarantine / page).exists()
    assert kinds(desk, young=NOW) == []
    desk.clock.advance(8 * 86_400)
    assert kinds(desk, young=NOW) == [Kind.TIDIED]
    assert [path.name for path in desk.objects.quarantine.iterdir()] == [stray]


def test_equal_bytes_put_at_the_same_instant_are_one_whole_object(desk: Desk) -> None:
    for number in range(20):
        data = f"{PAGE_BEGINS.decode()}{number}".encode() * 20_000
        with ThreadPoolExecutor(8) as threads:
            addresses = set(threads.map(lambda _, data=data: desk.objects.put(data), range(8)))
        assert addresses == {digest(data)}
        assert desk.objects.path(digest(data)).read_bytes() == data
    assert not list(desk.objects.uploads.iterdir())


def test_a_row_without_bytes_is_said_loudly(desk: Desk) -> None:
    receipt = desk.submit(bundle_of("one"))
    desk.objects.path(receipt.sha256).unlink()
    report = desk.reconciler.run()
    assert not report.is_whole
    assert receipt.id in report.findings[0].sentence


def test_changed_bytes_are_found_by_a_deep_look(desk: Desk) -> None:
    receipt = desk.submit(bundle_of("one"))
    with desk.objects.path(receipt.sha256).open("r+b") as file:
        file.write(b"!")
    assert kinds(desk) == []
    assert kinds(desk, deep=True) == [Kind.DAMAGED]


def test_an_unfinished_upload_waits_a_week(desk: Desk) -> None:
    data = bundle_of("half")
    upload_id = begin(desk, data)
    desk.intake.append(upload_id, LIN, 0, data[:100])
    desk.clock.advance(6 * 86_400)
    assert kinds(desk) == []
    desk.clock.advance(2 * 86_400)
    assert kinds(desk, young=timedelta(days=400)) == [Kind.EXPIRED]
    assert not list(desk.objects.uploads.iterdir())


def test_upload_files_nobody_waits_for_are_removed(desk: Desk) -> None:
    path = desk.objects.uploads / "left.part"
    path.write_bytes(b"x")
    assert kinds(desk) == []
    os.utime(path, (1, 1))
    assert kinds(desk) == [Kind.TIDIED]


def test_a_complete_upload_that_is_no_bundle_is_refused(desk: Desk) -> None:
    data = b"nonsense" * 100
    upload_id = desk.intake.announce(LIN, Terms(), sha256=digest(data), size=len(data)).upload_id
    assert upload_id is not None
    desk.intake.append(upload_id, LIN, 0, data)
    desk.clock.step_wall(timedelta(days=365).total_seconds())
    assert kinds(desk, young=NOW) == [Kind.REFUSED]

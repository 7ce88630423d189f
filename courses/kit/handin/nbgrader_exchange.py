"""nbgrader's exchange over the centre: `nbgrader list`, `fetch_assignment`, `submit` and `fetch_feedback` in a learner's
terminal, and its Assignment List, all through the same desk as the panel.

Folders lie in the home as COURSE/ASSIGNMENT, wherever the command is run. What instructors do through an exchange they do
on the centre's pages, and these classes say so. The names of classes and methods are nbgrader's plugin interface.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from nbgrader.exchange import ExchangeError, abc

from courses.kit.handin.answers import Assignment, Receipt, moment_text
from courses.kit.handin.centre import Centre
from courses.kit.handin.desk import Desk
from courses.kit.handin.errors import HandInError
from courses.kit.handin.texts import load, of_server

T = TypeVar("T")


class _AtDesk:
    """What the learner's side shares: the desk, and errors as one sentence in place of a traceback."""

    coursedir: Any
    log: Any
    fail: Callable[[str], NoReturn]

    def init_src(self) -> None:
        self.language = of_server()
        self.texts = load(self.language)

    def init_dest(self) -> None:
        self.desk = self.told(lambda: Desk(Path.home(), Centre.of_server(self.language)))

    def told(self, step: Callable[[], T]) -> T:
        """What the step gives; its failure as nbgrader's own, with the sentence and nothing else."""
        try:
            return step()
        except HandInError as exc:
            sentence = self.texts.sentence(exc)
            self.log.error(sentence)  # noqa: TRY400 - the sentence is all that helps here
            raise ExchangeError(sentence) from exc

    def wanted(self) -> Assignment:
        """The assignment the command names, as `ASSIGNMENT` with or without `--course`, or as `COURSE/ASSIGNMENT`."""
        course, _, name = self.coursedir.assignment_id.rstrip("/").rpartition("/")
        return self.told(lambda: self.desk.named(name, course or self.coursedir.course_id))

    def say(self, message_id: str, **fields: object) -> None:
        self.log.info(self.texts.text(message_id, **fields))


class FetchAssignment(_AtDesk, abc.ExchangeFetchAssignment):  # type: ignore[misc]
    """`nbgrader fetch_assignment`; `--replace` keeps the older folder under another name."""

    def copy_files(self) -> None:
        found = self.wanted()
        again = self.replace_missing_files
        fetched = self.told(lambda: self.desk.fetch(found.course, found.name, self.language, again=again))
        if fetched.kept is not None:
            self.say("Your earlier folder is now %(kept)s.", kept=fetched.kept)
        self.say("Fetched: the assignment is in %(folder)s in your home.", folder=fetched.folder)


class Submit(_AtDesk, abc.ExchangeSubmit):  # type: ignore[misc]
    """`nbgrader submit`: hands in what is saved, and prints the receipt."""

    def copy_files(self) -> None:
        found = self.wanted()
        receipt = self.told(lambda: self.desk.hand_in(found.course, found.name, lambda *_: None, self.language))
        verdict = self.texts.text("on time") if receipt.on_time else self.texts.text("late")
        self.say(
            "Handed in. Receipt %(number)s: %(course)s/%(assignment)s at %(time)s (UTC), %(verdict)s, SHA-256 %(sha256)s.",
            number=receipt.number,
            course=receipt.course,
            assignment=receipt.assignment,
            time=moment_text(receipt.submitted_at),
            verdict=verdict,
            sha256=receipt.sha256,
        )


class FetchFeedback(_AtDesk, abc.ExchangeFetchFeedback):  # type: ignore[misc]
    """`nbgrader fetch_feedback`: each hand-in's feedback into ASSIGNMENT/feedback/TIME/feedback.html."""

    def copy_files(self) -> None:
        found = self.wanted()
        folder = self.desk.folder(found.course, found.name)
        self.told(folder.require)
        for receipt in found.receipts:
            if receipt.id in found.feedback:
                self._write(receipt, folder.path)
        if not found.feedback:
            self.say("There is no feedback yet.")

    def _write(self, receipt: Receipt, folder: Path) -> None:
        html = self.told(lambda: self.desk.feedback(receipt.course, receipt.assignment, receipt.id))
        path = _feedback_path(folder, receipt)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html, encoding="utf-8")
        self.say("Feedback: %(path)s.", path=path.relative_to(Path.home()))


class List(_AtDesk, abc.ExchangeList):  # type: ignore[misc]
    """`nbgrader list`: what is released, or with `--cached` what was handed in, in the shape the Assignment List shows."""

    def copy_files(self) -> None:
        """Nothing: listing copies nothing."""

    def list_files(self) -> list[dict[str, Any]]:
        found = [each for each in self.told(self.desk.assignments) if self._is_wanted(each)]
        if self.inbound or self.cached:
            return self._handed_in(found)
        return [self._released(each) for each in found]

    def remove_files(self) -> NoReturn:
        self.fail(self.texts.text("What was handed in stays at the centre; it cannot be removed from here."))

    def _is_wanted(self, found: Assignment) -> bool:
        return self.coursedir.course_id in {"", found.course} and self.coursedir.assignment_id in {"", found.name}

    def _released(self, found: Assignment) -> dict[str, Any]:
        folder = self.desk.folder(found.course, found.name)
        self.log.info("%s %s%s", found.course, found.name, " (already downloaded)" if folder.is_there else "")
        return {
            "course_id": found.course,
            "assignment_id": found.name,
            "status": "fetched" if folder.is_there else "released",
            "path": str(folder.path),
            "notebooks": [
                {"notebook_id": name.removesuffix(".ipynb"), "path": str(folder.path / name)}
                for name in (folder.notebooks() if folder.is_there else [])
            ],
        }

    def _handed_in(self, found: list[Assignment]) -> list[dict[str, Any]]:
        listed = []
        for each in found:
            receipts = sorted(each.receipts, key=lambda receipt: receipt.submitted_at)
            submissions = [self._submission(each, receipt) for receipt in receipts]
            if submissions:
                listed.append(
                    {
                        "course_id": each.course,
                        "student_id": each.receipts[0].learner,
                        "assignment_id": each.name,
                        "status": "submitted",
                        "submissions": submissions,
                    }
                )
        return listed

    def _submission(self, found: Assignment, receipt: Receipt) -> dict[str, Any]:
        self.log.info("%s %s %s", found.course, found.name, moment_text(receipt.submitted_at))
        here = _feedback_path(self.desk.folder(found.course, found.name).path, receipt)
        state = {
            "has_local_feedback": here.is_file(),
            "has_exchange_feedback": receipt.id in found.feedback,
            "feedback_updated": False,
            "local_feedback_path": str(here.parent) if here.is_file() else None,
        }
        return {
            "course_id": found.course,
            "student_id": receipt.learner,
            "assignment_id": found.name,
            "timestamp": _stamp(receipt),
            "status": "submitted",
            "path": str(here.parent),
            "notebooks": [{"notebook_id": found.name, "path": str(here), **state}],
            **state,
        }


class _AtThePage:
    """What the instructor's side shares: one sentence that says where it is done."""

    texts: Any
    fail: Callable[[str], NoReturn]

    def start(self) -> NoReturn:
        texts = load(of_server())
        self.fail(texts.text("Releasing, collecting and giving feedback is done on the centre's page for instructors."))


class ReleaseAssignment(_AtThePage, abc.ExchangeReleaseAssignment):  # type: ignore[misc]
    """Not through an exchange."""


class ReleaseFeedback(_AtThePage, abc.ExchangeReleaseFeedback):  # type: ignore[misc]
    """Not through an exchange."""


class Collect(_AtThePage, abc.ExchangeCollect):  # type: ignore[misc]
    """Not through an exchange."""


class Exchange(_AtDesk, abc.Exchange):  # type: ignore[misc]
    """Only here for nbgrader's `--timezone` and the like; every step is in the classes above."""


def _stamp(receipt: Receipt) -> str:
    return receipt.submitted_at.strftime("%Y-%m-%d %H:%M:%S.%f UTC")


def _feedback_path(folder: Path, receipt: Receipt) -> Path:
    return folder / "feedback" / _stamp(receipt) / "feedback.html"

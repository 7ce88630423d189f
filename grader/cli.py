"""`python -m grader.cli`: list the courses and release their lessons; offer assignments; take courses over and give them back."""

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from grader.assignments.catalogue import COURSES_DIR, course, courses, listing
from grader.errors import GraderError
from grader.exchange.terms import Terms
from grader.zone import zone_of
from hub.errors import HubError
from hub.settings import effective_settings
from hub.state import StateDir

if TYPE_CHECKING:
    from grader.grading import Grading


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 with one sentence on standard error where the course or the disk is at fault, 2 for usage."""
    options = _parser().parse_args(arguments)
    try:
        if options.command in _AT_A_CENTRE:
            _AT_A_CENTRE[options.command](options)
            return 0
        found = (course(options.course, options.courses),) if options.course else courses(options.courses)
        if options.command == "list":
            print(json.dumps(listing(found), ensure_ascii=False, indent=1))
            return 0
        # Building this package's grammar takes 0.9 s of processor time. jsonschema does without where it is not installed;
        # it is for formats that no notebook's schema uses.
        sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
        # Imported here because nbgrader takes over a second, and listing needs none of it.
        from grader.assignments.release import release_all  # noqa: PLC0415

        for released in release_all(found, options.into):
            print("released" if released.changed else "unchanged", released.path)
    except (GraderError, HubError) as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="grader", description=__doc__)
    parser.add_argument(
        "--courses", type=Path, default=COURSES_DIR, help="folder of courses (default: the distribution's)"
    )
    parser.add_argument("--course", help="only this course")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="courses and assignments as JSON")
    releasing = commands.add_parser("release", help="put every lesson where learners' servers mount it from")
    releasing.add_argument("--into", type=Path, required=True, help="the state directory's courses/ folder")
    _add_commands_at_a_centre(commands)
    return parser


def _add_commands_at_a_centre(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    texts = {
        "lesson": "make the lesson learners get from an imported course's source",
        "offer": "release an assignment to its learners, unless it is released already",
        "import": "take over an nbgrader course folder",
        "export": "give a course back as an nbgrader course folder",
    }
    made = {}
    for name, text in texts.items():
        made[name] = commands.add_parser(name, help=text)
        made[name].add_argument("--state-dir", type=Path, required=True, help="the centre's state directory")
    for name in ("lesson", "offer"):
        made[name].add_argument("course_name", metavar="COURSE")
        made[name].add_argument("assignment", metavar="ASSIGNMENT")
    made["offer"].add_argument("--due-in-days", type=float, help="when it is due; without, never")
    made["offer"].add_argument("--by", default="practicum", help="who releases it, for the records")
    made["import"].add_argument("folder", type=Path, metavar="FOLDER")
    made["import"].add_argument("--name", help="name of the course here (default: the id in its configuration)")
    made["export"].add_argument("course_name", metavar="COURSE")
    made["export"].add_argument("folder", type=Path, metavar="FOLDER", help="new, or empty")


def _make_lesson(options: argparse.Namespace) -> None:
    from grader.assignments.imported import release_imported  # noqa: PLC0415 - loads nbgrader

    for released in release_imported(StateDir(options.state_dir).courses / options.course_name, options.assignment):
        print("released" if released.changed else "unchanged", released.path)


def _offer(options: argparse.Namespace) -> None:
    with _grading(options.state_dir) as grading:
        due_at = None
        if options.due_in_days is not None:
            last = grading.clock.now().astimezone(zone_of(effective_settings(StateDir(options.state_dir)).time_zone))
            last += timedelta(days=options.due_in_days)
            due_at = last.replace(hour=23, minute=59, second=0, microsecond=0)
        new = grading.offers.put_if_new(options.course_name, options.assignment, Terms(due_at), offered_by=options.by)
        print("released" if new else "unchanged", f"{options.course_name}/{options.assignment}")


def _import(options: argparse.Namespace) -> None:
    with _grading(options.state_dir) as grading:
        taken = grading.importing.take_over(options.folder, options.name)
        print(
            f"{taken.course}: {', '.join(taken.assignments)}; {taken.hand_ins} hand-ins; "
            f"{taken.manual_grades} marks given by hand"
        )
        for each in taken.left:
            print(f"not taken over: the hand-in {each.where}: {each.reason}")
        for setting in taken.ignored_settings:
            print(f"not taken over: {setting}")


def _export(options: argparse.Namespace) -> None:
    with _grading(options.state_dir) as grading:
        grading.recorder.record_rest()
        grading.exporting.give_back(options.course_name, options.folder)
        print(options.folder)


@contextlib.contextmanager
def _grading(state_dir: Path) -> Iterator["Grading"]:
    from grader.grading import open_grading  # noqa: PLC0415 - a database library, for commands that need none

    state = StateDir(state_dir)
    state.prepare()
    grading = open_grading(state, url=effective_settings(state).database.grader_url)
    try:
        yield grading
    finally:
        grading.close()


_AT_A_CENTRE = {"lesson": _make_lesson, "offer": _offer, "import": _import, "export": _export}


if __name__ == "__main__":
    sys.exit(main())

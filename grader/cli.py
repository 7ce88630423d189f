"""`python -m grader.cli`: list the courses and release their lessons."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from grader.assignments.catalogue import COURSES_DIR, course, courses, listing
from grader.errors import GraderError


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 with one sentence on standard error where the course or the disk is at fault, 2 for usage."""
    options = _parser().parse_args(arguments)
    try:
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
    except GraderError as exc:
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
    return parser


if __name__ == "__main__":
    sys.exit(main())

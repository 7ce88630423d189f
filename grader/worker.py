"""`python -m grader.worker --state-dir STATE`: grades what is in the queue until SIGTERM; the submission in hand is finished."""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from grader.errors import GraderError
from grader.grading import open_grading
from hub.errors import HubError
from hub.settings import effective_settings
from hub.state import StateDir


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 after SIGTERM or Ctrl-C, 1 with one sentence where state or database cannot be used."""
    options = _parser().parse_args(arguments)
    # Building this package's grammar takes 0.9 s of processor time. jsonschema does without where it is not installed;
    # it is for formats that no notebook's schema uses.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        state = StateDir(options.state_dir)
        state.prepare()
        url = options.database_url or effective_settings(state).database.grader_url
        grading = open_grading(state, url=url, courses=options.courses)
    except (GraderError, HubError) as exc:
        print(exc, file=sys.stderr)  # noqa: T201 - a command line prints
        return 1
    try:
        grading.worker(number=options.number).run(stop, idle_s=options.idle_s)
    finally:
        grading.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="grader.worker", description=__doc__)
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=os.environ.get("PRACTICUM_STATE_DIR"),
        required="PRACTICUM_STATE_DIR" not in os.environ,
        help="the centre's state directory (default: PRACTICUM_STATE_DIR)",
    )
    parser.add_argument("--database-url", default="", help="another database than the SQLite file under db/")
    parser.add_argument("--courses", type=Path, help="another folder of courses than the distribution's")
    parser.add_argument("--number", type=int, default=0, help="which worker of this machine it is, from 0")
    parser.add_argument("--idle-s", type=float, default=1.0, help="seconds between two looks at an empty queue")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""A process that hands in as fast as it can, and says on standard output only what it holds a receipt for.

`python -m tests.grader.chaos STATE_DIR LEARNER_PREFIX COUNT`: killed at any moment by its test.
"""

import json
import sys
from pathlib import Path

from grader.exchange.intake import Intake
from grader.exchange.objects import ObjectStore
from grader.exchange.terms import Terms
from grader.store.jobs import Jobs
from grader.store.model import Work
from grader.store.submissions import Submissions
from hub.clock import SystemClock
from hub.database import Database, sqlite_url
from hub.state import StateDir


def main() -> None:
    root, prefix, count = sys.argv[1:]
    state, clock = StateDir(Path(root)), SystemClock()
    # Not the whole grader: nbgrader alone takes a second to import, and this process is killed all the time.
    database = Database(sqlite_url(state.databases / "grader.sqlite"))
    intake = Intake(database, ObjectStore(state.submissions), clock)
    released = state.courses / "birds" / "release" / "en" / "weigh" / "weigh.ipynb"
    notebook = json.loads(released.read_text(encoding="utf-8"))
    for number in range(int(count)):
        answer = "def heavier(a, b):\n    return max(a, b)" if number % 2 else "def heavier(a, b):\n    return a"
        for cell in notebook["cells"]:
            if cell["metadata"].get("nbgrader", {}).get("grade_id") == "heavier":
                cell["source"] = f"{answer}  # {prefix} {number}"
        work = Work("birds", "weigh", f"{prefix}-{number}")
        files = {"weigh.ipynb": json.dumps(notebook).encode()}
        receipt = intake.accept_whole(work, Terms(), files, frozenset(files))
        with database.writing() as connection:
            accepted = Submissions(connection).by_receipt(receipt.id)
            assert accepted is not None
            Jobs(connection).enqueue(accepted.id, requested_by="chaos", now=clock.now())
        print(json.dumps(receipt.to_json()), flush=True)  # noqa: T201 - what the test reads


if __name__ == "__main__":
    main()

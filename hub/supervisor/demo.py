"""`python -m hub.supervisor.demo STATE_DIR`: make the demo cohort, print as JSON how its people sign in first."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from hub.cohorts.demo import make_demo
from hub.state import StateDir
from hub.supervisor.first_start import DemoSignIn
from hub.wiring import open_service


def main(root: Path) -> None:
    """On a roster with anybody on it: nothing is made, and the list is empty."""
    state = StateDir(root)
    released = sorted(path.parent.name for path in state.courses.glob("*/release"))
    service = open_service(state)
    try:
        people = make_demo(service, released)
    finally:
        service.close()
    state.demo_file.write_text(json.dumps({"made": bool(people)}) + "\n", encoding="utf-8")
    made = [DemoSignIn(each.name, each.display_name, each.role.value, each.invitation.token) for each in people]
    print(json.dumps([asdict(each) for each in made]))  # noqa: T201 - the answer to the parent


if __name__ == "__main__":
    main(Path(sys.argv[1]))

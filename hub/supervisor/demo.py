"""`python -m hub.supervisor.demo STATE_DIR`: make the demo cohort, print as JSON how its people sign in first."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from hub.cohorts.demo import PEOPLE, make_demo
from hub.cohorts.errors import UnknownPersonError
from hub.cohorts.service import CohortService
from hub.state import StateDir
from hub.supervisor.first_start import DemoSignIn, demo_was_begun, note_demo
from hub.wiring import open_service


def main(root: Path) -> None:
    """On a roster with people on it that are not ours nothing is made, and the list is empty."""
    state = StateDir(root)
    begun = demo_was_begun(state)
    service = open_service(state)
    try:
        note_demo(state, shown=False)
        people = _made(state, service) or (list(_left_without_link(service)) if begun else [])
    finally:
        service.close()
    if not people:
        note_demo(state, shown=True)  # somebody else's roster: no need to look again
    print(json.dumps([asdict(each) for each in people]))  # noqa: T201 - the answer to the parent


def _made(state: StateDir, service: CohortService) -> list[DemoSignIn]:
    released = sorted(path.parent.name for path in state.courses.glob("*/release"))
    return [
        DemoSignIn(each.name, each.display_name, each.role.value, each.invitation.token)
        for each in make_demo(service, released)
    ]


def _left_without_link(service: CohortService) -> Iterator[DemoSignIn]:
    """An earlier start ended before it could show the links; of those only hashes are stored, so there are new ones."""
    for name, display_name, role, _ in PEOPLE:
        try:
            if not service.roster.person(name).has_password:
                yield DemoSignIn(name, display_name, role.value, service.invitations.issue(name).token)
        except UnknownPersonError:
            continue


if __name__ == "__main__":
    main(Path(sys.argv[1]))

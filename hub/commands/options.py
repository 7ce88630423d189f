"""What several commands share: which state directory is meant, and that it is the caller's own."""

import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from hub.errors import StateError
from hub.state import StateDir

Command = TypeVar("Command", bound=Callable[..., object])


def default_state_root() -> Path:
    """$PRACTICUM_STATE_DIR, else /var/lib/practicum for root, else the XDG directory for state of this user."""
    if chosen := os.environ.get("PRACTICUM_STATE_DIR"):
        return Path(chosen)
    if os.geteuid() == 0:
        return Path("/var/lib/practicum")
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "practicum"


def state_dir_option(command: Command) -> Command:
    """The option `--state-dir`, given to the command as `state: StateDir`."""
    return click.option(
        "--state-dir",
        "state",
        type=click.Path(file_okay=True, path_type=Path),
        callback=lambda _context, _option, path: StateDir((path or default_state_root()).absolute()),
        help="Where everything that must survive a restart lies. Default: $PRACTICUM_STATE_DIR, else "
        "/var/lib/practicum for root and ~/.local/state/practicum for others.",
    )(command)


def require_centre(state: StateDir) -> None:
    """Raise `StateError` unless there is a centre, of this version or an older one, and it is the caller's own."""
    if not state.version_file.exists():
        raise StateError(
            "There is no centre in %(path)s yet: start one with `practicum up`, or name another with --state-dir.",
            path=state.root,
        )
    require_own(state)
    state.prepare()


def require_own(state: StateDir) -> None:
    """Raise `StateError` where the directory is another user's: files written now would not be theirs any more."""
    try:
        owner = state.root.stat().st_uid
    except OSError:
        return  # not there yet, or not to be used at all: `prepare` says so
    if owner != os.geteuid():
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = str(owner)
        raise StateError(
            "%(path)s belongs to the user %(owner)s: run this as %(owner)s, or name another with --state-dir.",
            path=state.root,
            owner=name,
        )

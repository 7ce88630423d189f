"""Making a state directory empty again."""

import os
import shutil
from pathlib import Path

from hub.errors import StateError
from hub.state import StateDir


def clear_state(state: StateDir) -> None:
    """Delete everything but `settings.yaml` and the lock, which the caller holds.

    Homes go before the roster: interrupted in between, a roster without homes is a centre whose people start afresh, but
    homes without a roster would be found by whoever is given their names next. Raises `StateError`.
    """
    kept = {state.settings_file.name, state.lock_file.name}
    first = [state.homes, state.courses, state.servers]
    last = [state.databases, state.secrets_file, state.version_file]
    between = [path for path in state.root.iterdir() if path.name not in kept and path not in {*first, *last}]
    try:
        for path in (*first, *between, *last):
            if path.is_dir() and not path.is_symlink():
                if os.geteuid() != 0:
                    _make_deletable(path)
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as exc:
        raise StateError("%(path)s could not be deleted: %(cause)s.", path=exc.filename, cause=exc.strerror) from exc


def _make_deletable(root: Path) -> None:
    """Learners take permissions away from directories of theirs, which stops everybody but root."""
    for folder, names, _ in os.walk(root):
        for name in names:
            path = Path(folder) / name
            if not path.is_symlink():
                path.chmod(0o700)

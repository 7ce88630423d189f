"""What a running server is told about its share: a file outside its home, mounted read-only, replaced whole.

The sandbox mounts the *folder*, because a mounted file would go on showing the content it had at the start.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from hub.state import StateDir

FOLDER_INSIDE = "/opt/practicum/share"
NAME = "share.json"
"""Read by courses.kit.share.notice."""


def share_folder(state: StateDir, name: str) -> Path:
    """The folder of the person's server, to be mounted at `FOLDER_INSIDE`."""
    return state.servers / f"{name}.share"


def write_share(
    state: StateDir, name: str, *, lease: str | None, profile: str | None, notice: Mapping[str, str] | None = None
) -> Path:
    """Tell the person's server its share, and a notice by language; returns the folder. Raises `OSError`.

    A reader sees the old content or the new, never a part. The folder can be read by the learner's uid, the way to it cannot.
    """
    folder = share_folder(state, name)
    folder.mkdir(mode=0o755, exist_ok=True)
    folder.chmod(0o755)  # whatever the umask
    part = folder / f".{NAME}.part"
    content = json.dumps({"lease": lease, "profile": profile, "notice": dict(notice or {})}, ensure_ascii=False)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(content)
    part.replace(folder / NAME)
    return folder

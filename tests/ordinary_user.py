"""Runs tests once more as an ordinary user, where root runs them, in a namespace in which that user can read the software."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from hub.sandbox.launch import bubblewrap_path

REPOSITORY = Path(__file__).parent.parent
UID = 54_321

_BECOME = "import os, sys; os.setgroups([]); os.setgid({0}); os.setuid({0}); os.execv(sys.argv[1], sys.argv[1:])"


def pytest_as_ordinary_user(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """pytest with these arguments, run by an unprivileged uid in a directory of its own."""
    # Directly in /tmp: pytest's own directories are closed to others.
    place = Path("/tmp") / f"practicum-ordinary-{os.getpid()}"
    place.mkdir(mode=0o755)
    os.chown(place, UID, UID)
    outer = [bubblewrap_path(), "--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--bind", "/proc", "/proc"]
    tests = [sys.executable, "-m", "pytest", *arguments, "-q", "-p", "no:cacheprovider", f"--basetemp={place}/t"]
    become = [sys.executable, "-c", _BECOME.format(UID)]
    try:
        return subprocess.run(
            [*outer, *_visible_again("/root"), "--", *become, *tests],
            env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(place)},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        shutil.rmtree(place)


def _visible_again(private: str) -> Iterator[str]:
    """bubblewrap's options that put the software of a private directory, such as /root, back in reach of everybody."""
    yield from ("--perms", "0755", "--tmpfs", private)
    made = {Path(private)}
    for tree in sorted({sys.base_prefix, sys.prefix, str(REPOSITORY)}, key=len):
        if not tree.startswith(private + "/"):
            continue
        for parent in reversed(Path(tree).parents):
            if parent.is_relative_to(private) and parent not in made:
                made.add(parent)
                yield from ("--perms", "0755", "--dir", str(parent))
        yield from ("--ro-bind", tree, tree)

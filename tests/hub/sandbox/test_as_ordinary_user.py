"""Run by root, everything in this directory runs once more as an ordinary user, in a namespace where that user can read it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.sandbox.launch import bubblewrap_path
from tests.hub.sandbox.conftest import AS_ROOT

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
UID = 54_321

_BECOME = "import os, sys; os.setgroups([]); os.setgid({0}); os.setuid({0}); os.execv(sys.argv[1], sys.argv[1:])"


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


@pytest.mark.skipif(not AS_ROOT, reason="this is the ordinary user's run")
@pytest.mark.timeout(600)
def test_everything_holds_for_an_ordinary_user_too(tmp_path: Path) -> None:
    # Directly in /tmp: pytest's own directories are closed to others.
    place = Path("/tmp") / f"practicum-ordinary-{os.getpid()}"
    place.mkdir(mode=0o755)
    os.chown(place, UID, UID)
    outer = [bubblewrap_path(), "--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--bind", "/proc", "/proc"]
    tests = [sys.executable, "-m", "pytest", str(HERE), f"--ignore={__file__}", "-q", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(
            [
                *outer,
                *_visible_again("/root"),
                "--",
                sys.executable,
                "-c",
                _BECOME.format(UID),
                *tests,
                f"--basetemp={place}/t",
            ],
            env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(place)},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        shutil.rmtree(place)
    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout

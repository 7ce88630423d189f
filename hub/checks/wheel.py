"""`python -m hub.checks.wheel ROOT`: the wheel holds every file of the packages and works where the checkout is not."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

_IMPORTS = """
import sys
sys.path.insert(0, sys.argv[1])
import courses.kit, grader, hub, hub.cli, hub.wiring
for module in (courses.kit, grader, hub):
    assert module.__file__.startswith(sys.argv[1]), module.__file__
from hub.web.i18n import load_translators
load_translators()
from grader.assignments.catalogue import courses
assert courses(), "no course in the wheel"
"""


def check(root: Path) -> str:
    """Empty when all is well, else what is not."""
    with tempfile.TemporaryDirectory(prefix="practicum-wheel-") as folder:
        room = Path(folder)
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, str(root)]
        if words := _run(build, room):
            return words
        (wheel,) = room.glob("*.whl")
        if missing := _missing(root, wheel):
            return "missing in the wheel: " + ", ".join(missing)
        target = room / "installed"
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
        if words := _run([*install, str(target), str(wheel)], room):
            return words
        return _run([sys.executable, "-I", "-c", _IMPORTS, str(target)], room)


def _missing(root: Path, wheel: Path) -> list[str]:
    listed = subprocess.run(
        ["/usr/bin/env", "git", "ls-files", "-z", "hub", "grader", "courses"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    wanted = {name for name in listed.stdout.split("\0") if name and (root / name).is_file()}
    with zipfile.ZipFile(wheel) as packed:
        return sorted(wanted - set(packed.namelist()))


def _run(command: list[str], folder: Path) -> str:
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return "" if run.returncode == 0 else f"{run.stdout}{run.stderr}".strip() or f"exit status {run.returncode}"


if __name__ == "__main__":
    sys.exit(check(Path(sys.argv[1])) or 0)

"""The committed panel is what its source builds, small, and found by a server without Node.js."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

import courses.kit

BUILT = Path(courses.kit.__file__).parent / "labextension"
SOURCE = Path(__file__).parents[3] / "lab"

MOST_BYTES = 60 * 1024
REBUILD = "run `npm ci --ignore-scripts && npm run build` in lab/ and commit what it makes"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_panel_is_small() -> None:
    assert sum(map(len, tree(BUILT).values())) < MOST_BYTES


def test_the_entry_point_is_there_and_nothing_is_loaded_from_another_site() -> None:
    package = json.loads((BUILT / "practicum-handin/package.json").read_text())
    assert (BUILT / "practicum-handin" / package["jupyterlab"]["_build"]["load"]).is_file()
    for name, data in tree(BUILT).items():
        if name.endswith(".js"):
            assert b"https://" not in data, name
            assert b"http://" not in data.replace(b"http://www.w3.org/2000/svg", b""), name


def test_the_committed_panel_was_built_from_this_source() -> None:
    digest = hashlib.sha256()
    parts = [
        SOURCE / name
        for name in ("bundle.config.js", "package-lock.json", "package.json", "src", "style", "tsconfig.json")
    ]
    files = [path for part in parts for path in (part.rglob("*") if part.is_dir() else [part]) if path.is_file()]
    for path in sorted(files, key=lambda each: each.relative_to(SOURCE).as_posix()):
        digest.update(f"{path.relative_to(SOURCE).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    assert (BUILT / "practicum-handin/source.sha256").read_text().strip() == digest.hexdigest(), REBUILD


@pytest.mark.all
def test_the_committed_panel_is_what_its_source_builds(tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm on this machine: the panel cannot be rebuilt")
    lab = tmp_path / "lab"
    shutil.copytree(SOURCE, lab, ignore=shutil.ignore_patterns("node_modules", "lib"))
    if (SOURCE / "node_modules").is_dir():
        # Hard links, not a link to the folder: the build must not see another place than its own.
        shutil.copytree(SOURCE / "node_modules", lab / "node_modules", copy_function=_hard_link, symlinks=True)
    else:
        installed = _run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=lab)
        if installed.returncode != 0:
            pytest.skip(f"npm cannot install what the build needs: {installed.stderr.strip().splitlines()[-1:]}")
    built = _run(npm, "run", "build", cwd=lab)
    assert built.returncode == 0, built.stdout + built.stderr
    fresh = tree(tmp_path / "courses/kit/labextension")
    assert fresh.keys() == tree(BUILT).keys(), REBUILD
    assert fresh == tree(BUILT)


def _hard_link(source: str, target: str) -> None:
    try:
        Path(target).hardlink_to(source)
    except OSError:  # another file system
        shutil.copy2(source, target)


def _run(*command: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=240)

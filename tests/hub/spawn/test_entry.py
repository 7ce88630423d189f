"""What a home may hold without keeping its owner's server from starting."""

import os
import subprocess
import sys
from pathlib import Path

import jupyterhub
import pytest

from hub.spawn import entry


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home."""
    made = tmp_path / "home"
    made.mkdir()
    return made


def started(home: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The entry point as a sandbox runs it, with a real JupyterLab that is asked for its version and ends."""
    return subprocess.run(
        [sys.executable, "-I", entry.__file__, "zh-CN", *options, "--version"],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "JUPYTER_RUNTIME_DIR": str(home / "run"), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_becomes_the_single_user_server(home: Path) -> None:
    done = started(home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == jupyterhub.__version__


def test_files_in_a_home_do_not_stand_in_for_the_server_s_own_modules(home: Path) -> None:
    for name in ("random.py", "jupyterhub.py", "tornado.py"):
        (home / name).write_text("raise SystemExit('taken from the home')\n", encoding="utf-8")
    done = started(home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == jupyterhub.__version__


def test_packages_that_a_learner_installed_are_for_kernels_not_for_the_server(home: Path) -> None:
    packages = home / ".local/lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "usercustomize.py").write_text("raise SystemExit('taken from the home')\n", encoding="utf-8")
    done = started(home, PYTHONPATH=str(packages))
    assert done.returncode == 0, done.stderr


def test_what_the_server_starts_finds_programs_where_the_environment_says(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # JupyterLab is imported under another PATH, which must not stay.
    probe = "import os, sys, runpy; sys.argv = sys.argv[1:]\n"
    probe += f"entry = runpy.run_path({entry.__file__!r})\n"
    probe += "import jupyterhub.singleuser as s; s.main = lambda: print(os.environ['PATH'])\n"
    probe += "entry['serve']([])\n"
    done = subprocess.run(
        [sys.executable, "-I", "-c", probe, "entry"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "/usr/bin:/bin"


def test_the_chosen_language_is_jupyterlab_s_until_it_is_changed_there(home: Path) -> None:
    settings = home / entry.TRANSLATION_SETTINGS
    assert started(home).returncode == 0
    assert "zh_CN" in settings.read_text(encoding="utf-8")
    settings.write_text('{"locale": "en"}', encoding="utf-8")
    assert started(home).returncode == 0
    assert settings.read_text(encoding="utf-8") == '{"locale": "en"}'

"""A small checkout with everything the launcher touches: real pip, real virtual environments, no network."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

# What hatchling does for the real one, in the least a build backend may be (PEP 660).
BACKEND = """
import os, zipfile
def get_requires_for_build_editable(config_settings=None): return []
def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "practicum-0.1-py3-none-any.whl"
    info = "practicum-0.1.dist-info/"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as wheel:
        wheel.writestr("practicum.pth", os.getcwd())
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: practicum\\nVersion: 0.1\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return name
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "practicum"
version = "0.1"
"""
CLI = "import sys, tiny; print('tiny', tiny.VERSION, 'got', sys.argv[1:], sys.flags.isolated)"


@dataclass(frozen=True)
class Checkout:
    """The checkout and the folder of wheels it installs from."""

    root: Path
    wheelhouse: Path

    @classmethod
    def make(cls, folder: Path) -> "Checkout":
        made = cls(folder / "checkout", folder / "wheelhouse")
        (made.root / "hub").mkdir(parents=True)
        (made.root / "requirements").mkdir()
        made.wheelhouse.mkdir()
        shutil.copy(ROOT / "practicum", made.root)
        shutil.copy(ROOT / "hub" / "launcher.py", made.root / "hub")
        (made.root / "hub" / "__init__.py").write_text("")
        (made.root / "hub" / "cli.py").write_text(CLI)
        (made.root / "backend.py").write_text(BACKEND)
        (made.root / "pyproject.toml").write_text(PYPROJECT)
        made.lock("1.0")
        return made

    @property
    def stamp(self) -> Path:
        return self.root / ".venv" / "practicum.json"

    def lock(self, version: str, *, wrong_hash: bool = False, absent: bool = False) -> None:
        """Make both locks name that version of the one package there is."""
        wheel = self.wheelhouse / f"tiny-{version}-py3-none-any.whl"
        info = f"tiny-{version}.dist-info/"
        with zipfile.ZipFile(wheel, "w") as packed:
            for name, text in {
                "tiny.py": f"VERSION = {version!r}\n",
                f"{info}METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
                f"{info}WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                f"{info}RECORD": "",
            }.items():
                packed.writestr(name, text)
        digest = "0" * 64 if wrong_hash else hashlib.sha256(wheel.read_bytes()).hexdigest()
        if absent:
            wheel.unlink()
        line = f"tiny=={version} \\\n    --hash=sha256:{digest}\n    # via practicum\n"
        windows = "colorama==0.4.6 ; sys_platform == 'win32' \\\n    --hash=sha256:" + "1" * 64 + "\n"
        for name in ("centre.lock", "dev.lock"):
            (self.root / "requirements" / name).write_text(line + windows)

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
        # Nothing of this machine's own configuration of pip.
        return {**kept, "PIP_CONFIG_FILE": os.devnull, "PRACTICUM_WHEELHOUSE": str(self.wheelhouse)}

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, str(self.root / "practicum"), *arguments],
            cwd="/",
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # As a terminal starts it: a test run in the background of a script inherits that Ctrl-C is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - this process has one thread
        )

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

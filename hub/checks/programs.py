"""Programs the tests use that pip cannot install: Debian's, installed where this user may."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Program:
    """Something from the distribution, and what is skipped without it."""

    package: str
    skipped: str

    def is_there(self) -> bool:
        """Whether the tests will find it."""
        if self.package == "postgresql":
            return any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if self.package.startswith("fonts-"):
            return any(Path("/usr/share/fonts").rglob("NotoSansCJK*"))
        return shutil.which(self.package) is not None


PROGRAMS = (
    Program("chromium", "browser tests"),
    Program("postgresql", "tests on PostgreSQL"),
    Program("fonts-noto-cjk", "nothing, but Chinese is boxes on screenshots"),
)


def install_missing() -> list[str]:
    """Install what is missing, as root on Debian or Ubuntu; one line about each that stays missing."""
    missing = [each for each in PROGRAMS if not each.is_there()]
    apt = shutil.which("apt-get")
    if missing and apt and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = [apt, "install", "--yes", "--no-install-recommends", *(each.package for each in missing)]
        for command in ([apt, "update"], install):
            subprocess.run(command, env=environment, capture_output=True, check=False)
        missing = [each for each in missing if not each.is_there()]
    return [f"skipped: {each.skipped}; `apt-get install {each.package}`" for each in missing]

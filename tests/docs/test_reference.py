"""An undocumented setting or option fails a test, and so does one that is documented otherwise than it is.

`python -m tests.docs.reference` brings the pages up to the code.
"""

import subprocess
from pathlib import Path
from shutil import which

import pytest

from hub.cli import COMMANDS
from hub.launcher import HELP
from tests.docs.reference import COMMANDS_PAGE, SETTINGS_PAGE, command_sections, settings_rows

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("row", list(settings_rows()))
def test_every_setting_is_documented_with_its_default(row: str) -> None:
    assert row in SETTINGS_PAGE.read_text(encoding="utf-8").splitlines()


def test_no_setting_is_documented_that_does_not_exist() -> None:
    page = SETTINGS_PAGE.read_text(encoding="utf-8").split("## Environment")[0]
    assert [line for line in page.splitlines() if line.startswith("| `")] == list(settings_rows())


@pytest.mark.parametrize("section", list(command_sections()))
def test_every_command_and_option_is_documented(section: str) -> None:
    assert section in COMMANDS_PAGE.read_text(encoding="utf-8")


def test_no_command_is_documented_that_does_not_exist() -> None:
    page = COMMANDS_PAGE.read_text(encoding="utf-8")
    headings = [line.split()[-1] for line in page.splitlines() if line.startswith("## practicum ")]
    assert headings == list(COMMANDS)
    assert all(f"\n  {name} " in HELP for name in COMMANDS)


def test_the_unit_is_one_systemd_understands(tmp_path: Path) -> None:
    verify = which("systemd-analyze")
    if verify is None:
        pytest.skip("no systemd here")
    unit = (DOCS / "how-to" / "practicum.service").read_text(encoding="utf-8")
    # It may not find the program, which is not in /opt on a test machine.
    (tmp_path / "practicum.service").write_text(unit.replace("/opt/practicum/practicum", "/bin/true"))
    run = subprocess.run(
        [verify, "verify", tmp_path / "practicum.service"], capture_output=True, text=True, check=False
    )
    assert "practicum.service" not in run.stderr, run.stderr


def test_the_unit_and_the_command_line_agree() -> None:
    unit = (DOCS / "how-to" / "practicum.service").read_text(encoding="utf-8")
    (start,) = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    options = [word for word in start.split() if word.startswith("--")]
    page = COMMANDS_PAGE.read_text(encoding="utf-8")
    assert options
    assert all(f"| `{option}" in page for option in options)

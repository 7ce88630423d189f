"""Every command explains itself; wrong usage is a usage line and exit status 2; refusals are one sentence and 1."""

import sqlite3
import subprocess
from pathlib import Path

import click
import pytest

from hub import launcher
from hub.cli import COMMANDS, cli
from hub.commands.options import default_state_root
from tests.hub.cli.conftest import Run


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)  # type: ignore[attr-defined]
    assert found is not None
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_that_says_more_than_its_name(practicum: Run, name: str) -> None:
    shown = practicum(name, "--help")
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"Usage: practicum {name}")
    assert len(shown.stdout.splitlines()) > 4


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name: str) -> None:
    options = [each for each in command(name).params if isinstance(each, click.Option)]
    assert [each.name for each in options if not each.help] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_the_command_says(name: str) -> None:
    assert command(name).short_help == COMMANDS[name][1]


def test_the_launchers_list_is_the_command_lines(practicum: Run) -> None:
    shown = practicum("--help").stdout
    for name, (_, short_help) in COMMANDS.items():
        assert f"{name:<8} {short_help}" in launcher.HELP
        assert name in shown
    assert practicum("-h").stdout == shown


@pytest.mark.parametrize(
    "arguments",
    [
        ["up", "--prot", "8000"],
        ["up", "--port", "0"],
        ["up", "--port", "65536"],
        ["up", "--port", "many"],
        ["up", "extra"],
        ["invite"],
        ["backup"],
        ["restore", "/nowhere/at/all"],
        ["bench"],
        ["frobnicate"],
        ["doctor", "--yaml"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_a_usage_line_and_exit_status_2(practicum: Run, arguments: list[str]) -> None:
    refused = practicum(*arguments)
    assert refused.returncode == 2
    assert refused.stderr.startswith("Usage: practicum")
    assert "Traceback" not in refused.stderr
    assert refused.stdout == ""


def test_a_slip_is_answered_with_what_was_meant(practicum: Run) -> None:
    assert "--port" in practicum("up", "--prot", "8000").stderr


def refusal(run: "subprocess.CompletedProcess[str]") -> str:
    """The one sentence of a refusal."""
    assert run.returncode == 1, run.stderr
    assert "Traceback" not in run.stderr
    lines = run.stderr.strip().splitlines()
    assert len(lines) == 1, run.stderr
    assert lines[0].startswith("practicum: ")
    return lines[0]


@pytest.mark.parametrize("arguments", [["invite", "lin.na"], ["backup", "b.tar.gz"], ["reset", "--yes"]])
def test_without_a_centre_it_says_how_to_start_one(practicum: Run, tmp_path: Path, arguments: list[str]) -> None:
    said = refusal(practicum(*arguments, "--state-dir", tmp_path / "none"))
    assert "practicum up" in said
    assert not (tmp_path / "none").exists()


def test_settings_with_a_slip_name_the_nearest_key(practicum: Run, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "settings.yaml").write_text("sandbox:\n  memory_mb: 1\n")
    said = refusal(practicum("up", "--state-dir", tmp_path / "s"))
    assert "sandbox.memory_mb" in said
    assert "memory_mib" in said


@pytest.mark.parametrize("text", ["port: [", "- a", "port: eighty", "\x00"])
def test_settings_that_are_none_are_one_sentence(practicum: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "settings.yaml").write_text(text)
    assert "settings.yaml" in refusal(practicum("up", "--state-dir", tmp_path / "s"))


def test_a_state_of_a_newer_version_is_not_touched(practicum: Run, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "VERSION").write_text('{"format": 999}')
    assert "newer Practicum" in refusal(practicum("up", "--state-dir", tmp_path / "s"))
    assert [each.name for each in (tmp_path / "s").iterdir()] == ["VERSION"]


def test_a_state_that_is_a_file_is_one_sentence(practicum: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "--state-dir" in refusal(practicum("up", "--state-dir", tmp_path / "file"))
    assert "--state-dir" in refusal(practicum("up", "--state-dir", tmp_path / "file" / "below"))


def test_the_state_directory_comes_from_the_environment_else_from_who_one_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PRACTICUM_STATE_DIR", "/srv/centre")
    assert default_state_root() == Path("/srv/centre")
    monkeypatch.delenv("PRACTICUM_STATE_DIR")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert default_state_root() == Path("/var/lib/practicum")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_state_root() == tmp_path / "practicum"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/a")
    assert default_state_root() == Path("/home/a/.local/state/practicum")


def test_version_names_what_it_consists_of(practicum: Run) -> None:
    said = practicum("version").stdout
    assert "Practicum 0." in said
    assert "jupyterhub 6." in said


def test_the_first_operator_of_a_centre_without_demo_gets_in_by_the_terminal(practicum: Run, tmp_path: Path) -> None:
    state = tmp_path / "s"
    (state / "db").mkdir(parents=True)
    (state / "VERSION").write_text('{"format": 1}')
    (state / "settings.yaml").write_text("public_url: https://train.example.org\n")
    made = practicum("invite", "ops", "--operator", "--display-name", "Ops", "--state-dir", state)
    assert made.returncode == 0, made.stderr
    assert "https://train.example.org/services/practicum/invitations/" in made.stdout
    token = made.stdout.strip().rpartition("/")[2]
    with sqlite3.connect(state / "db" / "practicum.sqlite") as database:
        stored = "\n".join(database.iterdump())
    database.close()
    assert token not in stored
    assert "Nobody of that name" in refusal(practicum("invite", "nobody", "--state-dir", state))
    again = practicum("invite", "ops", "--state-dir", state)
    assert again.stdout.strip().rpartition("/")[2] != token


def test_reset_asks_and_keeps_the_settings(practicum: Run, tmp_path: Path) -> None:
    state = tmp_path / "s"
    (state / "homes" / "lin.na").mkdir(parents=True)
    (state / "VERSION").write_text('{"format": 1}')
    (state / "settings.yaml").write_text("port: 8001\n")
    asked = practicum("reset", "--state-dir", state)
    assert asked.returncode == 1
    assert "1 homes" in asked.stdout
    assert (state / "homes" / "lin.na").exists()
    assert practicum("reset", "--yes", "--state-dir", state).returncode == 0
    assert sorted(each.name for each in state.iterdir()) == ["lock", "settings.yaml"]


def test_backup_and_restore_by_the_terminal(practicum: Run, tmp_path: Path) -> None:
    state = tmp_path / "s"
    (state / "homes" / "lin.na").mkdir(parents=True)
    (state / "homes" / "lin.na" / "w.txt").write_text("work")
    (state / "VERSION").write_text('{"format": 1}')
    backup = tmp_path / "b.tar.gz"
    written = practicum("backup", backup, "--state-dir", state)
    assert written.returncode == 0, written.stderr
    restored = practicum("restore", backup, "--state-dir", tmp_path / "t")
    assert restored.returncode == 0, restored.stderr
    assert (tmp_path / "t" / "homes" / "lin.na" / "w.txt").read_text() == "work"
    assert "holds a centre already" in refusal(practicum("restore", backup, "--state-dir", tmp_path / "t"))
    assert "exists already" in refusal(practicum("backup", backup, "--state-dir", state))

"""The process table: six processes, nothing secret where others can read it, nothing adopted that is out of date."""

import os
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from hub.addresses import load_or_choose_addresses
from hub.secrets import Secrets, load_or_create_secrets
from hub.settings import Settings
from hub.state import StateDir
from hub.supervisor import table
from hub.supervisor.process import ProcessSpec

SETTINGS_READERS = {"jupyterhub", "practicum", "grader", "grader-worker"}


def specs(root: Path, settings: Settings, static: str = "") -> dict[str, ProcessSpec]:
    state = StateDir(root)
    state.prepare()
    addresses = load_or_choose_addresses(state.addresses_file)
    made = table.process_table(state, settings, addresses, secrets(root), static)
    return {each.name: each for each in made}


def secrets(root: Path) -> Secrets:
    return load_or_create_secrets(root / "secrets.json")


def test_the_proxy_comes_first_because_it_ends_last(tmp_path: Path) -> None:
    assert list(specs(tmp_path, Settings())) == [
        "traefik",
        "jupyterhub",
        "practicum",
        "grader",
        "grader-worker",
        "culler",
    ]


def test_no_argument_is_a_secret_and_the_cullers_token_goes_by_environment(tmp_path: Path) -> None:
    found = specs(tmp_path, Settings())
    hidden = set(asdict(secrets(tmp_path)).values())
    assert len(hidden) >= 5
    assert not [word for spec in found.values() for word in spec.argv if any(each in word for each in hidden)]
    assert found["culler"].environment["JUPYTERHUB_API_TOKEN"] in hidden


def test_python_processes_import_nothing_from_where_the_operator_stands(tmp_path: Path) -> None:
    for name in ("jupyterhub", "practicum", "grader", "grader-worker", "culler"):
        assert specs(tmp_path, Settings())[name].argv[:2] == (sys.executable, "-I")


@pytest.mark.parametrize(
    ("changed", "replaced"),
    [
        (Settings(language="zh-CN"), SETTINGS_READERS),
        (Settings(culler={"idle_s": 61}), {*SETTINGS_READERS, "culler"}),  # type: ignore[arg-type]
    ],
)
def test_only_what_reads_a_changed_setting_is_replaced(tmp_path: Path, changed: Settings, replaced: set[str]) -> None:
    before, after = specs(tmp_path, Settings()), specs(tmp_path, changed)
    assert {name for name in before if before[name].fingerprint() != after[name].fingerprint()} == replaced


def test_another_configuration_of_the_proxy_replaces_the_proxy_alone(tmp_path: Path) -> None:
    before, after = specs(tmp_path, Settings(), "a"), specs(tmp_path, Settings(), "b")
    assert {name for name in before if before[name].fingerprint() != after[name].fingerprint()} == {"traefik"}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package and an environment of our own."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "a.py").write_text("1")
    monkeypatch.setattr(table, "_PACKAGE", tmp_path / "package")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    return tmp_path


def test_a_changed_file_or_installation_is_another_code(package: Path) -> None:
    first = table.code_digest()
    assert table.code_digest() == first
    os.utime(package / "package" / "a.py", (1, 1))
    second = table.code_digest()
    (package / "practicum.json").write_text("{}")
    third = table.code_digest()
    (package / "package" / "page.html").write_text("")
    assert len({first, second, third, table.code_digest()}) == 4

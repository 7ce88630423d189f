"""Finding again what an earlier supervisor started, recorded or not, and nothing else."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.supervisor.identity import ProcessIdentity
from hub.supervisor.process import MARK, ProcessRecords, ProcessSpec

SPEC = ProcessSpec(name="sleeper", title="Sleeper", argv=("/bin/sleep", "60"), environment={"TOKEN": "t"})


class Started:
    """Processes of a test."""

    def __init__(self) -> None:
        self.children: list[subprocess.Popen[bytes]] = []

    def __call__(self, records: ProcessRecords, spec: ProcessSpec, argv: tuple[str, ...] = ()) -> ProcessIdentity:
        child = subprocess.Popen(argv or spec.argv, env={MARK: records.mark(spec)})
        self.children.append(child)
        identity = ProcessIdentity.of(child.pid)
        assert identity is not None
        return identity


@pytest.fixture
def start() -> Iterator[Started]:
    started = Started()
    yield started
    for child in started.children:
        child.kill()
        child.wait()


def other(**changed: object) -> ProcessSpec:
    values = {name: getattr(SPEC, name) for name in ("name", "title", "argv", "environment", "configuration")}
    return ProcessSpec(**{**values, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [{"argv": ("/bin/sleep", "61")}, {"environment": {"TOKEN": "u"}}, {"configuration": "port: 1"}],
    ids=["argv", "environment", "configuration"],
)
def test_whatever_it_was_started_with_is_in_the_fingerprint(changed: dict[str, object]) -> None:
    assert other(**changed).fingerprint() != SPEC.fingerprint()
    assert other().fingerprint() == SPEC.fingerprint()


def test_no_secret_is_in_record_or_mark(tmp_path: Path, start: Started) -> None:
    records = ProcessRecords(tmp_path)
    spec = other(environment={"TOKEN": "very-secret"})
    records.write(spec, start(records, spec))
    assert "very-secret" not in (tmp_path / "sleeper.json").read_text() + records.mark(spec)


def test_a_recorded_process_is_adoptable(tmp_path: Path, start: Started) -> None:
    records = ProcessRecords(tmp_path)
    identity = start(records, SPEC)
    records.write(SPEC, identity)
    assert ProcessRecords(tmp_path).survivors(SPEC).adoptable == identity


def test_one_started_from_other_settings_is_to_be_ended(tmp_path: Path, start: Started) -> None:
    records = ProcessRecords(tmp_path)
    identity = start(records, SPEC)
    records.write(SPEC, identity)
    survivors = records.survivors(other(configuration="port: 1"))
    assert survivors.adoptable is None
    assert survivors.others == (identity,)


def test_a_supervisor_killed_between_start_and_record_still_leaves_a_known_process(
    tmp_path: Path, start: Started
) -> None:
    records = ProcessRecords(tmp_path)
    identity = start(records, SPEC)
    assert records.read("sleeper") is None
    assert records.survivors(SPEC).adoptable == identity


def test_of_two_the_recorded_one_stays(tmp_path: Path, start: Started) -> None:
    records = ProcessRecords(tmp_path)
    first, second = start(records, SPEC), start(records, SPEC)
    records.write(SPEC, second)
    survivors = records.survivors(SPEC)
    assert survivors.adoptable == second
    assert survivors.others == (first,)


def test_what_a_process_started_itself_is_not_taken_for_it(tmp_path: Path, start: Started) -> None:
    records = ProcessRecords(tmp_path)
    # A learner's keeper inherits the hub's environment, mark and all.
    start(records, SPEC, argv=("/bin/sleep", "59"))
    assert records.marked() == []


def test_another_centres_process_is_none_of_ours(tmp_path: Path, start: Started) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    start(ProcessRecords(tmp_path / "a"), SPEC)
    survivors = ProcessRecords(tmp_path / "b").survivors(SPEC)
    assert survivors.adoptable is None
    assert survivors.others == ()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "started_ticks": 1, "boot_id": 2}'])
def test_a_damaged_record_is_no_record(tmp_path: Path, text: str) -> None:
    (tmp_path / "sleeper.json").write_text(text)
    assert ProcessRecords(tmp_path).survivors(SPEC).adoptable is None


def test_a_record_whose_number_means_another_process_now_is_not_believed(tmp_path: Path) -> None:
    own = ProcessIdentity.of(os.getpid())
    assert own is not None
    records = ProcessRecords(tmp_path)
    records.write(SPEC, ProcessIdentity(own.pid, own.started_ticks - 1, own.boot_id))
    survivors = records.survivors(SPEC)
    assert survivors.adoptable is None
    assert survivors.others == ()

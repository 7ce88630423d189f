"""The benchmark runner: ours, the peer, medians, ratio, and an exit status that says whether a promise was kept."""

import json
import sys
import types
from pathlib import Path

import pytest

from bench import run
from bench.result import Result, Series


def result(ours: list[float], limit: float | None = None, *, higher_is_better: bool = False) -> Result:
    return Result(
        what="start of a server",
        unit="s",
        ours=Series("practicum", ours),
        peer=Series("peer", [1.0, 2.0, 30.0]),
        limit=limit,
        higher_is_better=higher_is_better,
        notes=("cold cache",),
    )


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A benchmark `bench toy`."""
    module = types.ModuleType("bench.toy")
    monkeypatch.setitem(sys.modules, "bench.toy", module)
    monkeypatch.setattr(run, "names", lambda: ["toy"])
    return module


def test_medians_and_not_means_are_compared() -> None:
    assert result([1.0, 2.2, 90.0]).ratio == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("ours", "limit", "higher_is_better", "kept"),
    [
        (2.2, 1.1, False, True),
        (2.3, 1.1, False, False),
        (2.3, 1.1, True, True),
        (1.0, 1.1, True, False),
        (99.0, None, False, True),
    ],
)
def test_a_promise_is_kept_or_broken(ours: float, limit: float | None, higher_is_better: bool, kept: bool) -> None:
    assert result([ours], limit, higher_is_better=higher_is_better).kept is kept


def test_what_a_person_reads_has_both_medians_and_the_ratio(
    toy: types.ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    toy.run = lambda: result([2.0], limit=1.1)  # type: ignore[attr-defined]
    assert run.main(["toy"]) == 0
    said = capsys.readouterr().out
    assert "start of a server, s" in said
    assert "practicum  median 2   of 1: 2" in said
    assert "ratio 1.000 (promised: at most 1.1, kept)" in said
    assert "note: cold cache" in said


def test_a_broken_promise_is_exit_status_1_and_the_numbers_are_written_all_the_same(
    toy: types.ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toy.run = lambda: result([20.0], limit=1.1)  # type: ignore[attr-defined]
    assert run.main(["toy", "--json", str(tmp_path / "n.json")]) == 1
    assert "BROKEN" in capsys.readouterr().out
    written = json.loads((tmp_path / "n.json").read_text())
    assert written["medians"] == {"ours": 20.0, "peer": 2.0}
    assert written["ratio"] == 10.0
    assert written["kept"] is False
    assert written["ours"]["values"] == [20.0]


def test_an_unknown_benchmark_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run.main(["nothing"])
    assert ended.value.code == 2
    assert "usage: practicum bench" in capsys.readouterr().err


def test_helpers_beside_the_benchmarks_are_none() -> None:
    assert not {"run", "result", "__init__"} & set(run.names())

"""`python -m bench.run NAME [--json FILE] [options of NAME]`: run one benchmark and say what came out. Exit status 1: a promise is broken."""

import argparse
import importlib
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.result import Result, Series
from hub.errors import HubError


def names() -> list[str]:
    """Every benchmark there is: modules beside this one that have a `run`, found without importing them."""
    modules = Path(__file__).parent.glob("*.py")
    return sorted(path.stem for path in modules if "\ndef run(" in path.read_text(encoding="utf-8"))


def report(result: Result) -> str:
    """What a person reads."""
    width = max(len(result.ours.name), len(result.peer.name))
    lines = [f"{result.what}, {result.unit}"]
    lines += [_line(series, width) for series in (result.ours, result.peer)]
    promises = _promises(result)
    verdict = f" (promised: {promises}, {'kept' if result.kept else 'BROKEN'})" if promises else ""
    lines.append(f"ratio {result.ratio:.3f}{verdict}")
    return "\n".join([*lines, *(f"note: {note}" for note in result.notes)])


def _line(series: Series, width: int) -> str:
    values = " ".join(f"{value:.4g}" for value in series.values)
    return f"  {series.name:<{width}}  median {series.median:.4g}   of {len(series.values)}: {values}"


def _promises(result: Result) -> str:
    side = "at least" if result.higher_is_better else "at most"
    ratio = [] if result.limit is None else [f"{side} {result.limit}"]
    most = [] if result.most is None else [f"ours at most {result.most:g} {result.unit}"]
    least = [] if result.least is None else [f"ours at least {result.least:g} {result.unit}"]
    return ", ".join(ratio + most + least)


def as_json(name: str, results: Sequence[Result]) -> str:
    """What a program reads, with where and when it was measured: the one result's numbers, or a list under `results`."""
    facts = {
        "benchmark": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "processor": platform.machine(),
            "processors": os.cpu_count(),
            "kernel": platform.release(),
            "python": platform.python_version(),
        },
    }
    numbers = [_numbers(result) for result in results]
    measured = numbers[0] if len(numbers) == 1 else {"results": numbers}
    return json.dumps({**facts, **measured}, indent=1, ensure_ascii=False) + "\n"


def _numbers(result: Result) -> dict[str, Any]:
    medians = {"ours": result.ours.median, "peer": result.peer.median}
    return {"ratio": result.ratio, "medians": medians, "kept": result.kept, **asdict(result)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0; 1 when a promise is broken; 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="practicum bench", add_help=False)
    parser.add_argument("name", choices=names(), help="which one")
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    module = importlib.import_module(f"bench.{parser.parse_known_args(arguments)[0].name}")
    add_options = getattr(module, "add_options", None)
    if add_options is not None:
        add_options(parser)
    parser.add_argument("-h", "--help", action="help", help="show this and exit")
    options = parser.parse_args(arguments)
    try:
        measured: Result | list[Result] = module.run() if add_options is None else module.run(options)
    except HubError as exc:
        print(f"practicum: {exc}", file=sys.stderr)
        return 1
    results = measured if isinstance(measured, list) else [measured]
    print("\n\n".join(report(result) for result in results))
    if options.json:
        options.json.write_text(as_json(options.name, results), encoding="utf-8")
    return 0 if all(result.kept for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())

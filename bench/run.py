"""`python -m bench.run NAME [--json FILE] [options of NAME]`: run one benchmark and say what came out. Exit status 1: a promise is broken."""

import argparse
import importlib
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

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
    lines.append(f"ratio {result.ratio:.3f}" + (f" (promised: {_promise(result)})" if result.limit is not None else ""))
    return "\n".join([*lines, *(f"note: {note}" for note in result.notes)])


def _line(series: Series, width: int) -> str:
    values = " ".join(f"{value:.4g}" for value in series.values)
    return f"  {series.name:<{width}}  median {series.median:.4g}   of {len(series.values)}: {values}"


def _promise(result: Result) -> str:
    side = "at least" if result.higher_is_better else "at most"
    return f"{side} {result.limit}, {'kept' if result.kept else 'BROKEN'}"


def as_json(name: str, result: Result) -> str:
    """What a program reads, with where and when it was measured."""
    facts = {
        "benchmark": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processor": platform.machine(), "kernel": platform.release(), "python": platform.python_version()},
        "ratio": result.ratio,
        "medians": {"ours": result.ours.median, "peer": result.peer.median},
        "kept": result.kept,
    }
    return json.dumps({**facts, **asdict(result)}, indent=1, ensure_ascii=False) + "\n"


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
        result: Result = module.run() if add_options is None else module.run(options)
    except HubError as exc:
        print(f"practicum: {exc}", file=sys.stderr)
        return 1
    print(report(result))
    if options.json:
        options.json.write_text(as_json(options.name, result), encoding="utf-8")
    return 0 if result.kept else 1


if __name__ == "__main__":
    sys.exit(main())

"""`practicum test` and `practicum bench`: for those who have the source."""

import os
import subprocess
import sys
from pathlib import Path

import click

from hub.checkout import checkout_root
from hub.checks.programs import install_missing
from hub.checks.steps import run_all, steps


@click.command(
    short_help="Run every check and test of this checkout.", context_settings={"ignore_unknown_options": True}
)
@click.option("--all", "everything", is_flag=True, help="The long runs too.")
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def test(context: click.Context, everything: bool, pytest_arguments: tuple[str, ...]) -> None:
    """Run every check of this checkout: linters, types, import contracts, the wheel, the tests.

    With PYTEST_ARGUMENTS only those tests run. What needs a program that is not there, and that cannot be installed here,
    is skipped and named.
    """
    root = checkout_root("test")
    for line in install_missing():
        click.echo(line)
    passed = run_all(root, steps(root, pytest_arguments, everything=everything), click.echo)
    context.exit(int(not passed))


@click.command(short_help="Run one of the measured comparisons.", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the numbers here too."
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def bench(context: click.Context, name: str, json_file: Path | None, options: tuple[str, ...]) -> None:
    """Run bench/NAME.py: ours and its peer in the same run, medians and their ratio.

    OPTIONS are that benchmark's own, such as --nodes FILE --pods FILE of `placement`.
    """
    root = checkout_root("bench")
    extra = ["--json", str(json_file)] if json_file else []
    # In the caller's directory, because files given as OPTIONS are named from there.
    python_path = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
    run = subprocess.run(
        [sys.executable, "-m", "bench.run", name, *extra, *options],
        env={**os.environ, "PYTHONPATH": python_path},
        check=False,
    )
    context.exit(run.returncode)

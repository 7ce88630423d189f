"""`practicum doctor`."""

import json
from dataclasses import asdict

import click

from hub.commands.options import require_own, state_dir_option
from hub.doctor import Finding, Severity, examine
from hub.errors import HubError
from hub.settings import Settings, effective_settings
from hub.state import StateDir

_MARKS = {Severity.FINE: "ok  ", Severity.WARNING: "note", Severity.FAILURE: "BAD "}


@click.command(short_help="Look for what would keep the centre from working, and say what to do.")
@state_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def doctor(context: click.Context, state: StateDir, as_json: bool) -> None:
    """Look for what would keep the centre from working, and say for each finding what to do.

    Exit status 1 when something would keep `practicum up` from starting, else 0. Changes nothing.
    """
    findings = []
    settings = Settings()
    try:
        require_own(state)
        settings = effective_settings(state)
    except HubError as exc:
        findings.append(Finding("settings", Severity.FAILURE, str(exc)))
    findings += examine(state, settings)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in findings], indent=1, ensure_ascii=False))
    else:
        for each in findings:
            click.echo(f"{_MARKS[each.severity]}  {each.about}: {each.sentence}")
            for line in each.remedy.splitlines():
                click.echo(f"      {line}")
    context.exit(int(any(each.severity is Severity.FAILURE for each in findings)))

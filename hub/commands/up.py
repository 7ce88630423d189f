"""`practicum up`: the whole centre, from this terminal or from systemd."""

import asyncio
import contextlib
import logging
import sys
import time

import click

import hub
from hub.commands.options import require_own, state_dir_option
from hub.state import StateDir
from hub.supervisor.centre import Centre
from hub.supervisor.lock import locked
from hub.supervisor.prepare import Overrides, base_url, chosen_settings, plan_start


@click.command(short_help="Start the centre and keep it up until Ctrl-C.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port people connect to. Default: the setting, 8000.")
@click.option("--bind", help="Address to listen on; 0.0.0.0 for every network. Default: the setting, 127.0.0.1.")
@state_dir_option
@click.option("--no-demo", is_flag=True, help="Make no demo cohort in an empty state directory.")
@click.option(
    "--insecure-no-sandbox",
    is_flag=True,
    help="Run learners' servers uncontained, with the centre's own rights. Only to try things out alone.",
)
@click.option("--simulate", metavar="DEVICES", help="Offer shares of devices that are only declared, e.g. 8xH100-80GB.")
@click.option("--keep-servers", is_flag=True, help="Leave learners' servers running when the centre ends.")
def up(
    *,
    port: int | None,
    bind: str | None,
    state: StateDir,
    no_demo: bool,
    insecure_no_sandbox: bool,
    simulate: str | None,
    keep_servers: bool,
) -> None:
    """Start the centre and keep it up until Ctrl-C or SIGTERM.

    On an empty state directory it makes a demo cohort and prints how each of its people signs in. A centre whose
    supervisor was killed is taken over as it is. One centre runs per state directory.
    """
    began_s = time.monotonic()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    require_own(state)
    state.prepare()
    settings = chosen_settings(state, Overrides(port, bind, False if insecure_no_sandbox else None, simulate))
    with locked(state, base_url(settings)):
        say(f"Practicum {hub.__version__} on {state.root}")
        if not settings.sandbox.enforced:
            say("WARNING: learners' servers run WITHOUT A SANDBOX: whoever signs in can do whatever you can.")
        plan = plan_start(state, settings)
        centre = Centre(plan, demo=not no_demo, keep_servers=keep_servers, say=say, began_s=began_s)
        asyncio.run(centre.run())


def say(line: str) -> None:
    """One line for the operator. A terminal that went away is no reason to end a centre."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

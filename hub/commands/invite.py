"""`practicum invite`: the way in for somebody who has no password, or for the operator of a new centre."""

import click

from hub.commands.options import require_centre, state_dir_option
from hub.settings import effective_settings
from hub.state import StateDir
from hub.supervisor.prepare import base_url
from hub.wiring import open_service


@click.command(short_help="Make a fresh one-time link with which a person sets a password.")
@click.argument("name")
@state_dir_option
@click.option("--operator", is_flag=True, help="Put NAME on the roster first, as an operator of the whole centre.")
@click.option("--display-name", help="With --operator: the name others see. Default: NAME.")
def invite(name: str, state: StateDir, operator: bool, display_name: str | None) -> None:
    """Make a fresh one-time link with which the person NAME sets a password; earlier unused links stop working.

    Works whether or not the centre is up. The link opens once the centre is up.
    """
    require_centre(state)
    service = open_service(state)
    try:
        if operator:
            service.roster.add_operator(name, display_name or name)
        link = service.invitations.issue(name)
    finally:
        service.close()
    click.echo(f"For {link.display_name} ({link.person_name}), once, until {link.expires_at:%Y-%m-%d %H:%M} UTC:")
    click.echo(f"{base_url(effective_settings(state))}/services/practicum/invitations/{link.token}")

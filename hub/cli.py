"""The command line. A command's module is imported when the command is used, so that each starts as fast as it can."""

import importlib
import sys
from typing import NoReturn

import click

from hub.errors import HubError

COMMANDS = {
    "up": ("hub.commands.up", "Start the centre and keep it up until Ctrl-C."),
    "doctor": ("hub.commands.doctor", "Look for what would keep the centre from working, and say what to do."),
    "invite": ("hub.commands.invite", "Make a fresh one-time link with which a person sets a password."),
    "backup": ("hub.commands.archive", "Write everything worth keeping into one file."),
    "restore": ("hub.commands.archive", "Put a backup into an empty state directory."),
    "reset": ("hub.commands.archive", "Delete people, homes and everything else but the settings."),
    "test": ("hub.commands.develop", "Run every check and test of this checkout."),
    "bench": ("hub.commands.develop", "Run one of the measured comparisons."),
    "version": ("hub.commands.version", "Say which version this is."),
}
"""Name -> module, short help."""


class Commands(click.Group):
    """The commands of `COMMANDS`. Whatever goes wrong on purpose is one sentence and exit status 1, never a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name][0]), cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, short_help) for name, (_, short_help) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except HubError as exc:
            raise Refusal(str(exc)) from exc


class Refusal(click.ClickException):
    """What went wrong, in one sentence on standard error."""

    def show(self, file: object = None) -> None:
        click.echo(f"practicum: {self.message}", err=True)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def cli() -> None:
    """The training environment of an AI-compute centre, on one machine."""


def main() -> NoReturn:
    """Entry point: exit status 0 done, 1 with one sentence on standard error, 2 for wrong usage."""
    cli(prog_name="practicum")
    sys.exit(0)


if __name__ == "__main__":
    main()

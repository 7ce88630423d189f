"""What the reference pages must say, derived from the code: settings by their fields, commands by their options.

`python -m tests.docs.reference` writes it into the pages.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_origin

import click
from pydantic import BaseModel

from hub.cli import COMMANDS, cli
from hub.settings import Settings
from tests.docs import lease_api

SETTINGS_PAGE, COMMANDS_PAGE = (
    Path(__file__).parents[2] / "docs" / "reference" / name for name in ("settings.md", "command-line.md")
)


def renew() -> None:
    """Bring the generated parts of all pages up to the code."""
    head, _, rest = SETTINGS_PAGE.read_text(encoding="utf-8").partition("|---|---|---|\n")
    tail = rest[rest.index("\n## Environment") :]
    SETTINGS_PAGE.write_text("\n".join([f"{head}|---|---|---|", *settings_rows(), tail]), encoding="utf-8")
    intro = COMMANDS_PAGE.read_text(encoding="utf-8").partition("## practicum ")[0]
    COMMANDS_PAGE.write_text(intro + "\n".join(command_sections()), encoding="utf-8")
    lease_api.renew()


def settings_rows(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """One table row per key."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from settings_rows(field.annotation, f"{prefix}{name}.")
            continue
        if field.is_required():  # of an entry in a list
            yield f"| `{prefix}{name}` | | {field.description} |"
            continue
        default = field.get_default(call_default_factory=True)
        shown = {True: "`true`", False: "`false`"}[default] if isinstance(default, bool) else f"`{default}`"
        yield f"| `{prefix}{name}` | {shown if default not in ('', {}, []) else ''} | {field.description} |"
        for entry in get_args(field.annotation) if get_origin(field.annotation) is list else ():
            if isinstance(entry, type) and issubclass(entry, BaseModel):
                yield from settings_rows(entry, f"{prefix}{name}[].")


def command_sections() -> Iterator[str]:
    """One section per command: its usage, what it does, its options."""
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        context = click.Context(command, info_name=f"practicum {name}")
        usage = " ".join(command.collect_usage_pieces(context))
        yield f"## practicum {name}\n\n`practicum {name} {usage}`\n\n{_prose(command)}\n"
        options = [_option_row(each) for each in command.params if isinstance(each, click.Option)]
        if options:
            yield "\n".join(["| option | meaning |", "|---|---|", *options]) + "\n"


def _prose(command: click.Command) -> str:
    # click's \b and \f marks would be noise here; none is used.
    return "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))


def _option_row(option: click.Option) -> str:
    value = "" if option.is_flag else f" {option.make_metavar(click.Context(click.Command('x')))}"
    return f"| `{', '.join(option.opts)}{value}` | {option.help} |"


if __name__ == "__main__":
    renew()

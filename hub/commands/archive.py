"""`practicum backup`, `restore` and `reset`: all state as one file, back from it, and gone."""

from pathlib import Path

import click

from hub.backup.clear import clear_state
from hub.backup.restore import require_empty, restore_backup
from hub.backup.write import write_backup
from hub.clock import SystemClock
from hub.commands.options import require_centre, require_own, state_dir_option
from hub.state import StateDir
from hub.supervisor.lock import locked
from hub.supervisor.remains import end_remains

_NAMED_LEFT_OUT = 10


@click.command(short_help="Write everything worth keeping into one file.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@state_dir_option
def backup(file: Path, state: StateDir) -> None:
    """Write all state into FILE (.tar.gz): roster, courses, homes, settings, secrets. Also while the centre is up.

    Whoever has the file has everything; it is readable by you alone.
    """
    require_centre(state)
    written = write_backup(state, file, SystemClock())
    click.echo(f"{file}: {written.files} files, {written.size_bytes / 2**20:.1f} MiB")
    for path, reason in list(written.left_out.items())[:_NAMED_LEFT_OUT]:
        click.echo(f"  left out: {path} ({reason})")
    if len(written.left_out) > _NAMED_LEFT_OUT:
        click.echo(f"  left out: {len(written.left_out) - _NAMED_LEFT_OUT} more; the manifest in the file names them")


@click.command(short_help="Put a backup into an empty state directory.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@state_dir_option
def restore(file: Path, state: StateDir) -> None:
    """Put the backup FILE into an empty state directory, after checking all of it.

    A settings.yaml that is there already stays; the backup's is put beside it as settings.yaml.restored.
    """
    require_own(state)
    state.prepare()
    with locked(state, "a restore"):
        require_empty(state)
        manifest = restore_backup(file, state)
    click.echo(f"{state.root}: {len(manifest.files)} files from {manifest.made_at} (Practicum {manifest.practicum})")


@click.command(short_help="Delete people, homes and everything else but the settings.")
@state_dir_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(state: StateDir, yes: bool) -> None:
    """Delete people, homes, courses and everything else of a centre but its settings.yaml. It cannot be undone."""
    require_centre(state)
    with locked(state, "a reset"):
        if not yes:
            homes = sum(1 for _ in state.homes.iterdir())
            click.confirm(f"Delete everything in {state.root}, {homes} homes among it?", abort=True)
        # Of a centre whose supervisor was killed.
        end_remains(state)
        clear_state(state)
    click.echo(f"{state.root} is empty; the next `practicum up` starts afresh.")

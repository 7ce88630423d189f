"""The centre's own secrets: made once, kept in one private file, handed over by reading that file and never by argv."""

import json
import os
import secrets as random_source
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from hub.errors import StateError


@dataclass(frozen=True, slots=True)
class Secrets:
    """Hexadecimal strings of 32 random bytes each. `repr` hides them, so that no log line can hold one."""

    cookie_secret: str
    """Signs JupyterHub's cookies."""
    crypt_key: str
    """Encrypts what JupyterHub keeps about a sign-in."""
    practicum_token: str
    """The `practicum` service's JupyterHub API token."""
    culler_token: str
    """The idle culler's JupyterHub API token."""
    hub_token: str
    """What JupyterHub shows the `practicum` service when it asks about people."""
    grader_token: str
    """What the `grader` and `practicum` services show each other."""
    grader_hub_token: str
    """The `grader` service's JupyterHub API token."""
    proxy_password: str
    """Traefik's API password; the user is `jupyterhub`."""
    metrics_token: str
    """What Prometheus shows the `practicum` service when it reads its figures; it can do nothing else with it."""

    def __repr__(self) -> str:
        return "Secrets(…)"


def load_or_create_secrets(path: Path) -> Secrets:
    """The secrets in `path`, made and fsynced there on first use (mode 0600)."""
    names = [field.name for field in fields(Secrets)]
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        stored = {}
    except (OSError, ValueError) as exc:
        raise StateError("%(path)s is damaged; restore it from a backup.", path=path) from exc
    found = Secrets(**{name: stored.get(name) or random_source.token_hex(32) for name in names})
    if any(name not in stored for name in names):
        _write_private(path, json.dumps(asdict(found), indent=1) + "\n")
    return found


def _write_private(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)

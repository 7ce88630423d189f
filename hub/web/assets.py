"""Style sheet, script and mark of our pages, at addresses that change with their content."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

STATIC_URL = "/services/practicum/static"
HUB_STATIC_URL = "/hub/assets"

_FOLDER = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, with its gzip form where that is shorter."""

    content: bytes
    compressed: bytes | None
    media_type: str
    digest: str


@cache
def load_assets() -> dict[str, Asset]:
    """Every file of the static folder by name. They are few and small, so they stay in memory."""
    return {path.name: _load(path) for path in sorted(_FOLDER.iterdir()) if path.is_file()}


def asset_url(name: str) -> str:
    """The address of that file's present content; it can be cached for ever. Raises KeyError for an unknown name."""
    return f"{STATIC_URL}/{load_assets()[name].digest}/{name}"


def hub_asset_url(name: str) -> str:
    """The same file from JupyterHub's process, for its pages."""
    return f"{HUB_STATIC_URL}/{load_assets()[name].digest}/{name}"


def _load(path: Path) -> Asset:
    content = path.read_bytes()
    compressed = gzip.compress(content, mtime=0)
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(
        content,
        compressed if len(compressed) < len(content) else None,
        f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type,
        hashlib.sha256(content).hexdigest()[:16],
    )

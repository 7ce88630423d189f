"""Style sheets, scripts and the mark of our pages, at addresses that change with their content."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HUB_STATIC_URL = "/hub/assets"

FRAME_FOLDER = Path(__file__).parent / "static"
"""What the frame of every page needs, whichever service shows it."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, with its gzip form where that is shorter."""

    content: bytes
    compressed: bytes | None
    media_type: str
    digest: str


class Assets:
    """The files one service hands out: the frame's, and those of its own folders. Few and small, they stay in memory."""

    def __init__(self, service: str, *folders: Path) -> None:
        self._url = f"/services/{service}/static"
        paths = [path for folder in (FRAME_FOLDER, *folders) for path in sorted(folder.iterdir()) if path.is_file()]
        self._files = {path.name: _load(path) for path in paths}

    def find(self, name: str, digest: str) -> Asset | None:
        """The file of that name, if that is what it holds now."""
        found = self._files.get(name)
        return found if found is not None and found.digest == digest else None

    def url(self, name: str) -> str:
        """The address of that file's present content; it can be cached for ever. Raises KeyError for an unknown name."""
        return f"{self._url}/{self._files[name].digest}/{name}"


@cache
def load_assets() -> dict[str, Asset]:
    """The frame's files by name."""
    return {path.name: _load(path) for path in sorted(FRAME_FOLDER.iterdir()) if path.is_file()}


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

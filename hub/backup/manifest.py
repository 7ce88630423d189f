"""What a backup says about itself: the last thing in the file, so that a file without it is known to be incomplete."""

import json
from dataclasses import asdict, dataclass, field

MANIFEST = "MANIFEST.json"
FORMAT = 1


@dataclass(slots=True)
class Manifest:
    """SHA-256 of every file of the backup, by path, and what is not in it."""

    practicum: str
    """Version that wrote it."""
    made_at: str
    """UTC, ISO 8601."""
    state_format: int
    files: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    """Path -> reason."""
    format: int = FORMAT

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self), indent=0).encode("ascii")

    @classmethod
    def from_bytes(cls, data: bytes) -> "Manifest":
        """Raises `ValueError` when it is not a manifest this version knows."""
        try:
            found = cls(**json.loads(data))
        except TypeError as exc:
            raise ValueError("its manifest is of another kind") from exc
        if not isinstance(found.files, dict) or found.format > FORMAT:
            raise ValueError("its manifest is of a newer version")
        return found

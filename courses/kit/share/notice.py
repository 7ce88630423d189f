"""What the centre says about this server's share: one small read-only file, replaced whole whenever something changes.

A file and not a question over the network: a server has no way to the service that keeps leases, and needs none.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from courses.kit.sentences import ENGLISH

PLACE = Path("/opt/practicum/share/share.json")
"""Where it lies in a sandbox, without which there are no shares. PRACTICUM_SHARE_FILE names another place, for trying things out."""


@dataclass(frozen=True, slots=True)
class ShareNotice:
    """The share this server runs with, and what is to be said about it. All empty on a server without a share."""

    lease: str | None = None
    profile: str | None = None
    sentences: Mapping[str, str] = field(default_factory=dict)
    """What to tell the learner, by language; empty when there is nothing to tell."""

    def sentence(self, language: str) -> str:
        """The notice in `language`, in English where it has no other; empty when there is none."""
        return self.sentences.get(language) or self.sentences.get(ENGLISH, "")


def notice_file() -> Path:
    """Where the centre writes for this server."""
    return Path(os.environ.get("PRACTICUM_SHARE_FILE") or PLACE)


def read_notice(path: Path) -> ShareNotice | None:
    """What stands there; None when it cannot be read just now, which says nothing about the share."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        lease, profile, sentences = found.get("lease"), found.get("profile"), found.get("notice") or {}
        return ShareNotice(
            None if lease is None else str(lease),
            None if profile is None else str(profile),
            {str(language): str(sentence) for language, sentence in sentences.items()},
        )
    except (OSError, ValueError, AttributeError):
        return None

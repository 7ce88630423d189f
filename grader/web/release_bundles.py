"""Released lessons as learners fetch them: one bundle per lesson and language, packed once per version of its folder."""

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.exchange import bundle
from grader.exchange.bundle import Limits

_LIMITS = Limits(bundle_bytes=1024**3, file_bytes=1024**3, files=5000)
"""Lessons come from instructors: they are bounded by the disk, not by distrust."""


@dataclass(frozen=True, slots=True)
class PackedRelease:
    """A file to send, and the SHA-256 of its bytes."""

    path: Path
    sha256: str


class ReleaseBundles:
    """Packs into `folder`, which can be lost. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._packed: dict[Path, tuple[object, PackedRelease]] = {}

    def of(self, lesson: Path, *, course: str, assignment: str, language: str) -> PackedRelease:
        """The lesson's bundle. Raises a `BundleError` child for a folder that cannot be packed."""
        state = _state_of(lesson)
        with self._lock:
            kept = self._packed.get(lesson)
            if kept is not None and kept[0] == state and kept[1].path.exists():
                return kept[1]
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _whole_or_nothing(self._folder) as part:
                with part.open("wb") as file:
                    written = bundle.pack(
                        lesson, file, course=course, assignment=assignment, language=language, limits=_LIMITS
                    )
                packed = PackedRelease(self._folder / f"{written.sha256}.tar", written.sha256)
                part.replace(packed.path)
            self._packed[lesson] = (state, packed)
            return packed


def _state_of(lesson: Path) -> object:
    """Changes with every release: it puts another folder in the lesson's place."""
    status = lesson.stat()
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns


@contextlib.contextmanager
def _whole_or_nothing(folder: Path) -> Iterator[Path]:
    number, name = tempfile.mkstemp(suffix=".part", dir=folder)
    os.close(number)
    part = Path(name)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)

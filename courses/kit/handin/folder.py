"""An assignment's folder in a learner's home: `COURSE/ASSIGNMENT/`, what was handed in from it, and whether it changed.

A hidden `.practicum.json` inside remembers the language it was fetched in and what the last hand-in held. It belongs to
the learner like everything here: a missing or broken one costs a convenience, nothing else.
"""

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from courses.kit.handin import bundle
from courses.kit.handin.bundle import RELEASE_LIMITS, Manifest, shown
from courses.kit.handin.errors import (
    AlreadyFetchedError,
    HandInError,
    HomeFullError,
    HomeUnusableError,
    NotebookEmptyError,
    NotebookMissingError,
    NotFetchedError,
)

RECORD = ".practicum.json"
_RECORD_BYTES = 1024 * 1024
_LEFT_BEHIND = {"__pycache__", "node_modules"}
_ABANDONED_S = 3600.0
"""A half-fetched folder this old belongs to a fetch that was killed."""


class Folder:
    """One assignment's place in a home, whether it exists or not."""

    def __init__(self, home: Path, course: str, assignment: str) -> None:
        self.course, self.assignment = course, assignment
        self.inside_home = f"{course}/{assignment}"
        self.path = home / course / assignment

    @property
    def is_there(self) -> bool:
        return self.path.is_dir()

    def require(self) -> None:
        """Raises `NotFetchedError` unless the folder is there."""
        if not self.is_there:
            raise NotFetchedError(folder=self.inside_home)

    def notebooks(self) -> list[str]:
        """The notebooks in it by name, the assignment's own first."""
        return sorted(_notebooks(self.path), key=lambda name: (name != f"{self.assignment}.ipynb", name))

    def put(self, fill: Callable[[Path], Manifest], *, again: bool) -> str | None:
        """Make the folder from what `fill` writes, in one step; the name an older one is kept under, if there was one.

        Never overwrites anything. `fill` gets a folder of its own beside the final place and raises if what it gets is
        not whole; then nothing changes. Steps: 1. fill the folder beside; 2. rename what is there to a free name, only if
        `again`; 3. rename the new one into place. Killed after 2, the work lies under the free name and the assignment
        counts as not fetched. Raises `AlreadyFetchedError`, `HomeFullError`, `HomeUnusableError` and what `fill` raises.
        """
        if os.path.lexists(self.path) and not again:
            raise AlreadyFetchedError(folder=self.inside_home)
        with home_trouble_as_sentence(self.inside_home):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._tidy()
            part = self.path.with_name(f".{self.assignment}.fetch-{secrets.token_hex(8)}")
            part.mkdir()
            try:
                manifest = fill(part)
                record = {"language": manifest.language, "fetched_at": datetime.now(UTC).isoformat()}
                (part / RECORD).write_text(json.dumps(record), encoding="utf-8")
                return self._swap_in(part, again=again)
            finally:
                shutil.rmtree(part, ignore_errors=True)

    def record(self) -> dict[str, Any]:
        """What `.practicum.json` says; empty where it says nothing of use."""
        try:
            with (self.path / RECORD).open("rb") as file:
                found = json.loads(file.read(_RECORD_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def language(self, otherwise: str) -> str:
        """The language this copy was fetched in."""
        found = self.record().get("language")
        return found if isinstance(found, str) and found else otherwise

    def to_hand_in(self, release: Manifest) -> dict[str, Path]:
        """What goes into a hand-in: every notebook, and the release's other files where the learner changed them.

        The centre has its own copy of what it handed out, and runs answers against that. Raises a `HandInError` child
        where there is nothing worth handing in.
        """
        self.require()
        found = {name: self.path / name for name in _notebooks(self.path)}
        for entry in release.files:
            path = self.path / entry.path
            if entry.path not in found and os.path.lexists(path) and _differs(path, entry.path, entry.sha256):
                found[entry.path] = path
        wanted = [entry.path for entry in release.files if entry.path.endswith(".ipynb")]
        here = [name for name in wanted if name in found]
        if not here:
            raise NotebookMissingError(wanted=", ".join(map(shown, wanted)) or f"{self.assignment}.ipynb")
        for name in here:
            if found[name].lstat().st_size == 0:
                raise NotebookEmptyError(name=shown(name))
        return found

    def remember(self, receipt_id: str, manifest: Manifest, release: Manifest) -> None:
        """Note what was handed in, so that `changed_since` can tell. Works or does not: a receipt stands without it."""
        as_released = {entry.path: entry.sha256 for entry in release.files if os.path.lexists(self.path / entry.path)}
        files = as_released | {entry.path: entry.sha256 for entry in manifest.files}
        record = {**self.record(), "language": manifest.language, "handed_in": {"receipt": receipt_id, "files": files}}
        with contextlib.suppress(OSError):
            part = self.path / f"{RECORD}.part"
            part.write_text(json.dumps(record), encoding="utf-8")
            part.replace(self.path / RECORD)

    def changed_since(self, receipt_id: str) -> bool | None:
        """Whether the folder differs from what was handed in under that receipt; None where that is not known here."""
        handed_in = self.record().get("handed_in")
        if not isinstance(handed_in, dict) or handed_in.get("receipt") != receipt_id:
            return None
        files = handed_in.get("files")
        if not isinstance(files, dict):
            return None
        if set(_notebooks(self.path)) - set(files):
            return True
        try:
            return any(_differs(self.path / name, name, sha256) for name, sha256 in files.items())
        except HandInError:
            return True

    def _swap_in(self, part: Path, *, again: bool) -> str | None:
        kept = None
        if os.path.lexists(self.path):
            if not again:
                raise AlreadyFetchedError(folder=self.inside_home)
            kept = self._keep()
        try:
            part.rename(self.path)  # onto a folder that holds something, this fails
        except OSError as exc:
            if exc.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
                raise AlreadyFetchedError(folder=self.inside_home) from exc  # another fetch was faster
            raise
        return kept

    def _keep(self) -> str:
        """Put what is there aside under a name that says when."""
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        for attempt in range(1, 100):
            name = f"{self.assignment}.kept-{stamp}" + (f"-{attempt}" if attempt > 1 else "")
            target = self.path.with_name(name)
            if not os.path.lexists(target):
                self.path.rename(target)
                return f"{self.course}/{name}"
        raise HomeUnusableError(path=self.inside_home, cause="no free name")

    def _tidy(self) -> None:
        for path in self.path.parent.glob(f".{self.assignment}.fetch-*"):
            with contextlib.suppress(OSError):
                if time.time() - path.lstat().st_mtime > _ABANDONED_S:
                    shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def home_trouble_as_sentence(what: str) -> Iterator[None]:
    """A full home or an odd one comes out as an error with a sentence."""
    try:
        yield
    except OSError as exc:
        if exc.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise HomeFullError from exc
        raise HomeUnusableError(path=what, cause=exc.strerror or str(exc)) from exc


def _notebooks(folder: Path) -> list[str]:
    """Notebooks below the folder, hidden places and caches aside. Deep or linked folders are not walked into."""
    found = []
    for where, folders, files in os.walk(folder, followlinks=False):
        depth = len(Path(where).relative_to(folder).parts)
        folders[:] = [] if depth > 6 else [name for name in folders if name[0] != "." and name not in _LEFT_BEHIND]
        inside = "" if depth == 0 else Path(where).relative_to(folder).as_posix() + "/"
        found += [inside + name for name in files if name.endswith(".ipynb") and not name.startswith(".")]
    return sorted(found)


def _differs(path: Path, name: str, sha256: object) -> bool:
    digest = hashlib.sha256()
    bundle.copy(path, name, digest.update, RELEASE_LIMITS)
    return digest.hexdigest() != sha256

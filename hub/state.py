"""The state directory: where everything that must survive a restart lies, and which of it is whose."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from hub.errors import StateError

FORMAT = 1
"""Layout of the directory. A newer number than this is refused: an older program must not write there."""


@dataclass(frozen=True, slots=True)
class StateDir:
    """Paths under one state directory. The directory is private to the centre's user (0700)."""

    root: Path

    @property
    def settings_file(self) -> Path:
        return self.root / "settings.yaml"

    @property
    def version_file(self) -> Path:
        return self.root / "VERSION"

    @property
    def lock_file(self) -> Path:
        return self.root / "lock"

    @property
    def demo_file(self) -> Path:
        """Whether this centre was given a demo cohort, decided once."""
        return self.root / "demo.json"

    @property
    def secrets_file(self) -> Path:
        return self.root / "secrets.json"

    @property
    def addresses_file(self) -> Path:
        return self.root / "addresses.json"

    @property
    def databases(self) -> Path:
        return self.root / "db"

    @property
    def processes(self) -> Path:
        """What the supervisor knows of its processes, and what they were started with; not part of a backup."""
        return self.root / "run"

    @property
    def effective_settings_file(self) -> Path:
        """The settings of the running centre; removed when it ends."""
        return self.processes / "settings.json"

    @property
    def proxy_rules_file(self) -> Path:
        """Where JupyterHub writes its routes for Traefik, in the directory Traefik watches."""
        return self.processes / "traefik.d" / "rules.toml"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def homes(self) -> Path:
        """One directory per learner, owned by the learner's uid; only code inside a sandbox opens files in it."""
        return self.root / "homes"

    @property
    def servers(self) -> Path:
        """One directory per learner server: its keeper's log and state."""
        return self.root / "servers"

    @property
    def courses(self) -> Path:
        """Released lessons: courses/COURSE/release/LANGUAGE/ASSIGNMENT/."""
        return self.root / "courses"

    @property
    def submissions(self) -> Path:
        """Accepted hand-ins and released feedback, each under the SHA-256 of its bytes; only the grader opens it."""
        return self.root / "submissions"

    def prepare(self) -> None:
        """Create what is missing; raises `StateError` in one sentence if the directory cannot be used."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_format()
            for path in (
                self.databases,
                self.processes,
                self.logs,
                self.homes,
                self.servers,
                self.courses,
                self.submissions,
            ):
                path.mkdir(mode=0o700, exist_ok=True)
            if not self.version_file.exists():
                self.version_file.write_text(json.dumps({"format": FORMAT}) + "\n", encoding="utf-8")
        except OSError as exc:
            raise StateError(
                "The state directory %(path)s cannot be used: %(cause)s. Choose another with --state-dir.",
                path=self.root,
                cause=exc.strerror or exc,
            ) from exc
        if not os.access(self.root, os.W_OK):
            raise StateError(
                "The state directory %(path)s is read-only. Choose another with --state-dir.", path=self.root
            )

    def _check_format(self) -> None:
        try:
            found = json.loads(self.version_file.read_text(encoding="utf-8"))["format"]
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError) as exc:
            raise StateError("%(path)s is damaged; restore it from a backup.", path=self.version_file) from exc
        if not isinstance(found, int) or found > FORMAT:
            raise StateError(
                "%(path)s was written by a newer Practicum (format %(found)s, known here: %(known)s). Upgrade first.",
                path=self.root,
                found=found,
                known=FORMAT,
            )

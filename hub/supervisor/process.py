"""What is to run, and finding again what already runs of it after the supervisor itself was killed."""

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from hub.supervisor.identity import ProcessIdentity, all_pids, command_line, environment_value, parent_pid

MARK = "PRACTICUM_PROCESS"
"""Variable in every supervised process's environment. Our record of a process is written just after its start: a supervisor
killed in that moment would leave a process nobody knows, were it not for this mark."""


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listen:
    """A TCP port a process needs, and what an operator can do when somebody else has it."""

    host: str
    port: int
    remedy: str = "End that program first."


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process of the centre."""

    name: str
    """For files and dependencies."""
    title: str
    """For people."""
    argv: tuple[str, ...]
    """Anybody on the machine can read it: nothing secret."""
    environment: Mapping[str, str]
    """Added to the few inherited variables; may hold secrets."""
    health_url: str | None = None
    """Answers 2xx or 3xx while the process is well; None: being alive is enough."""
    listens: tuple[Listen, ...] = ()
    after: tuple[str, ...] = ()
    """Names of processes that must be well before this one is started."""
    configuration: str = ""
    """Whatever else it reads at its start: when that changed, a running one is not adopted but replaced."""
    stop_grace_s: float = 4.0
    ready_within_s: float = 60.0

    def fingerprint(self) -> str:
        """Equal for two processes exactly when the one can stand for the other."""
        parts = [list(self.argv), sorted(self.environment.items()), self.configuration]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Survivors:
    """What still runs of one process from an earlier supervisor."""

    adoptable: ProcessIdentity | None
    others: tuple[ProcessIdentity, ...]
    """Started from another configuration, or twice: to be ended before one is started anew."""


class ProcessRecords:
    """The supervisor's memory of its processes, one small file each in the state directory's `run/`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory.resolve()

    def mark(self, spec: ProcessSpec) -> str:
        """Value of `MARK` for a process started from `spec`."""
        return f"{spec.name}:{spec.fingerprint()}:{_digest(spec.argv)}:{self._directory}"

    def write(self, spec: ProcessSpec, identity: ProcessIdentity) -> None:
        """Remember that `identity` was started from `spec`; on a full disk its mark alone has to tell."""
        path = self._path(spec.name)
        part = path.with_suffix(".part")
        text = json.dumps({**asdict(identity), "fingerprint": spec.fingerprint()}) + "\n"
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        except OSError as exc:
            _log.warning("cannot note process %s in %s: %s", identity.pid, path, exc)

    def forget(self, name: str) -> None:
        """The process of that name has ended for good."""
        self._path(name).unlink(missing_ok=True)

    def read(self, name: str) -> tuple[ProcessIdentity, str] | None:
        """Identity and fingerprint last written under that name; None when there is none or it is damaged."""
        try:
            found = json.loads(self._path(name).read_text(encoding="utf-8"))
            return ProcessIdentity(found["pid"], found["started_ticks"], found["boot_id"]), found["fingerprint"]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def survivors(self, spec: ProcessSpec) -> Survivors:
        """What still runs under `spec`'s name, recorded or not."""
        found = dict(self.marked(spec.name))
        recorded = self.read(spec.name)
        if recorded is not None and recorded[0].is_alive():
            found[recorded[0]] = recorded[1]
        fitting = [identity for identity, fingerprint in found.items() if fingerprint == spec.fingerprint()]
        adoptable = recorded[0] if recorded is not None and recorded[0] in fitting else next(iter(fitting), None)
        return Survivors(adoptable, tuple(each for each in found if each != adoptable))

    def marked(self, name: str | None = None) -> list[tuple[ProcessIdentity, str]]:
        """Every running process that carries our mark (of `name`, or of any name), with its fingerprint."""
        found: dict[ProcessIdentity, str] = {}
        for pid in all_pids():
            mark = environment_value(pid, MARK)
            if mark is None or mark.count(":") < 3:
                continue
            its_name, fingerprint, argv_digest, directory = mark.split(":", 3)
            if directory != str(self._directory) or name not in {None, its_name}:
                continue
            # Whatever a marked process starts inherits the mark, a learner's keeper for instance; its argv tells.
            argv = command_line(pid)
            identity = ProcessIdentity.of(pid)
            if argv is None or identity is None or _digest(argv) != argv_digest:
                continue
            found[identity] = fingerprint
        pids = {identity.pid for identity in found}
        # A child between fork and exec still looks like its parent.
        return [(identity, mark) for identity, mark in found.items() if parent_pid(identity.pid) not in pids]

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.json"


_INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")


def inherited_environment() -> dict[str, str]:
    """The few variables of the operator's shell that the centre's processes see; what they need else is in files."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


def _digest(argv: tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join(argv).encode("utf-8", "surrogateescape")).hexdigest()[:32]

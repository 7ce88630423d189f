"""`./practicum`: makes `.venv` beside itself on first use, installs what `requirements/` locks, hands over to `hub.cli`.

Standard library only: nothing is installed yet when it runs. Where packages come from is pip's own configuration (pip.conf,
PIP_INDEX_URL, PIP_CERT, …), or PRACTICUM_INDEX_URL (an index mirror), or PRACTICUM_WHEELHOUSE (a folder of wheels, and no
network at all).
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

DEVELOPMENT_COMMANDS = frozenset({"test", "bench"})
"""They need what `requirements/dev.lock` adds."""

HELP = """\
Usage: practicum [OPTIONS] COMMAND [ARGS]...

Commands:
  up       Start the centre and keep it up until Ctrl-C.
  doctor   Look for what would keep the centre from working, and say what to do.
  invite   Make a fresh one-time link with which a person sets a password.
  backup   Write everything worth keeping into one file.
  restore  Put a backup into an empty state directory.
  reset    Delete people, homes and everything else but the settings.
  test     Run every check and test of this checkout.
  bench    Run one of the measured comparisons.
  version  Say which version this is.

The first use of a command installs everything into .venv (about a minute on a good line); `practicum COMMAND --help`
says more. Slow or closed network: docs/how-to/offline-install.md.
"""
"""Shown before the first installation, in place of the command line's own."""

_FETCHED = re.compile(
    r"(?:Collecting|Requirement already satisfied:) (?P<name>[^\s=;(\[]+)|Processing \S*/(?P<file>[^/\s-]+)-[^/\s]+"
)
"""What pip says of each package: from an index, there already, from a folder."""


class InstallError(Exception):
    """What is wrong and what to do, for a person."""


def launch(root: str, arguments: Sequence[str]) -> int:  # noqa: RET503 - execv does not come back
    """Hand over to the command line, which takes this process's place; an exit status where that cannot be."""
    environment = Environment(Path(root))
    development = bool(arguments) and arguments[0] in DEVELOPMENT_COMMANDS
    current = environment.is_current(development)
    if not current and (not arguments or arguments[0] in {"-h", "--help"}):
        sys.stdout.write(HELP)
        return 0 if arguments else 2
    try:
        if not current:
            environment.install(development)
    except InstallError as exc:
        say(str(exc))
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next start goes on from here.")
        return 130
    sys.stdout.flush()
    # -I: neither PYTHONPATH nor a folder named `hub` where the operator stands decides what runs.
    python = str(environment.python)
    os.execv(python, [python, "-I", "-m", "hub.cli", *arguments])  # noqa: S606 - the command line is ours


@dataclass(frozen=True, slots=True)
class Environment:
    """The virtual environment of one checkout."""

    root: Path

    @property
    def folder(self) -> Path:
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def stamp_file(self) -> Path:
        """Written last: says what a complete installation was made from."""
        return self.folder / "practicum.json"

    def is_current(self, development: bool) -> bool:
        """Whether nothing needs to be installed; what development needs serves every other command as well."""
        stamp = self._read_stamp()
        return self.python.exists() and stamp == self._wanted(development or bool(stamp.get("development")))

    def install(self, development: bool) -> None:
        """Bring it up to the locks. Interrupted, it goes on from there; two at once wait for each other."""
        with self._locked():
            if self.is_current(development):
                return
            began_s = time.monotonic()
            development = development or bool(self._read_stamp().get("development"))
            self.stamp_file.unlink(missing_ok=True)
            self._make()
            install_locked(self, self.root / "requirements" / ("dev.lock" if development else "centre.lock"))
            # The checkout itself: its build tools are in the lock, so nothing more is fetched.
            run_pip(
                self, ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-e", str(self.root)]
            )
            part = self.stamp_file.with_suffix(".part")
            part.write_text(json.dumps(self._wanted(development)) + "\n", encoding="utf-8")
            part.replace(self.stamp_file)
            say(f"installed in {time.monotonic() - began_s:.0f} s.")

    def works(self, *arguments: str) -> bool:
        """Whether its Python runs with these arguments."""
        try:
            run = subprocess.run([self.python, "-I", *arguments], capture_output=True, check=False)
        except OSError:
            return False
        return run.returncode == 0

    def _make(self) -> None:
        """A virtual environment with pip in it, whatever half of one is there."""
        if self.works("-m", "pip", "--version") or (self.works("-c", "") and self.works("-m", "ensurepip")):
            return
        # Its Python is gone, or another version now. Only what `venv` makes is removed, and not the lock we hold.
        for name in ("bin", "include", "lib", "lib64", "share", "etc", "pyvenv.cfg"):
            path = self.folder / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        say(f"making {self.folder} with Python {version}")
        made = subprocess.run(
            [sys.executable, "-I", "-m", "venv", self.folder], capture_output=True, text=True, check=False
        )
        if made.returncode != 0:
            words = made.stdout + made.stderr
            if "ensurepip" in words or "No module named venv" in words:
                raise InstallError(f"this Python lacks `venv`: apt-get install python{version}-venv, then try again.")
            raise InstallError(f"cannot make {self.folder}:\n{last_lines(words, 3)}")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.folder.mkdir(exist_ok=True)
            lock = (self.folder / "practicum.lock").open("a", encoding="utf-8")
        except OSError as exc:
            raise InstallError(f"cannot write to {self.folder}: {exc.strerror}.") from exc
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("another installation is running here; waiting for it.")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _wanted(self, development: bool) -> dict[str, object]:
        digest = hashlib.sha256()
        for name in ("pyproject.toml", "requirements/centre.lock", *(["requirements/dev.lock"] if development else [])):
            digest.update((self.root / name).read_bytes())
        return {
            "development": development,
            "digest": digest.hexdigest(),
            # A checkout that moved is installed again: the environment points to where it was.
            "root": str(self.root),
            # A distribution's upgrade replaces Python under the environment's feet.
            "python": str(self.python.resolve()),
        }

    def _read_stamp(self) -> dict[str, object]:
        try:
            stamp = json.loads(self.stamp_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def installed_packages(self) -> list[str]:
        """Names of what is in it, the newest last."""
        found = []
        for path in self.folder.glob("lib/python3.*/site-packages/*.dist-info"):
            with contextlib.suppress(FileNotFoundError):
                found.append((path.stat().st_mtime, path.name.split("-")[0]))
        return [name for _, name in sorted(found)]


class Progress:
    """One line that says how far it is: rewritten on a terminal, a new one every five seconds elsewhere."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._said = ""
        self._said_s = float("-inf")

    def show(self, doing: str, done: int, total: int, name: str) -> None:
        line = f"practicum: {doing} {done} of {total}: {name}"
        if self._terminal:
            line = line[: shutil.get_terminal_size().columns - 1]
            self._out.write("\r" + line.ljust(len(self._said)))
        elif line == self._said or time.monotonic() - self._said_s < 5:
            return
        else:
            self._out.write(line + "\n")
        self._said, self._said_s = line, time.monotonic()
        self._out.flush()

    def end(self) -> None:
        if self._terminal and self._said:
            self._out.write("\r" + " " * len(self._said) + "\r")
            self._out.flush()


def install_locked(environment: Environment, lock: Path) -> None:
    """Install what the lock names, nothing without its hash, with a line that says how far it is."""
    total = len(locked_names(lock))
    fetched = 0
    progress = Progress(sys.stderr)
    finished = threading.Event()

    def count_unpacked() -> None:
        # pip is silent while it unpacks, which takes as long as fetching does.
        while not finished.wait(0.5):
            names = environment.installed_packages()
            progress.show("unpacking", min(len(names), total), total, names[-1] if names else "")

    counter = threading.Thread(target=count_unpacked, daemon=True)

    def watch(line: str) -> None:
        nonlocal total, fetched
        if line.startswith("Ignoring "):
            total -= 1  # for another system or Python version
        elif found := _FETCHED.match(line):
            fetched = min(fetched + 1, total)
            progress.show("fetching", fetched, total, found.group("name") or found.group("file"))
        elif line.startswith("Installing collected packages:"):
            counter.start()

    try:
        run_pip(
            environment, ["install", "--require-hashes", "--progress-bar", "off", "--requirement", str(lock)], watch
        )
    finally:
        finished.set()
        if counter.is_alive():
            counter.join()
        progress.end()


def locked_names(lock: Path) -> list[str]:
    """Packages a lock file names, in its order."""
    return re.findall(r"^([A-Za-z0-9][\w.-]*)(?:\[[^]]*\])?==", lock.read_text(encoding="utf-8"), re.MULTILINE)


def run_pip(environment: Environment, arguments: list[str], watch: Callable[[str], None] | None = None) -> None:
    """Run pip, giving each of its lines to `watch`. Raises `InstallError` with its last useful ones and what to do."""
    said = []
    with subprocess.Popen(
        [environment.python, "-I", "-m", "pip", *arguments],
        env=pip_variables(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if watch is not None:
                watch(line)
    if process.returncode != 0:
        raise InstallError(explain("".join(said), os.environ.get("PRACTICUM_WHEELHOUSE")))


def pip_variables(given: "os._Environ[str] | dict[str, str]") -> dict[str, str]:
    """pip's environment. Not its arguments: an index's address may hold a password, and arguments are for all to read."""
    variables = {**given, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PYTHONUNBUFFERED": "1"}
    if index := given.get("PRACTICUM_INDEX_URL"):
        variables["PIP_INDEX_URL"] = index
    if wheelhouse := given.get("PRACTICUM_WHEELHOUSE"):
        variables["PIP_NO_INDEX"] = "1"
        variables["PIP_FIND_LINKS"] = str(Path(wheelhouse).absolute())
    return variables


def explain(output: str, wheelhouse: str | None) -> str:
    """Why pip failed, in its words, and what to do, in ours."""
    remedy = "Run the command again: what was fetched is kept."
    if "No space left" in output:
        remedy = "The disk is full: about 2 GB are needed here and in pip's cache."
    elif wheelhouse:
        remedy = f"Is {wheelhouse} complete, and for this Python and machine? See docs/how-to/offline-install.md."
    elif "DO NOT MATCH THE HASHES" in output:
        remedy = "A package is not the one that was locked: the index, or something on the way, changed it."
    elif re.search("connection|resolution|timed out|retries|No matching distribution|SSL", output, re.IGNORECASE):
        remedy = "Is the package index out of reach? A mirror or a folder of wheels: docs/how-to/offline-install.md."
    return f"the installation failed:\n{last_lines(output, 4)}\n{remedy}"


def last_lines(output: str, count: int) -> str:
    """The last lines that say something: the errors, where there are any."""
    useful = [line.rstrip() for line in output.splitlines() if line.strip() and not line.startswith("[notice]")]
    errors = [line for line in useful if line.startswith("ERROR")]
    return "\n".join(f"  {line[:300]}" for line in (errors or useful)[-count:])


def say(sentence: str) -> None:
    sys.stderr.write(f"practicum: {sentence}\n")
    sys.stderr.flush()

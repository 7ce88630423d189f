"""What runs inside a learner's server, as the learner: puts lessons and the chosen language into the home, then is JupyterLab.

It runs in here because a home belongs to untrusted code: whoever follows a symlink in it must be no more than the learner.
Nothing else of ours is imported; one file, so that it can be mounted by itself: `python -I entry.py LANGUAGE OPTION…`.
Isolated (-I), because a `random.py` in the home, or a package that the learner installed there for their kernels, must not
keep the server from starting.
"""

import gc
import json
import os
import shutil
import sys
from pathlib import Path

LESSONS = Path("/opt/practicum/lessons")
"""Released lessons, read-only: COURSE/ASSIGNMENT/… Where there is no sandbox, PRACTICUM_LESSONS names another place."""

TRANSLATION_SETTINGS = Path(".jupyter/lab/user-settings/@jupyterlab/translation-extension/plugin.jupyterlab-settings")
_LOCALES = {"en": "en", "zh-CN": "zh_CN"}
_CHOSEN = Path(".local/state/practicum/language")
"""The language we last set, so that a choice made inside JupyterLab's own menu is not undone at every start."""


def main() -> None:
    language, *options = sys.argv[1:]
    home = Path.home()
    os.umask(0o077)
    Path(os.environ["JUPYTER_RUNTIME_DIR"]).mkdir(mode=0o700, exist_ok=True)
    # A home may be full or oddly shaped; the server starts all the same, so that its owner can tidy it.
    for step in (put_lessons, follow_language):
        try:
            step(home, language)
        except OSError as exc:
            print(f"practicum: {step.__name__}: {exc}", file=sys.stderr)  # noqa: T201 - this is the server's log
    os.chdir(home)
    serve(options)


def serve(options: list[str]) -> None:
    """Run JupyterHub's single-user server with these options until it ends, started in half its usual time."""
    sys.argv = ["jupyterhub-singleuser", *options]
    # Nearly everything that is imported stays: looking for garbage meanwhile takes 0.15 s.
    gc.disable()
    # Building this package's grammar takes 0.9 s of processor time; jsonschema does without where it is not installed.
    # It checks internationalised addresses (formats `iri`, `iri-reference`), which no schema of Jupyter's uses.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    # Where Node.js is installed JupyterLab asks it at import which package registry to build from (0.25 s). Nobody builds.
    path = os.environ["PATH"]
    os.environ["PATH"] = "/nowhere"
    import jupyterlab.labapp  # noqa: F401, PLC0415

    os.environ["PATH"] = path
    from jupyterhub.singleuser import main as run_single_user  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    run_single_user()


def put_lessons(home: Path, language: str) -> None:
    """Copy each lesson that the home does not have yet; what is there is the learner's work and stays."""
    for lesson in sorted(Path(os.environ.get("PRACTICUM_LESSONS") or LESSONS).glob("*/*")):
        target = home / lesson.parent.name / lesson.name
        if target.exists() or target.is_symlink():
            continue
        part = target.with_name(f".{target.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(lesson, part, copy_function=_copy_writable)
        part.chmod(0o700)
        # Read by courses.kit.handin.folder: a hand-in says which language its graded cells speak.
        (part / ".practicum.json").write_text(json.dumps({"language": language}), encoding="utf-8")
        part.rename(target)


def follow_language(home: Path, language: str) -> None:
    """Set JupyterLab's language to the one chosen on the centre's pages, when that choice has changed."""
    chosen = home / _CHOSEN
    if language not in _LOCALES or (chosen.exists() and chosen.read_text(encoding="utf-8") == language):
        return
    settings = home / TRANSLATION_SETTINGS
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps({"locale": _LOCALES[language]}), encoding="utf-8")
    chosen.parent.mkdir(parents=True, exist_ok=True)
    chosen.write_text(language, encoding="utf-8")


def _copy_writable(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    Path(target).chmod(0o600)


if __name__ == "__main__":
    main()

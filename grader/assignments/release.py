"""A lesson made ready for its learners: converted, translated, and put where their servers mount it from.

A release replaces the folder of the lesson in one step, so that whoever copies it meanwhile gets one whole version, and
touches nothing where the content is the same already.
"""

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from grader.assignments.catalogue import listing
from grader.assignments.course import SOURCE_LANGUAGE, Assignment, Course
from grader.assignments.translation import load_translation, translated
from grader.errors import CourseError, ReleaseError, UnknownLessonError
from grader.notebook import Stubs, converted, dump, read

Content = Mapping[PurePath, bytes]

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h
_NOT_SUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}


@dataclass(frozen=True, slots=True)
class Released:
    """Where a released lesson lies, and whether this release changed it."""

    path: Path
    changed: bool


def release(course: Course, assignment: str, language: str, into: Path) -> Released:
    """The lesson in `into/COURSE/release/LANGUAGE/ASSIGNMENT/`, readable by every learner who is given the folder.

    Releasing again, at the same time or after a crash, ends in the same content. Raises `UnknownLessonError`, and
    `CourseError`, `NotebookError` or `TranslationError` for a lesson that is not fit to be shown, `ReleaseError` where
    the folder cannot be written; what was released before stays.
    """
    content = lesson_content(course, course.assignment(assignment), language)
    return put_lesson(content, into / course.name, language, assignment)


def put_lesson(content: Content, course_folder: Path, language: str, assignment: str) -> Released:
    """This content as the released lesson, in one step; nothing is touched where it is there already.

    Raises `ReleaseError` where the folder cannot be written; what was released before stays.
    """
    path = course_folder / "release" / language / assignment
    try:
        with _lock(course_folder):
            if _content_of(path) == content:
                return Released(path, changed=False)
            _replace(path, content)
    except OSError as exc:
        raise ReleaseError("%(path)s cannot be written: %(cause)s.", path=path, cause=exc.strerror or exc) from exc
    return Released(path, changed=True)


def release_all(courses: tuple[Course, ...], into: Path) -> list[Released]:
    """Every lesson of these courses in every language, and `into/catalogue.json` for the pages that list them."""
    released = [
        release(course, assignment.name, language, into)
        for course in courses
        for assignment in course.assignments
        for language in course.languages
    ]
    catalogue = into / "catalogue.json"
    try:
        with tempfile.NamedTemporaryFile("w", dir=into, encoding="utf-8", delete=False) as file:
            json.dump(listing(courses), file, ensure_ascii=False, indent=1)
        Path(file.name).replace(catalogue)
    except OSError as exc:
        raise ReleaseError("%(path)s cannot be written: %(cause)s.", path=catalogue, cause=exc.strerror or exc) from exc
    return released


def lesson_content(course: Course, assignment: Assignment, language: str) -> Content:
    """What a learner gets, by path relative to the lesson's folder: converted notebooks and the files beside them."""
    if language not in course.languages:
        raise UnknownLessonError("%(course)s is not given in %(language)s.", course=course.name, language=language)
    folder = course.source_dir(assignment)
    content: dict[PurePath, bytes] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_symlink():
            raise CourseError("%(path)s is a link; a lesson holds plain files only.", path=path)
        if path.is_dir() or any(part.startswith((".", "__")) for part in inside.parts):
            continue
        content[inside] = path.read_bytes()
    _check_data(assignment, folder, content)
    content[PurePath(assignment.notebook)] = _notebook(course, assignment, language)
    return content


def _notebook(course: Course, assignment: Assignment, language: str) -> bytes:
    source, stubs = read(course.source_dir(assignment) / assignment.notebook), Stubs()
    if language != SOURCE_LANGUAGE:
        translation = load_translation(course, assignment, language)
        source, stubs = translated(source, translation), translation.stubs
    return dump(converted(source, assignment.name, stubs))


def _check_data(assignment: Assignment, folder: Path, content: Content) -> None:
    """Every file beside the notebook is in the manifest, unchanged: nobody hands out data of unknown licence."""
    described = {PurePath(data.file): data.sha256 for data in assignment.data}
    found = content.keys() - {PurePath(assignment.notebook)}
    if unknown := sorted(found - described.keys()):
        raise CourseError("%(path)s is not in the data manifest of course.yaml.", path=folder / unknown[0])
    for name, sha256 in described.items():
        if name not in found:
            raise CourseError("%(path)s is in the data manifest but not there.", path=folder / name)
        if hashlib.sha256(content[name]).hexdigest() != sha256:
            raise CourseError("%(path)s is not the file course.yaml describes (SHA-256 differs).", path=folder / name)


def _content_of(folder: Path) -> Content:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """One release of a course at a time; the kernel frees the lock of a process that dies."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (folder / ".release.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _replace(path: Path, content: Content) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{path.name}.*"):  # of a release that was killed; the lock says nobody uses it
        shutil.rmtree(leftover)
    fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        for inside, data in content.items():
            target = fresh / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            target.chmod(0o644)
        for folder in (fresh, *(found for found in fresh.rglob("*") if found.is_dir())):
            folder.chmod(0o755)
        if path.exists():
            _exchange(fresh, path)
        else:
            fresh.rename(path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _exchange(one: Path, other: Path) -> None:
    """Two folders change places in one step, so that there is never a moment without a lesson.

    File systems that cannot (NFS, some overlays) get two renames, with such a moment between them.
    """
    libc = ctypes.CDLL(None, use_errno=True)  # glibc since 2.28 and musl since 1.2.6 have renameat2
    if not hasattr(libc, "renameat2"):
        ctypes.set_errno(errno.ENOSYS)
    elif libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return
    if (number := ctypes.get_errno()) not in _NOT_SUPPORTED:
        raise OSError(number, os.strerror(number), str(other))
    aside = other.with_name(f"{one.name}.aside")
    other.rename(aside)
    one.rename(other)
    aside.rename(one)

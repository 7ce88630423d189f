"""Reading a tree that somebody hostile writes at the same moment: homes belong to untrusted code.

No name is looked up twice and no link is followed: every directory is opened below the one before it, every file is opened
and then asked what it is. A learner who swaps a directory for a link to /etc in between gets an entry left out.
"""

import errno
import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass

DEEPEST = 128
"""Levels of directories; each costs an open file while its content is read."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not blocking, because the name may have become a pipe nobody writes to.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Found:
    """A directory, a link or a regular file. `descriptor` reads the file and is closed when the next entry is asked for."""

    path: str
    status: os.stat_result
    target: str | None = None
    descriptor: int | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that is not in the backup, and why."""

    path: str
    reason: str


def walk(root: str, without: Collection[str]) -> Iterator[Found | LeftOut]:
    """Everything below `root` except the top-level names in `without`, directories before what is in them."""
    top = os.open(root, _DIRECTORY)
    stack = [(top, "", iter(sorted(set(_names(top)) - set(without))))]
    try:
        while stack:
            folder, prefix, names = stack[-1]
            name = next(names, None)
            if name is None:
                os.close(folder)
                stack.pop()
                continue
            path = prefix + name
            try:
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if not stat.S_ISDIR(status.st_mode):
                    yield from _leaf(folder, name, path, status)
                    continue
                if len(stack) > DEEPEST:
                    yield LeftOut(path, "nested too deeply")
                    continue
                below = os.open(name, _DIRECTORY, dir_fd=folder)
            except OSError as exc:
                if exc.errno != errno.ENOENT:
                    yield LeftOut(path, os.strerror(exc.errno or 0))
                continue
            stack.append((below, path + "/", iter(sorted(_names(below)))))
            yield Found(path, os.fstat(below))
    finally:
        for folder, _, _ in stack:
            os.close(folder)


def _leaf(folder: int, name: str, path: str, status: os.stat_result) -> Iterator[Found | LeftOut]:
    if stat.S_ISLNK(status.st_mode):
        yield Found(path, status, target=os.readlink(name, dir_fd=folder))
        return
    if not stat.S_ISREG(status.st_mode):
        yield LeftOut(path, "neither file, directory nor link")
        return
    descriptor = os.open(name, _FILE, dir_fd=folder)
    try:
        opened = os.fstat(descriptor)
        if not stat.S_ISREG(opened.st_mode):
            yield LeftOut(path, "changed while it was read")
        elif opened.st_size > 2**26 and opened.st_blocks * 512 < opened.st_size // 8:
            # One call makes a file of terabytes that holds nothing; a backup would have to write them out.
            yield LeftOut(path, f"a sparse file of {opened.st_size} bytes")
        else:
            yield Found(path, opened, descriptor=descriptor)
    finally:
        os.close(descriptor)


def _names(folder: int) -> list[str]:
    return os.listdir(folder)

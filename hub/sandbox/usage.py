"""How full a home is, and whether the file system keeps it from growing further."""

import contextlib
import ctypes
import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from hub.sandbox.errors import HomeUnmeasurableError

_MIB = 1024 * 1024
_MOST_LEVELS = 200
_MOST_ENTRIES = 2_000_000
"""A home is hostile: a directory chain without end must not hold this process, or all its descriptors."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_SYS_QUOTACTL_FD = 443
_Q_GETQUOTA = 0x800007
_USRQUOTA, _PRJQUOTA = 0, 2
_QUOTA_BLOCK = struct.Struct("=8QI4x")
"""struct if_dqblk: hard and soft block limits in KiB blocks, space, inode limits and use, times, valid fields."""

_FS_IOC_FSGETXATTR = 0x801C581F
_PROJECT_ID = struct.Struct("=4I12x")
"""struct fsxattr: flags, extent size hint, number of extents, project id, then more."""

_libc = ctypes.CDLL(None, use_errno=True)


def home_usage_mib(home: str | Path) -> int:
    """What the files in `home` take on disk, MiB rounded up; hard links count once, other file systems not at all.

    Never follows a symbolic link and opens nothing but directories, so that it can be asked about a home whose owner
    rearranges it meanwhile. Raises `HomeUnmeasurableError` for one nested or filled beyond reason, `OSError` if it is not
    there.
    """
    top = os.open(home, _DIRECTORY)
    blocks, seen = 0, set[tuple[int, int]]()
    entries = 0
    for found in _entries(top, os.fstat(top).st_dev, 0):
        entries += 1
        if entries > _MOST_ENTRIES:
            raise HomeUnmeasurableError
        if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
            if (found.st_dev, found.st_ino) in seen:
                continue
            seen.add((found.st_dev, found.st_ino))
        blocks += found.st_blocks
    return -(-blocks * 512 // _MIB)


def _entries(directory: int, device: int, level: int) -> Iterator[os.stat_result]:
    """Everything beneath an open directory, which is closed at the end."""
    try:
        if level > _MOST_LEVELS:
            raise HomeUnmeasurableError
        for name in os.listdir(directory):  # by descriptor, so that no part of a path can be swapped
            try:
                found = os.lstat(name, dir_fd=directory)
                if found.st_dev != device:
                    continue
                inner = os.open(name, _DIRECTORY, dir_fd=directory) if stat.S_ISDIR(found.st_mode) else None
            except OSError:
                continue  # removed or swapped since it was listed, or not ours to read
            yield found
            if inner is not None:
                yield from _entries(inner, device, level + 1)
    finally:
        os.close(directory)


def enforced_quota_mib(home: str | Path, uid: int) -> int | None:
    """The hard limit that the file system of `home` enforces on `uid`, MiB; None if it enforces none or cannot say.

    Without one a home can fill the disk it lies on: a limit on single files is all that holds.
    """
    limits = []
    fd = os.open(home, _DIRECTORY)
    try:
        for kind, owner in ((_USRQUOTA, uid), (_PRJQUOTA, _project(fd))):
            buffer = ctypes.create_string_buffer(_QUOTA_BLOCK.size)
            command = ctypes.c_uint((_Q_GETQUOTA << 8) | kind)
            if owner is not None and _libc.syscall(_SYS_QUOTACTL_FD, fd, command, ctypes.c_uint(owner), buffer) == 0:
                limits.append(_QUOTA_BLOCK.unpack(buffer.raw)[0])
    finally:
        os.close(fd)
    enforced = [blocks * 1024 // _MIB for blocks in limits if blocks]
    return min(enforced) if enforced else None


def _project(fd: int) -> int | None:
    """The quota project a directory belongs to, None for none or a file system without projects."""
    with contextlib.suppress(OSError):
        raw = fcntl.ioctl(fd, _FS_IOC_FSGETXATTR, bytes(_PROJECT_ID.size))
        return _PROJECT_ID.unpack(raw)[3] or None
    return None

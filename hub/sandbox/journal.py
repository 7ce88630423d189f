"""A sandbox's log: the program's output and the keeper's own lines in one private file that cannot grow for ever."""

import os
import time

_READ_BYTES = 64 * 1024
_MOST_BYTES_PER_S = 4 * 1024 * 1024
"""What a program may write before its output is left waiting: a flood must not take a processor of everybody's."""


class Journal:
    """An open log file. Writing never fails the caller: a full disk loses lines, not servers."""

    def __init__(self, path: str, most_bytes: int) -> None:
        """Opened before privileges are dropped; raises `OSError`. A link in the file's place is refused."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self.fd = os.open(path, flags, 0o600)
        self._most_bytes = most_bytes
        self._second = 0
        self._this_second = 0

    def say(self, sentence: str) -> None:
        """A line of the keeper's own."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._write(f"{stamp} keeper: {sentence}\n".encode())

    def copy(self, pipe: int) -> int | None:
        """Append what lies in a non-blocking pipe, one reading; the number of bytes, 0 at its end, None if it is empty."""
        try:
            data = os.read(pipe, _READ_BYTES)
        except BlockingIOError:
            return None
        if data:
            self._this_second += len(data)
            self._write(data)
        return len(data)

    def flooded(self) -> bool:
        """Whether the program wrote more in this second than it may."""
        if (now := int(time.monotonic())) != self._second:
            self._second, self._this_second = now, 0
        return self._this_second > _MOST_BYTES_PER_S

    def _write(self, data: bytes) -> None:
        try:
            os.write(self.fd, data)
            size = os.fstat(self.fd).st_size
            if size > self._most_bytes:
                self._keep_newest(size, self._most_bytes // 2)
        except OSError:
            pass

    def _keep_newest(self, size: int, kept_bytes: int) -> None:
        # In place, because after dropping privileges nothing can be renamed in the centre's own directory.
        newest = os.pread(self.fd, kept_bytes, size - kept_bytes)
        os.ftruncate(self.fd, 0)
        os.write(self.fd, b"[older lines are gone]\n" + newest[newest.find(b"\n") + 1 :])

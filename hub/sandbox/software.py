"""What a Python program needs to see of this machine, all of it read-only, and nothing that is a secret.

/usr and its old names at the root, a few directories of /etc, a generated passwd and its company, and the Python this
process runs on with everything installed for it.
"""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hub.sandbox.arguments import HOST_NAME
from hub.sandbox.spec import Link, Mount, TextFile, User, is_beneath

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")

_ETC = (
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "fonts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.conf",
    "localtime",
    "mime.types",
    "pki/ca-trust",
    "pki/tls/certs",
    "protocols",
    "services",
    "ssl/certs",  # not ssl/private
    "ssl/openssl.cnf",
    "timezone",
)


@dataclass(frozen=True, slots=True)
class Software:
    """Parts of a spec: put them into its fields of the same names."""

    mounts: tuple[Mount, ...]
    links: tuple[Link, ...]
    files: tuple[TextFile, ...]
    masks: tuple[str, ...]


def python_software(
    user: User | None, *, home: str, read_only: Iterable[str | Path] = (), hidden: Iterable[str | Path] = ()
) -> Software:
    """What a program under this interpreter needs, plus `read_only` paths (seen at their own place).

    `home` is the home directory inside, for the passwd file. Those of the `hidden` directories that would be seen
    appear empty, such as a state directory that lies next to the software. Missing paths are left out.
    """
    mounts, links = _system()
    mounts += _etc_mounts()
    mounts += _uncovered((*_interpreter_trees(), *(str(path) for path in read_only)), mounts)
    masks = tuple(sorted(_visible(hidden, mounts)))
    return Software(tuple(mounts), tuple(links), _etc_files(user, home), masks)


def interpreter() -> str:
    """The real file of the Python this process runs on: a virtual environment's own is a link to it."""
    return str(Path(sys.executable).resolve())


def _system() -> tuple[list[Mount], list[Link]]:
    mounts, links = [], []
    for path in _SYSTEM:
        if Path(path).is_symlink():
            links.append(Link(path, str(Path(path).readlink())))
        elif Path(path).exists():
            mounts.append(Mount(path, path))
    return mounts, links


def _etc_mounts() -> list[Mount]:
    paths = (f"/etc/{name}" for name in _ETC)
    # The source is resolved: a bind mount of a link such as /etc/localtime would dangle inside.
    return [Mount(str(Path(path).resolve()), path) for path in paths if Path(path).exists()]


def _etc_files(user: User | None, home: str) -> tuple[TextFile, ...]:
    name, uid, gid = (user.name, user.uid, user.gid) if user else ("learner", os.getuid(), os.getgid())
    return (
        TextFile("/etc/passwd", f"{name}:x:{uid}:{gid}::{home}:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\n"),
        TextFile("/etc/group", f"{name}:x:{gid}:\nnogroup:x:65534:\n"),
        TextFile("/etc/hosts", f"127.0.0.1 localhost {HOST_NAME}\n::1 localhost\n"),
        TextFile("/etc/hostname", f"{HOST_NAME}\n"),
        TextFile("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
        TextFile("/etc/resolv.conf", "# No name server can be reached from here.\n"),
    )


def _interpreter_trees() -> list[str]:
    """Prefixes of this Python under each name they go by, and the directories of each link on the way to it."""
    trees = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
    hop = Path(sys.executable)
    for _ in range(40):  # the kernel's own limit of links in one path
        trees.append(str(hop.parent.parent))
        if not hop.is_symlink():
            break
        hop = hop.parent / hop.readlink()
    named = [os.path.normpath(tree) for tree in trees]
    return list(dict.fromkeys([*named, *(str(Path(tree).resolve()) for tree in named)]))


def _uncovered(paths: Iterable[str], mounts: list[Mount]) -> list[Mount]:
    """Mounts for those paths that no other mount shows already; the widest one wins."""
    taken = [mount.target for mount in mounts]
    added: list[Mount] = []
    for path in sorted(set(paths), key=len):
        seen = any(path == each or is_beneath(path, each) for each in taken)
        if path != "/" and not seen and Path(path).exists():
            added.append(Mount(path, path))
            taken.append(path)
    return added


def _visible(hidden: Iterable[str | Path], mounts: list[Mount]) -> set[str]:
    found = {str(Path(path).resolve()) for path in hidden if Path(path).is_dir()}
    return {path for path in found if any(is_beneath(path, mount.target) for mount in mounts)}

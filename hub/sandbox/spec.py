"""What a sandbox is, as plain values: checked when made, written to JSON and read back without loss.

A spec that exists is safe to build: paths are absolute and normal, and nothing is mounted inside a directory whose
content the sandboxed code decides.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from hub.sandbox.errors import SpecError

INIT_PATH = "/run/practicum/init.py"
"""Where the sandbox's PID 1 lies inside."""

MOST_WAYS = 8
"""Each is one more listening socket inside."""

SMALLEST_CPU_MILLI = 10
"""The kernel's shortest quota is 1 ms in a period of 100."""

_RESERVED = ("/proc", "/dev", "/sys", "/run/practicum")
"""Made by the sandbox itself; a mount there could undo what hides them."""


def _refuse(where: str, reason: str) -> SpecError:
    return SpecError(where=where, reason=reason)


def _check_path(where: str, path: object) -> None:
    if not isinstance(path, str) or not path.startswith("/") or "\0" in path:
        raise _refuse(where, f"{path!r} is not an absolute path")
    if path != "/" and any(part in {"", ".", ".."} for part in path.split("/")[1:]):
        raise _refuse(where, f"{path!r} is not a normal path (no `..`, no `.`, no double or final slash)")


def _check_target(where: str, path: str) -> None:
    _check_path(where, path)
    if path == "/" or any(path == taken or is_beneath(path, taken) for taken in _RESERVED):
        raise _refuse(where, f"{path!r} is the sandbox's own")


def _check_number(where: str, value: object, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise _refuse(where, f"{value!r} is not a whole number from {low} to {high}")


def _check_text(where: str, value: object) -> None:
    if not isinstance(value, str) or "\0" in value:
        raise _refuse(where, f"{value!r} is not text without null characters")


def is_beneath(path: str, ancestor: str) -> bool:
    """Whether `path` lies strictly inside `ancestor`; both are normal absolute paths."""
    return path != ancestor and path.startswith(ancestor.rstrip("/") + "/")


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or directory of this machine that is seen inside, read-only unless said otherwise."""

    source: str
    target: str
    writable: bool = False

    def __post_init__(self) -> None:
        _check_path("mounts.source", self.source)
        _check_target("mounts.target", self.target)
        if type(self.writable) is not bool:
            raise _refuse("mounts.writable", "must be true or false")


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link inside, such as `/bin` to `usr/bin`."""

    target: str
    points_to: str

    def __post_init__(self) -> None:
        _check_target("links.target", self.target)
        _check_text("links.points_to", self.points_to)


@dataclass(frozen=True, slots=True)
class TextFile:
    """A read-only file inside, made from text."""

    target: str
    text: str

    def __post_init__(self) -> None:
        _check_target("files.target", self.target)
        _check_text("files.text", self.text)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the sandbox may use.

    `memory_mib` and `processes` (threads count) hold for the whole sandbox where cgroups can be written, otherwise for
    each process and each uid. `open_files` and `file_mib` (largest single file) hold per process. `tmp_mib` is the size
    of /tmp and, once more, of /dev/shm; what lies there is memory. `cpu_milli` are thousandths of a CPU for the whole
    sandbox, None for what others leave; `cpus` are the CPUs that share is kept to, empty for wherever there is time.
    """

    memory_mib: int
    processes: int
    open_files: int
    file_mib: int
    tmp_mib: int
    cpu_milli: int | None = None
    cpus: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("memory_mib", "processes", "open_files", "file_mib", "tmp_mib"):
            _check_number(f"limits.{name}", getattr(self, name), 1, 2**40)
        if self.cpu_milli is not None:
            _check_number("limits.cpu_milli", self.cpu_milli, SMALLEST_CPU_MILLI, 2**24)
        elif self.cpus:
            raise _refuse("limits.cpus", "are given without a share of the processor")
        if not isinstance(self.cpus, tuple):
            raise _refuse("limits.cpus", "must be CPU numbers")
        for cpu in self.cpus:
            _check_number("limits.cpus", cpu, 0, 2**16)
        if len(set(self.cpus)) < len(self.cpus):
            raise _refuse("limits.cpus", "name a CPU twice")


@dataclass(frozen=True, slots=True)
class User:
    """Who the sandboxed program is. Root is refused: it is what the sandbox must not be."""

    uid: int
    gid: int
    name: str

    def __post_init__(self) -> None:
        # 2**32 - 1 is setresuid's "leave it as it is": such a user would stay root.
        _check_number("user.uid", self.uid, 1, 2**32 - 2)
        _check_number("user.gid", self.gid, 1, 2**32 - 2)
        _check_text("user.name", self.name)
        if not self.name or set(self.name) & set(":\n/"):
            raise _refuse("user.name", f"{self.name!r} cannot stand in a passwd file")


@dataclass(frozen=True, slots=True)
class Way:
    """A way out of the sandbox: inside, 127.0.0.1:`inside_port` leads to `address` (IP address, port) of this machine."""

    inside_port: int
    address: tuple[str, int]

    def __post_init__(self) -> None:
        # Below 1024 the sandbox's init, which has no capability, could not listen.
        _check_number("network.ways.inside_port", self.inside_port, 1024, 65535)
        if not isinstance(self.address, tuple) or len(self.address) != 2:
            raise _refuse("network.ways.address", "must be an IP address and a port")
        _check_number("network.ways.address", self.address[1], 1, 65535)
        try:
            ipaddress.ip_address(self.address[0])
        except ValueError as exc:
            raise _refuse("network.ways.address", f"{self.address[0]!r} is not an IP address") from exc


@dataclass(frozen=True, slots=True)
class Network:
    """The only ways through the sandbox's own loopback, all relayed byte by byte by the keeper.

    `ways` lead out; the keeper's host port leads in, to 127.0.0.1:`inside_server_port`.
    """

    ways: tuple[Way, ...]
    inside_server_port: int

    def __post_init__(self) -> None:
        _check_number("network.inside_server_port", self.inside_server_port, 1, 65535)
        if len(self.ways) > MOST_WAYS:
            raise _refuse("network.ways", f"are more than {MOST_WAYS}")
        taken = [self.inside_server_port, *(way.inside_port for way in self.ways)]
        if len(set(taken)) < len(taken):
            raise _refuse("network.ways", "and the server must all have different ports inside")


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """Everything about one sandbox. `environment` holds secrets, so `repr` leaves it out.

    `home` is the one mount the program owns; `masks` are directories beneath a mount that appear empty; `user` is
    needed when root starts the sandbox and must be absent otherwise; without `network` there is only an empty loopback.
    `log_file` gets the program's output and the keeper's own lines, at most `log_mib`; `outcome_file`, if named, gets
    one JSON object when the sandbox has ended. `stop_grace_s` is what the program gets between SIGTERM and SIGKILL.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    working_dir: str
    home: Mount | None
    mounts: tuple[Mount, ...]
    limits: Limits
    log_file: str
    links: tuple[Link, ...] = ()
    files: tuple[TextFile, ...] = ()
    masks: tuple[str, ...] = ()
    user: User | None = None
    network: Network | None = None
    outcome_file: str | None = None
    log_mib: int = 4
    stop_grace_s: int = 10

    def __post_init__(self) -> None:
        if not self.argv or not self.argv[0]:
            raise _refuse("argv", "must name a program")
        for argument in self.argv:
            _check_text("argv", argument)
        for name, value in self.environment.items():
            _check_text("environment", name)
            _check_text(f"environment.{name}", value)
            if not name or "=" in name:
                raise _refuse("environment", f"{name!r} is not the name of a variable")
        _check_path("working_dir", self.working_dir)
        _check_path("log_file", self.log_file)
        if self.outcome_file is not None:
            _check_path("outcome_file", self.outcome_file)
        for mask in self.masks:
            _check_target("masks", mask)
        _check_number("log_mib", self.log_mib, 1, 1024)
        _check_number("stop_grace_s", self.stop_grace_s, 0, 3600)
        self._check_targets()

    def _check_targets(self) -> None:
        things: tuple[Mount | Link | TextFile, ...] = (*self.all_mounts(), *self.links, *self.files)
        targets = [*(each.target for each in things), *self.masks]
        if twice := {target for target in targets if targets.count(target) > 1}:
            raise _refuse("mounts", f"{min(twice)!r} is used twice")
        for mount in self.all_mounts():
            if not mount.writable:
                continue
            # Making a mount point there follows symbolic links the sandboxed code left: as root, anywhere.
            for target in targets:
                if is_beneath(target, mount.target):
                    raise _refuse("mounts", f"{target!r} lies in {mount.target!r}, which the program can write")

    def all_mounts(self) -> tuple[Mount, ...]:
        """The home, if there is one, and the other mounts."""
        return self.mounts if self.home is None else (self.home, *self.mounts)

    def to_dict(self) -> dict[str, Any]:
        """The spec as JSON values; `from_dict` gives it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """A spec from JSON values. Raises `SpecError` for unknown or missing keys and for every unsafe value."""
        values = _known(cls, "spec", data)
        values["argv"] = tuple(_items("argv", values["argv"]))
        if not isinstance(values["environment"], Mapping):
            raise _refuse("environment", "must map names to values")
        values["home"] = _optional(Mount, "home", values["home"])
        values["user"] = _optional(User, "user", values.get("user"))
        limits = _known(Limits, "limits", values["limits"])
        values["limits"] = Limits(**limits | {"cpus": tuple(_items("limits.cpus", limits.get("cpus", ())))})
        if (network := values.get("network")) is not None:
            known = _known(Network, "network", network)
            values["network"] = Network(
                tuple(_way(each) for each in _items("network.ways", known["ways"])), known["inside_server_port"]
            )
        for name, kind in (("mounts", Mount), ("links", Link), ("files", TextFile)):
            values[name] = tuple(kind(**_known(kind, name, each)) for each in _items(name, values.get(name, ())))
        values["masks"] = tuple(_items("masks", values.get("masks", ())))
        return cls(**values)


def _known(cls: type[Any], where: str, data: object) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise _refuse(where, "must be an object")
    names = {each.name for each in fields(cls)}
    if unknown := sorted(str(key) for key in set(data) - names):
        raise _refuse(where, f"unknown key {unknown[0]!r}")
    needed = {each.name for each in fields(cls) if each.default is each.default_factory}  # both are dataclasses.MISSING
    if missing := sorted(needed - set(data)):
        raise _refuse(where, f"{missing[0]!r} is missing")
    return dict(data)


def _way(data: object) -> Way:
    known = _known(Way, "network.ways", data)
    return Way(known["inside_port"], tuple(_items("network.ways.address", known["address"])))


def _items(where: str, value: object) -> Iterable[Any]:
    if not isinstance(value, list | tuple):
        raise _refuse(where, "must be a list")
    return value


def _optional(cls: type[Any], where: str, data: object) -> Any:
    return None if data is None else cls(**_known(cls, where, data))

"""The centre's settings: one frozen model, read once from `settings.yaml` in the state directory, unknown keys refused.

Every field's description is the reference documentation: `docs/reference/settings.md` is checked against it.
"""

import difflib
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hub.errors import SettingsError
from hub.state import StateDir

LANGUAGES = ("en", "zh-CN")

PAGE_SESSION_LIFETIME = timedelta(days=14)
"""As long as JupyterHub's own cookie; whichever ends first ends both."""

Port = Annotated[int, Field(ge=1, le=65535)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseSettings(_Section):
    """Where state lives; empty means SQLite files under the state directory."""

    hub_url: str = Field("", description="SQLAlchemy URL of JupyterHub's database, e.g. postgresql+psycopg://host/hub.")
    practicum_url: str = Field("", description="SQLAlchemy URL of the practicum service's database.")
    grader_url: str = Field("", description="SQLAlchemy URL of the grader service's database; may be practicum's too.")


class AuthenticatorSettings(_Section):
    """How people prove who they are."""

    name: str = Field(
        "roster",
        description="`roster` (invitation and password), or any JupyterHub authenticator by entry point or dotted name.",
    )
    config: dict[str, Any] = Field(default_factory=dict, description="Traits of that authenticator's class.")


class SandboxSettings(_Section):
    """What one learner's server may use. Limits hold for the whole server, all kernels together, where cgroups allow."""

    enforced: bool = Field(
        True,
        description="`false` runs learner servers uncontained, with the centre's own rights: only to try things out alone. "
        "Every page then shows a banner. `up --insecure-no-sandbox` does the same for one run.",
    )
    memory_mib: int = Field(2048, ge=256, description="Memory of one server, MiB.")
    processes: int = Field(256, ge=32, description="Processes and threads of one server.")
    open_files: int = Field(4096, ge=256, description="Open files of one process.")
    home_mib: int = Field(5120, ge=64, description="Home directory of one learner, MiB.")
    tmp_mib: int = Field(1024, ge=16, description="Private /tmp of one server, MiB; it counts as memory.")
    first_uid: int = Field(
        200_000,
        ge=10_000,
        le=4_000_000_000,
        description="As root: the first of the uids given to learners, never reused.",
    )
    uid_count: int = Field(100_000, ge=1, description="How many uids that range holds.")


class CullerSettings(_Section):
    """When an idle server is stopped; nothing in a home is lost by it."""

    idle_s: int = Field(3600, ge=60, description="Seconds without activity after which a server is stopped.")
    every_s: int = Field(60, ge=5, description="Seconds between two looks.")


class ShareSettings(_Section):
    """A share of the administrator's own, beside those derived from the devices."""

    name: str = Field(description="What it is called; lowercase letters, digits, dots and hyphens.")
    pool: str = Field(description="Of which devices: `cpu`, or a pool shown on the devices page.")
    cpu_milli: int = Field(0, ge=0, description="Thousandths of one CPU.")
    memory_mib: int = Field(0, ge=0, description="Memory, MiB.")
    compute_milli: int = Field(0, ge=0, le=1000, description="Thousandths of the device; of CPUs none.")
    device_memory_mib: int = Field(0, ge=0, description="Memory of the device, MiB; of CPUs none.")


class DevicesSettings(_Section):
    """What is given out in shares, and for how long an offer of one stands."""

    simulate: str = Field(
        "",
        description="Devices that are only declared, to try the centre out, e.g. `8xH100-80GB`; marked *simulated* "
        "wherever they show. `up --simulate` does the same for one run.",
    )
    cpu_percent: int = Field(
        75, ge=0, le=100, description="How much of this machine's CPUs and memory is offered as shares; 0: none."
    )
    claim_s: int = Field(
        120, ge=5, le=86_400, description="Seconds within which somebody whose turn has come must start."
    )
    start_grace_s: int = Field(
        180, ge=10, le=86_400, description="Seconds a server may take to start before its share is taken back."
    )
    shares: list[ShareSettings] = Field(default_factory=list, description="Shares of the administrator's own.")


class Settings(_Section):
    """Everything an operator can choose."""

    port: Port = Field(8000, description="Port people connect to.")
    bind: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for every network of this machine.")
    public_url: str = Field(
        "", description="Address people type, if a TLS proxy stands in front, e.g. https://train.example.org."
    )
    server_subdomains: bool = Field(
        False,
        description="Give every learner's server its own host name under public_url's (needs wildcard DNS and TLS). "
        "Recommended: it keeps hostile pages of one server away from everybody else's.",
    )
    language: str = Field("en", pattern="^(en|zh-CN)$", description="Language of people who have not chosen one.")
    time_zone: str = Field(
        "",
        description="IANA time zone in which deadlines are typed and shown, e.g. Asia/Shanghai; empty: this machine's.",
    )
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    authenticator: AuthenticatorSettings = Field(default_factory=AuthenticatorSettings)
    sandbox: SandboxSettings = Field(default_factory=SandboxSettings)
    culler: CullerSettings = Field(default_factory=CullerSettings)
    devices: DevicesSettings = Field(default_factory=DevicesSettings)

    @property
    def devices_on_offer(self) -> DevicesSettings:
        """The devices to give out shares of: none where servers run without a sandbox, which is what would hold a share."""
        if self.sandbox.enforced:
            return self.devices
        return self.devices.model_copy(update={"simulate": "", "cpu_percent": 0, "shares": []})

    @field_validator("time_zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            return ZoneInfo(value).key if value else value
        except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
            raise ValueError("is no time zone; write it as in Asia/Shanghai") from exc

    @field_validator("public_url")
    @classmethod
    def _is_http_origin(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"}):
            raise ValueError("must be an origin such as https://train.example.org, without a path")
        return value.rstrip("/")


def load_settings(path: Path) -> Settings:
    """Settings from a YAML file; defaults where the file is missing or empty.

    Raises `SettingsError` with one sentence that names the key, and for an unknown key the nearest known one.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError("Cannot read %(path)s: %(cause)s.", path=path, cause=exc) from exc
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = mark.line + 1 if mark else "?"
        raise SettingsError("%(path)s is not valid YAML (line %(line)s).", path=path, line=line) from exc
    if data is None:
        return Settings()
    if not isinstance(data, Mapping):
        raise SettingsError("%(path)s must hold `key: value` lines.", path=path)
    try:
        return Settings.model_validate(data)
    except ValidationError as exc:
        raise SettingsError("%(path)s: %(cause)s.", path=path, cause=_explain(exc)) from exc


def effective_settings(state: StateDir) -> Settings:
    """What the running centre was started with, else what `settings.yaml` says.

    Options of `up` override the file, and a process restarted alone must not see an edit its neighbours have not seen:
    so `up` writes one snapshot for all of them. Raises `SettingsError`.
    """
    try:
        text = state.effective_settings_file.read_text(encoding="utf-8")
        return Settings.model_validate_json(text)
    except FileNotFoundError:
        return load_settings(state.settings_file)
    except (OSError, ValueError) as exc:
        raise SettingsError("%(path)s is damaged; start the centre again.", path=state.effective_settings_file) from exc


def write_effective_settings(state: StateDir, settings: Settings) -> None:
    """Make `settings` what every process of this start sees. Mode 0600: an authenticator's secrets may be among them."""
    part = state.effective_settings_file.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(settings.model_dump_json(indent=1) + "\n")
    part.replace(state.effective_settings_file)


def _explain(exc: ValidationError) -> str:
    first = exc.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}"
    known = _known_keys(first["loc"][:-1])
    near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known)}"
    return f"unknown key `{where}`; {hint}".rstrip(".")


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in loc:
        if isinstance(part, int):
            continue  # a place in a list; its items' model was found with the list
        annotation = model.model_fields[str(part)].annotation
        if get_origin(annotation) is list:
            (annotation,) = get_args(annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return sorted(model.model_fields)

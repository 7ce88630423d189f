"""JupyterHub's configuration: every choice comes from the centre's settings; this file only hands them over."""

import os
from pathlib import Path
from typing import Any

from hub.web.hub_wiring import HubSide

c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub puts it into this file's namespace
hub = HubSide.from_state_dir(Path(os.environ["PRACTICUM_STATE_DIR"]))

c.JupyterHub.bind_url = hub.bind_url
c.JupyterHub.public_url = hub.public_url
c.JupyterHub.subdomain_host = hub.subdomain_host
c.JupyterHub.subdomain_hook = hub.subdomain
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{hub.addresses.hub}"
c.JupyterHub.default_url = hub.home_url
c.JupyterHub.db_url = hub.database_url
c.JupyterHub.cookie_secret = bytes.fromhex(hub.secrets.cookie_secret)
c.JupyterHub.cookie_host_prefix_enabled = hub.cookie_host_prefix
c.JupyterHub.template_paths = hub.template_paths
c.JupyterHub.tornado_settings = hub.tornado_settings
c.JupyterHub.load_roles = hub.roles
c.JupyterHub.services = hub.services
c.JupyterHub.allow_named_servers = False
c.JupyterHub.cleanup_servers = False  # servers outlive the hub; the supervisor ends them when the centre ends
c.JupyterHub.cleanup_proxy = False
c.JupyterHub.shutdown_on_logout = False
c.JupyterHub.concurrent_spawn_limit = 0  # admission is the centre's, with a place in a queue instead of a 429
c.JupyterHub.implicit_spawn_seconds = 0
c.JupyterHub.init_spawners_timeout = 1  # s; one server that is slow to answer must not hold up everybody's sign-in

c.JupyterHub.proxy_class = "traefik_file"
c.TraefikFileProviderProxy.should_start = False
c.TraefikFileProviderProxy.enable_setup_dynamic_config = False  # the API's route is the supervisor's (centre.yaml)
c.TraefikFileProviderProxy.dynamic_config_file = str(hub.state.proxy_rules_file)
c.TraefikFileProviderProxy.traefik_api_url = hub.addresses.proxy_api_url
c.TraefikFileProviderProxy.traefik_api_username = "jupyterhub"
c.TraefikFileProviderProxy.traefik_api_password = hub.secrets.proxy_password
c.TraefikFileProviderProxy.traefik_entrypoint = "web"

c.JupyterHub.authenticator_class = hub.authenticator_class
c.Authenticator.allow_all = True  # the roster decides (RosterGate)
c.Authenticator.manage_groups = True
c.Authenticator.auth_refresh_age = 1  # s; JupyterHub's smallest step that still asks the roster at every page
c.Authenticator.refresh_pre_spawn = True
c.Authenticator.enable_auth_state = True
c.CryptKeeper.keys = [bytes.fromhex(hub.secrets.crypt_key)]
c.Authenticator.update(hub.settings.authenticator.config)

c.JupyterHub.spawner_class = hub.spawner_class
c.Spawner.default_url = "/lab"
c.Spawner.server_token_scopes = hub.server_token_scopes
c.Spawner.start_timeout = 60
c.Spawner.http_timeout = 60

"""JupyterHub as its own documentation configures it, for bench/hubs.py: the peer that ours is measured against."""

import os
import sys
from pathlib import Path
from typing import Any

import courses.kit
from hub.addresses import load_or_choose_addresses
from hub.secrets import load_or_create_secrets
from hub.state import StateDir

c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub puts it into this file's namespace
state = StateDir(Path(os.environ["BENCH_STATE_DIR"]))
secrets = load_or_create_secrets(state.secrets_file)
addresses = load_or_choose_addresses(state.addresses_file)

c.JupyterHub.bind_url = f"http://127.0.0.1:{os.environ['BENCH_PORT']}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{addresses.hub}"
c.JupyterHub.db_url = f"sqlite:///{state.databases / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret = bytes.fromhex(secrets.cookie_secret)

# Traefik is started beside it, with the centre's own configuration.
c.JupyterHub.proxy_class = "traefik_file"
c.TraefikFileProviderProxy.should_start = False
c.TraefikFileProviderProxy.enable_setup_dynamic_config = False
c.TraefikFileProviderProxy.dynamic_config_file = str(state.proxy_rules_file)
c.TraefikFileProviderProxy.traefik_api_url = addresses.proxy_api_url
c.TraefikFileProviderProxy.traefik_api_username = "jupyterhub"
c.TraefikFileProviderProxy.traefik_api_password = secrets.proxy_password
c.TraefikFileProviderProxy.traefik_entrypoint = "web"

c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = secrets.hub_token
c.Authenticator.allow_all = True

# LocalProcessSpawner without a system account for each person; nothing else differs between the two.
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = f"{state.homes}/{{username}}"
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"] if os.geteuid() == 0 else []
c.Spawner.default_url = "/lab"
c.Spawner.environment = {
    # The same software with the same extensions on: what is compared is how servers are started, not what they hold.
    "JUPYTER_CONFIG_PATH": str(Path(courses.kit.__file__).parent / "jupyter"),
    "OMP_NUM_THREADS": "1",
}

"""`python -m hub.wiring --state-dir STATE`: the `practicum` service, put together and run.

`open_service` gives the roster alone, for the terminal (`practicum invite`, the demo of `practicum up`).
"""

import argparse
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from hub.addresses import load_or_choose_addresses
from hub.cohorts.service import CohortService, open_cohorts, practicum_url
from hub.database import Database
from hub.errors import HubError, StateError
from hub.secrets import load_or_create_secrets
from hub.settings import effective_settings
from hub.state import StateDir

SWITCH_INTERVAL_S = 0.0002
GRACE_S = 3
"""How long open requests may go on once the service is told to end; event streams would go on for minutes."""

NOT_STARTED = 3
"""Exit status when the application could not start, as uvicorn's own."""


class ServiceRunsError(StateError):
    """Another process has the service's port: most likely the service itself runs already."""

    code = "service-runs"
    sentence = "The practicum service cannot listen on port %(port)d: %(cause)s. It is probably running already."


def open_service(state: StateDir) -> CohortService:
    """The roster on the centre's database, brought to this version first. Close it at the end.

    Raises `SettingsError`, `StateError` and `DatabaseUnavailableError`, each one sentence. The service may be running
    meanwhile: both see each other's changes at once.
    """
    return open_cohorts(state, effective_settings(state))


def serve(state: StateDir) -> None:
    """Run the service until SIGTERM or SIGINT."""
    # Imported here: the terminal wants the roster without a web server (0.5 s, 40 MiB).
    import uvicorn  # noqa: PLC0415

    from hub.lease_wiring import open_leases  # noqa: PLC0415
    from hub.web.app import create_app  # noqa: PLC0415
    from hub.web.centre import Centre  # noqa: PLC0415
    from hub.web.due_lines import DueLines  # noqa: PLC0415
    from hub.web.i18n import load_translators  # noqa: PLC0415
    from hub.web.jupyterhub_api import JupyterHubApi  # noqa: PLC0415
    from hub.web.rendering import Renderer  # noqa: PLC0415
    from hub.web.room import Rooms  # noqa: PLC0415
    from hub.web.share_notice import share_notice  # noqa: PLC0415

    settings = effective_settings(state)
    secrets = load_or_create_secrets(state.secrets_file)
    addresses = load_or_choose_addresses(state.addresses_file)
    # Before anything else: the lease desk takes the database over when it starts, and a second service that found only then that
    # the port is taken would have left the first one unable to write for ever.
    listening = _bound(addresses.practicum)
    cohorts = open_cohorts(state, settings)
    # Connections of its own: a lease must not wait in the pool behind a page.
    lease_database = Database(practicum_url(state, settings))
    # uvicorn ends gracefully and then raises the signal again, for the handler that was there before it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        translators = load_translators()
        leases, reconciler = open_leases(lease_database, state, settings, partial(share_notice, translators))
        centre = Centre(
            settings,
            cohorts,
            JupyterHubApi(addresses.hub_api_url, secrets.practicum_token, settings.public_url),
            Renderer(translators, settings.language, shows_insecure_banner=not settings.sandbox.enforced),
            Rooms(state, settings.sandbox, own_uids=os.geteuid() == 0),
            leases,
            secrets.hub_token,
            secrets.grader_token,
            DueLines(addresses.grader_url, secrets.grader_token),
            secrets.metrics_token,
            reconciler,
        )
        app = create_app(centre)
        # What was imported stays: looking through it for garbage every few seconds holds every request up for 50 to 100 ms.
        gc.collect()
        gc.freeze()
        # The allocator's thread lets go of the interpreter at each row it writes and has to get it back from a busy event loop, which
        # keeps it for this long: at Python's own 5 ms a commit of 32 rows takes 25 ms instead of 1.
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        config = uvicorn.Config(
            app,
            # Addresses of invitations hold secrets, so requests are not logged here; the proxy in front can.
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        server = uvicorn.Server(config)
        server.run(sockets=[listening])
        if not server.started:
            sys.exit(NOT_STARTED)  # it has logged why
    finally:
        lease_database.close()
        cohorts.close()
        listening.close()


def _bound(port: int) -> socket.socket:
    """A socket of this machine alone that has the port; raises `ServiceRunsError`."""
    # The protocol is named because asyncio sends at once (TCP_NODELAY) only where it is: otherwise an answer's second part waits up to 40 ms
    # for the first one's receipt. Connections inherit it.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of an ended process are no obstacle
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as exc:
        listening.close()
        raise ServiceRunsError(port=port, cause=os.strerror(exc.errno or 0)) from exc
    return listening


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 after a signal, 1 with one sentence on standard error when the service cannot run."""
    parser = argparse.ArgumentParser(prog="python -m hub.wiring", description="Runs the practicum service.")
    parser.add_argument("--state-dir", type=Path, required=True, help="state directory of the centre")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("httpx", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    state = StateDir(parser.parse_args(arguments).state_dir)
    try:
        state.prepare()
        serve(state)
    except HubError as exc:
        print(exc, file=sys.stderr)  # noqa: T201 - the one line of a service that cannot start
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

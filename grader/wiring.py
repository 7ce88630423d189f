"""`python -m grader.wiring --state-dir STATE`: the `grader` service, put together from the state directory and served."""

import argparse
import logging
import resource
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import uvicorn

from grader.errors import GraderError
from grader.grading import Grading, open_grading
from grader.people import PeopleClient
from grader.titles import Titles
from grader.web.app import create_app, reconcile
from grader.web.dates import date_functions
from grader.web.desk import SERVICE, Desk
from grader.web.lesson_maker import LessonMaker
from grader.web.release_bundles import ReleaseBundles
from grader.zone import zone_of
from hub.addresses import load_or_choose_addresses
from hub.errors import HubError
from hub.secrets import load_or_create_secrets
from hub.settings import Settings, effective_settings
from hub.state import StateDir
from hub.web.assets import Assets
from hub.web.i18n import load_translators
from hub.web.jupyterhub_api import JupyterHubApi
from hub.web.page_session import SessionCookie
from hub.web.rendering import Renderer

GRACE_S = 3
"""How long open requests may go on once the service is told to end; event streams would go on for a minute."""

_MOST_CONNECTIONS = 65_536

_WEB = Path(__file__).parent / "web"


def make_desk(state: StateDir, settings: Settings, grading: Grading) -> Desk:
    """Everything the request handlers share, connected to the other services of the centre."""
    secrets = load_or_create_secrets(state.secrets_file)
    addresses = load_or_choose_addresses(state.addresses_file)
    zone = zone_of(settings.time_zone)
    return Desk(
        grading=grading,
        people=PeopleClient(addresses.practicum_url, secrets.grader_token),
        jupyterhub=JupyterHubApi(addresses.hub_api_url, secrets.grader_hub_token, settings.public_url, service=SERVICE),
        renderer=make_renderer(settings, grading),
        cookie=SessionCookie(settings.public_url.startswith("https://"), settings.server_subdomains, SERVICE),
        titles=Titles(state.courses),
        bundles=ReleaseBundles(state.processes / "bundles"),
        lessons=LessonMaker(state.root),
        zone=zone,
        practicum_token=secrets.grader_token,
    )


def make_renderer(settings: Settings, grading: Grading) -> Renderer:
    """Renders the grader's pages in the frame of all our pages."""
    return Renderer(
        load_translators(),
        settings.language,
        shows_insecure_banner=not settings.sandbox.enforced,
        service=SERVICE,
        assets=Assets(SERVICE, _WEB / "static"),
        templates=_WEB / "templates",
        functions=date_functions(zone_of(settings.time_zone), grading.clock),
    )


def raise_descriptor_limit() -> None:
    """From here on this process may hold a connection of every sandbox's every socket.

    A keeper lets 64 through; 1,024, as many systems give, would be used up by the programs of sixteen learners.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS if hard == resource.RLIM_INFINITY else min(hard, _MOST_CONNECTIONS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def serve(state: StateDir) -> None:
    """Run the service until SIGTERM or SIGINT."""
    raise_descriptor_limit()
    settings = effective_settings(state)
    grading = open_grading(state, url=settings.database.grader_url, records_later=True)
    # uvicorn ends gracefully and then raises the signal again, for the handler that was there before it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        # Before the first request nothing can be in the middle of something: young files are looked at as well.
        reconcile(grading.reconciler, young=timedelta())
        uvicorn.run(
            create_app(make_desk(state, settings, grading)),
            host="127.0.0.1",
            port=load_or_choose_addresses(state.addresses_file).grader,
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
    finally:
        grading.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 after a signal, 1 with one sentence on standard error when the service cannot run."""
    parser = argparse.ArgumentParser(prog="python -m grader.wiring", description="Runs the grader service.")
    parser.add_argument("--state-dir", type=Path, required=True, help="state directory of the centre")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("httpx", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    state = StateDir(parser.parse_args(arguments).state_dir)
    try:
        state.prepare()
        serve(state)
    except (GraderError, HubError) as exc:
        print(exc, file=sys.stderr)  # noqa: T201 - the one line of a service that cannot start
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

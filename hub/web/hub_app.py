"""`python -m hub.web.hub_app`: JupyterHub, with our languages on its pages and our pages in the place of some of its."""

import sys
from typing import Any

# Building this package's grammar would take half of the time that all of JupyterHub's imports take (0.9 s of processor
# time). jsonschema does without where it is not installed; it is for formats that no schema of JupyterHub's events uses.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

from jupyterhub.app import JupyterHub
from jupyterhub.handlers import BaseHandler
from jupyterhub.handlers.pages import SpawnPendingHandler
from jupyterhub.services.service import Service
from tornado import web

from hub.web.assets import load_assets
from hub.web.door import DoorHandler, SignOutHandler
from hub.web.hub_guard import guarded
from hub.web.localise import localised
from hub.web.page_session import PREFIX


class HomeHandler(BaseHandler):
    """JupyterHub's home and spawn pages, old bookmarks included, lead to our home page."""

    def get(self, *_who: str) -> None:
        self.redirect(PREFIX)


class WaitingHandler(SpawnPendingHandler):
    """Who waits for their own server waits on our page."""

    async def get(self, user_name: str, server_name: str = "") -> None:
        if self.current_user is not None and self.current_user.name == user_name and not server_name:
            self.redirect(f"{PREFIX}server")
            return
        await super().get(user_name, server_name)


class AssetHandler(web.RequestHandler):
    """Style sheet, script and mark from this process too, so that signing in looks right while the service restarts."""

    def get(self, digest: str, name: str) -> None:
        asset = load_assets().get(name)
        if asset is None or asset.digest != digest:
            raise web.HTTPError(404)
        self.set_header("Content-Type", asset.media_type)
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(asset.content)


class PracticumHub(JupyterHub):
    """JupyterHub as it is; only the list of its handlers is dressed, and it waits for nobody."""

    name = "jupyterhub"

    async def start_service(self, service_name: str, service: Service, *options: Any, **more: Any) -> bool:
        # It would wait 30 s for each service that is down, and make no route before: a service that cannot start would
        # keep people from signing in and learners from servers of theirs that run. Starting services is the supervisor's.
        return bool(await super().start_service(service_name, service, *options, **more)) if service.managed else True

    def init_handlers(self) -> None:
        super().init_handlers()
        # First match wins in Tornado, so ours go in front.
        own: list[tuple[Any, ...]] = [
            (rf"{self.hub_prefix}(?:home|spawn|spawn/([^/]+))", HomeHandler),
            (rf"{self.hub_prefix}spawn-pending/([^/]+)", WaitingHandler),
            (rf"{self.hub_prefix}user/(?P<user_name>[^/]+)(?P<user_path>/.*)?", DoorHandler),
            (rf"{self.hub_prefix}logout", SignOutHandler),
            (rf"{self.hub_prefix}assets/([0-9a-f]+)/([a-z.-]+)", AssetHandler),
        ]
        self.handlers: list[tuple[Any, ...]] = guarded(localised([*own, *self.handlers]))


main = PracticumHub.launch_instance

if __name__ == "__main__":
    main()

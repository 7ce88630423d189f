"""`python -m hub.web.hub_app`: JupyterHub, with our languages on its pages and its home page replaced by ours."""

from typing import Any

from jupyterhub.app import JupyterHub
from jupyterhub.handlers import BaseHandler

from hub.web.localise import localised

HOME_URL = "/services/practicum/"


class HomeHandler(BaseHandler):
    """Old bookmarks and JupyterHub's own links to its home page lead to ours."""

    def get(self) -> None:
        self.redirect(self.hub.base_url.removesuffix("/hub/") + HOME_URL)


class PracticumHub(JupyterHub):
    """JupyterHub as it is; only the list of page handlers is dressed."""

    name = "jupyterhub"

    def init_handlers(self) -> None:
        super().init_handlers()
        # First match wins in Tornado, so ours goes in front.
        own: list[tuple[Any, ...]] = [(rf"{self.hub_prefix}home", HomeHandler)]
        self.handlers: list[tuple[Any, ...]] = localised([*own, *self.handlers])


main = PracticumHub.launch_instance

if __name__ == "__main__":
    main()

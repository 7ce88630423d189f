"""The door in front of each learner's server: its pages reach only browsers that JupyterHub has let in there.

Who runs a server decides what it answers, and may leave out every sign-in. Where all servers share one origin, a page of
such a server that somebody else is lured to could use that person's own server with their cookies. So the proxy hands a
request without the door cookie to JupyterHub (`hub/supervisor/traefik.py`), and only here is the cookie given out: to
those who may open that server, which without a share is its owner. Its path keeps it to that one server; its value needs
no secret, because whoever could plant it in a browser already runs scripts on this origin there.

Programs with an API token in `Authorization` need no door: no link and no form can carry that header.
"""

from jupyterhub.handlers.base import UserUrlHandler
from jupyterhub.handlers.login import LogoutHandler
from jupyterhub.spawner import Spawner
from jupyterhub.user import User

from hub.web.errors import NotNavigationError

COOKIE = "practicum-door"
OPEN = "open"


class DoorHandler(UserUrlHandler):
    """`/hub/user/NAME/…`: where the proxy sends who has no cookie for that server, or whose server is not running."""

    async def get(self, user_name: str, user_path: str | None) -> None:
        if self.request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
            # A script of JupyterLab's in a tab left open. JupyterHub's own answer says that the server has stopped.
            found = self.find_user(user_name)
            if self.current_user is not None and not (found and found.spawners[""].ready):
                self._fail_api_request(user_name)
            else:
                self.set_status(NotNavigationError.status)
                self.finish({"message": "You are signed out, or this server is not yours. Open it anew."})
            return
        await super().get(user_name, user_path)

    async def _redirect_to_user_server(self, user: User, spawner: Spawner) -> None:
        # Reached only by those JupyterHub lets in: `get` checks their scopes.
        if not self.subdomain_host:
            self._set_cookie(COOKIE, OPEN, encrypted=False, path=server_path(user))
        await super()._redirect_to_user_server(user, spawner)


class SignOutHandler(LogoutHandler):
    """Signing out also ends what this browser holds for the own server, and cuts every connection to it."""

    async def handle_logout(self) -> None:
        user = self.current_user
        if user is None:
            return
        # One path for each name: Tornado keeps one cookie of a name in an answer.
        self.clear_cookie(COOKIE, path=server_path(user))
        self.clear_cookie(f"jupyterhub-user-{user.escaped_name}", path=user.base_url)
        cut_connections(user)


def cut_connections(user: User) -> None:
    """Break what browsers hold open to the person's server: an open web socket is not asked again whose it is."""
    for spawner in user.spawners.values():
        if cut := getattr(spawner, "cut_connections", None):
            cut()


def server_path(user: User) -> str:
    """Path of the person's server without the slash at its end, so that a cookie there comes with both forms."""
    return str(user.base_url).rstrip("/")

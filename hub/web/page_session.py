"""The cookie of a signed-in browser at our pages, and the tokens derived from it."""

import hashlib
import hmac
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from hub.cohorts.model import Person
from hub.cohorts.sessions import LIFETIME

PREFIX = "/services/practicum/"


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """Names and sets the session cookie.

    Its path is our own prefix, so that it is not sent to learners' servers; `__Host-` would force the path `/`. Hence
    `__Secure-` on https. Scripts cannot read it, but a hostile page can add one of the same name for a longer path:
    a request that carries two is treated as carrying none.
    """

    is_https: bool

    @property
    def name(self) -> str:
        return ("__Secure-" if self.is_https else "") + "practicum-session"

    def read(self, request: Request) -> str | None:
        """The session id, if exactly one came."""
        found = read_cookies(request, self.name)
        return found[0] if len(found) == 1 else None

    def set(self, response: Response, session_id: str) -> None:
        response.set_cookie(
            self.name,
            session_id,
            max_age=int(LIFETIME.total_seconds()),
            path=PREFIX,
            secure=self.is_https,
            httponly=True,
            samesite="lax",
        )

    def clear(self, response: Response) -> None:
        response.delete_cookie(self.name, path=PREFIX, secure=self.is_https, httponly=True, samesite="lax")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is asking, as the roster knows them at this moment."""

    person: Person
    session_id: str

    @property
    def form_token(self) -> str:
        """What every form of this session carries; it stands only in pages a script cannot fetch."""
        return derived_token(self.session_id, "form")

    @property
    def stream_token(self) -> str:
        """What opens this session's event streams."""
        return derived_token(self.session_id, "stream")


def derived_token(secret: str, purpose: str) -> str:
    """A token that proves knowledge of `secret` for one purpose and does not give it away."""
    return hmac.new(secret.encode("utf-8", "surrogatepass"), purpose.encode("utf-8"), hashlib.sha256).hexdigest()


def is_token(given: object, expected: str) -> bool:
    """Whether they are equal, in a time that tells nothing."""
    return isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8"))


def read_cookies(request: Request, name: str) -> list[str]:
    """Every value the browser sent under that name; a dictionary of cookies would hide the second one."""
    found = []
    for header in request.headers.getlist("cookie"):
        for part in header.split(";"):
            key, _, value = part.strip().partition("=")
            if key == name:
                found.append(value)
    return found


def local_path(path: object) -> str:
    """The path if it is a page of ours or of JupyterHub's, else our first page.

    What stood in a cookie or a form is not trusted: it could send people to another site or to a learner's server.
    """
    if not isinstance(path, str) or not path.isascii() or not path.isprintable():
        return PREFIX
    is_plain = not any(part in path for part in ("\\", "//", "/.", "%2e", "%2E"))
    return path if is_plain and path.startswith((PREFIX, "/hub/")) else PREFIX

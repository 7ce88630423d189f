"""The cookie of a signed-in browser at the pages of one service, and the tokens derived from it."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from hub.settings import PAGE_SESSION_LIFETIME

PREFIX = "/services/practicum/"
"""Of the `practicum` service, which has the first page."""

_OUR_PATHS = (PREFIX, "/services/grader/", "/hub/")


class PagePerson(Protocol):
    """What the frame of a page has to know of whom it is for."""

    @property
    def name(self) -> str: ...

    @property
    def display_name(self) -> str: ...

    @property
    def language(self) -> str | None: ...

    @property
    def active(self) -> bool: ...

    @property
    def administers(self) -> bool: ...


P_co = TypeVar("P_co", bound=PagePerson, covariant=True)


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """Names and sets the session cookie.

    Where servers share our origin its path is our own prefix, so that it is not sent to them; where they have host names
    of their own, these could set cookies for ours too, which `__Host-` names forbid, at the price of the path `/`.
    Scripts cannot read it, but a hostile page can add one of the same name for a longer path: a request that carries
    two is treated as carrying none.
    """

    is_https: bool
    servers_have_hosts: bool = False
    service: str = "practicum"

    @property
    def _is_host_bound(self) -> bool:
        return self.is_https and self.servers_have_hosts

    @property
    def name(self) -> str:
        prefix = "__Host-" if self._is_host_bound else "__Secure-" if self.is_https else ""
        return f"{prefix}{self.service}-session"

    @property
    def path(self) -> str:
        return "/" if self._is_host_bound else f"/services/{self.service}/"

    def read(self, request: Request) -> str | None:
        """The session id, if exactly one came."""
        found = read_cookies(request, self.name)
        return found[0] if len(found) == 1 else None

    def set(self, response: Response, session_id: str) -> None:
        response.set_cookie(
            self.name,
            session_id,
            max_age=int(PAGE_SESSION_LIFETIME.total_seconds()),
            path=self.path,
            secure=self.is_https,
            httponly=True,
            samesite="lax",
        )

    def clear(self, response: Response) -> None:
        response.delete_cookie(self.name, path=self.path, secure=self.is_https, httponly=True, samesite="lax")

    def clear_planted(self, request: Request, response: Response) -> None:
        """Where more than one came, end those of every path a hostile page could have chosen: else nobody signs in again."""
        if len(read_cookies(request, self.name)) < 2:
            return
        parts = request.url.path.split("/")
        for count in range(1, len(parts) + 1):
            for path in {"/".join(parts[:count]), "/".join(parts[:count]) + "/"} - {"", self.path}:
                response.delete_cookie(self.name, path=path, secure=self.is_https, httponly=True, samesite="lax")


@dataclass(frozen=True, slots=True)
class SignedIn(Generic[P_co]):
    """Who is asking, as the roster knows them at this moment."""

    person: P_co
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


def local_path(path: object, otherwise: str = PREFIX) -> str:
    """The path if it is a page of ours or of JupyterHub's, else `otherwise`.

    What stood in a cookie or a form is not trusted: it could send people to another site or to a learner's server.
    """
    if not isinstance(path, str) or not path.isascii() or not path.isprintable():
        return otherwise
    is_plain = not any(part in path for part in ("\\", "//", "/.", "%2e", "%2E"))
    return path if is_plain and path.startswith(_OUR_PATHS) else otherwise

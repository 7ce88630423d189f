"""Which requests may reach a page. Learners' servers are hostile web content on our own origin.

A page that a learner's server sends runs scripts with the visitor's cookies on this very origin, so neither SameSite
cookies nor an `Origin` header tell its requests from ours. What does, and what a script cannot forge, is the browser's
own word about a request (https://www.w3.org/TR/fetch-metadata/):

- A page of ours is given only to a top-level navigation, so that no `fetch` and no frame can read it. A window that a
  hostile page opens is cut off from it by `Cross-Origin-Opener-Policy` (see headers.py).
- A form is taken only from a same-origin navigation that carries the session's token, which stands only in such pages.
- A request without these headers is refused: browsers send them to https and to localhost since 2023, and where they
  are missing (plain http across a network, very old browsers, curl) nothing could be told apart.
"""

from collections.abc import Mapping

from hub.web.errors import NotNavigationError, OriginUnknownError


def check_navigation(headers: Mapping[str, str]) -> None:
    """Return if this is somebody opening a page in a window; raises `NotNavigationError` or `OriginUnknownError`."""
    _check(headers, mode="navigate", destination="document")


def check_form_navigation(headers: Mapping[str, str]) -> None:
    """Return if this is a form of this origin, submitted in a window; raises as `check_navigation` does."""
    _check(headers, mode="navigate", destination="document", same_origin=True)


def check_script_request(headers: Mapping[str, str]) -> None:
    """Return if this is a script of this origin; whose script, only a token can tell."""
    _check(headers, mode="cors", destination="empty", same_origin=True)


def _check(headers: Mapping[str, str], *, mode: str, destination: str, same_origin: bool = False) -> None:
    found_mode, found_destination = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    site = headers.get("sec-fetch-site")
    if not (found_mode and found_destination and site):
        raise OriginUnknownError
    if found_mode != mode or found_destination != destination or (same_origin and site != "same-origin"):
        raise NotNavigationError

"""Who may do what with leases over the API: JupyterHub for servers, the grader for gradings, each shown by its token."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request

from hub.errors import HubError
from hub.leases.model import Lease, Session, SessionKind
from hub.web.centre import centre_of
from hub.web.errors import TokenInvalidError
from hub.web.page_session import is_token


class ForeignSessionError(HubError):
    """One service asked about another service's session."""

    code = "session-foreign"
    status = HTTPStatus.FORBIDDEN
    sentence = "This session belongs to another service of the centre."


@dataclass(frozen=True, slots=True)
class Caller:
    """A service of the centre; `kind` is the kind of its sessions."""

    kind: SessionKind

    def check(self, session: Session) -> None:
        """Raises `ForeignSessionError` unless the session is one of the caller's."""
        if session.kind is not self.kind:
            raise ForeignSessionError

    def own(self, lease: Lease) -> Lease:
        """The lease itself; raises `ForeignSessionError` if it is for another service's session."""
        self.check(lease.ask.session)
        return lease


async def caller_of(request: Request) -> Caller:
    """Whose token the request shows; raises `TokenInvalidError`."""
    centre = centre_of(request)
    for token, kind in ((centre.hub_token, SessionKind.SERVER), (centre.grader_token, SessionKind.GRADING)):
        if shows(request, token):
            return Caller(kind)
    raise TokenInvalidError


def shows(request: Request, token: str) -> bool:
    """Whether the request carries this token; an empty one is nobody's."""
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    return bool(token) and scheme.lower() == "bearer" and is_token(shown, token)


CallerOf = Annotated[Caller, Depends(caller_of)]

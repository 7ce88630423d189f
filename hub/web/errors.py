"""Refusals of the web side: requests that cannot be what they pretend to be, and a JupyterHub that does not answer."""

from http import HTTPStatus

from hub.errors import HubError


class PageNotFoundError(HubError):
    """There is no page at this address."""

    code = "page-not-found"
    status = HTTPStatus.NOT_FOUND
    sentence = "There is no page at this address. Go back to the home page and choose from there."


class RequestInvalidError(HubError):
    """The request is not of the form this address takes."""

    code = "request-invalid"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "The request could not be understood. Go back, reload the page and try again."


class MethodNotAllowedError(HubError):
    """The address exists, but not for this method."""

    code = "method-not-allowed"
    status = HTTPStatus.METHOD_NOT_ALLOWED
    sentence = "This address cannot be used that way. Go back to the home page and choose from there."


class RequestTooLargeError(HubError):
    """More was sent than any form of ours holds."""

    code = "request-too-large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    sentence = "The request is too large."


class TokenInvalidError(HubError):
    """An API call without the token that belongs to it."""

    code = "token-invalid"
    status = HTTPStatus.UNAUTHORIZED
    sentence = "This call needs a token of the centre."


class NotNavigationError(HubError):
    """A script, frame or object asked for a page that is for people."""

    code = "not-a-navigation"
    status = HTTPStatus.FORBIDDEN
    sentence = "This page opens only in a browser window of its own, not inside another page or by a script."


class OriginUnknownError(HubError):
    """The browser does not say what kind of request this is, so it cannot be told from a hostile page's."""

    code = "origin-unknown"
    status = HTTPStatus.FORBIDDEN
    sentence = (
        "Your browser does not say where this request comes from. Use a current browser, and open the centre by an "
        "address that begins with https:// (or at localhost)."
    )


class FormExpiredError(HubError):
    """The form does not carry the token of this session."""

    code = "form-expired"
    status = HTTPStatus.FORBIDDEN
    sentence = "This form has expired. Go back, reload the page and try again."


class SignInBrokenError(HubError):
    """JupyterHub sent somebody back whose sign-in did not begin here."""

    code = "sign-in-broken"
    status = HTTPStatus.BAD_REQUEST
    sentence = "Signing in was interrupted. Go to the home page to sign in again, and allow cookies for this site."


class HubUnreachableError(HubError):
    """JupyterHub does not answer."""

    code = "hub-unreachable"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    sentence = "The centre is restarting. Nothing is lost; try again in a few seconds."


class HubRefusedError(HubError):
    """JupyterHub refused in its own words."""

    code = "hub-refused"
    status = HTTPStatus.BAD_GATEWAY
    sentence = "The centre could not do this now. Try again; if it stays, tell your administrator."


class LessonUnknownError(HubError):
    """The lesson is not among the person's own."""

    code = "lesson-unknown"
    status = HTTPStatus.NOT_FOUND
    sentence = "There is no such lesson in your courses. Go back to the home page and choose from there."


class ShareInUseError(HubError):
    """The running server has a share, and shares change only when a server starts."""

    code = "share-in-use"
    status = HTTPStatus.CONFLICT
    sentence = "Your server runs with a share. Stop it first; then you can choose another."


class NumberInvalidError(HubError):
    """A field takes a number, and this is none."""

    code = "number-invalid"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "%(text)s is not a number of devices. Write for example 2 or 0.5, or leave the field empty for no limit."

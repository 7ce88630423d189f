"""Any failure as one sentence: JSON for programs, the parts of a page for people."""

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from hub.errors import HubError
from hub.web.errors import MethodNotAllowedError, PageNotFoundError, RequestInvalidError, RequestTooLargeError
from hub.web.i18n import Failure


def as_hub_error(failure: Exception) -> HubError:
    """What to tell somebody about a failure that is not one of ours already."""
    if isinstance(failure, HubError):
        return failure
    if isinstance(failure, HTTPException):
        known = {404: PageNotFoundError, 405: MethodNotAllowedError, 413: RequestTooLargeError}
        return known.get(failure.status_code, RequestInvalidError)()
    if isinstance(failure, RequestValidationError):
        return RequestInvalidError()
    # Starlette raises it again afterwards, so the server logs it with its traceback.
    return HubError()


def retry_after(error: Failure) -> dict[str, str]:
    """The header that says when to come again, for errors that know."""
    return {"Retry-After": str(error.fields["wait_s"])} if "wait_s" in error.fields else {}


def as_json(error: Failure) -> Response:
    """`{"code", "sentence", "fields"}`, the sentence in English with its fields not yet filled in."""
    fields = {name: value if isinstance(value, int) else str(value) for name, value in error.fields.items()}
    body = {"code": error.code, "sentence": error.message_id, "fields": fields}
    return JSONResponse(body, status_code=error.status, headers=retry_after(error))

"""The web application of the `practicum` service: pages for people, the roster API for JupyterHub."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

import hub
from hub.errors import HubError
from hub.web import (
    account_pages,
    devices_page,
    home_page,
    invitation_pages,
    language_page,
    lease_api,
    metrics,
    people_pages,
    queue_page,
    quota_pages,
    roster_api,
    server_pages,
    share_page,
    sign_in,
    static_files,
    usage_page,
)
from hub.web.centre import Centre, centre_of
from hub.web.errors import RequestTooLargeError
from hub.web.form_files import close_form
from hub.web.front import SignInNeeded
from hub.web.headers import GuardHeaders
from hub.web.lean_route import LeanFront
from hub.web.page_session import PREFIX
from hub.web.refusals import as_hub_error, as_json, retry_after

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024
"""Every form here is a few lines; more is answered with a sentence."""
MAX_READ_BYTES = 1024 * 1024
"""Where reading ends for requests that did not say how long they are; FastAPI answers those itself."""


_PAGES = (
    sign_in,
    language_page,
    home_page,
    share_page,
    queue_page,
    server_pages,
    devices_page,
    quota_pages,
    usage_page,
    people_pages,
    account_pages,
    invitation_pages,
)


def create_app(centre: Centre) -> FastAPI:
    """The application. It closes the centre's connections when it ends, not its database."""
    app = FastAPI(
        title="Practicum",
        version=hub.__version__,
        openapi_url=f"{roster_api.API_PREFIX}/openapi.json",
        docs_url=None,  # FastAPI's page loads its scripts from another site
        redoc_url=None,
        lifespan=_lifespan,
        max_body_size=MAX_READ_BYTES,
        dependencies=[Depends(_check_size), Depends(close_form)],
    )
    app.state.centre = app.state.front = centre
    app.add_middleware(GuardHeaders)
    app.add_middleware(LeanFront, router=lease_api.router)
    for module in _PAGES:
        app.include_router(module.router, prefix=PREFIX.rstrip("/"))
    app.include_router(lease_api.router)
    app.include_router(lease_api.reads)
    app.include_router(metrics.router, prefix=PREFIX.rstrip("/"))
    app.include_router(static_files.router, prefix=PREFIX.rstrip("/"))
    app.include_router(roster_api.router)
    app.add_exception_handler(SignInNeeded, _to_sign_in)
    for kind in (HubError, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, _to_sentence)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    centre: Centre = app.state.centre
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(centre.jupyterhub)
        if centre.due_lines is not None:
            await stack.enter_async_context(centre.due_lines)
        await stack.enter_async_context(centre.leases)
        async with asyncio.TaskGroup() as tasks:
            upkeep = tasks.create_task(centre.reconciler.run()) if centre.reconciler is not None else None
            yield
            if upkeep is not None:
                upkeep.cancel()
        await centre.starts.close()


async def _check_size(request: Request) -> None:
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
        raise RequestTooLargeError


async def _to_sign_in(request: Request, needed: Exception) -> Response:
    assert isinstance(needed, SignInNeeded)
    centre = centre_of(request)
    response = sign_in.sign_in_redirect(centre, needed.return_path)
    centre.cookie.clear_planted(request, response)
    return response


async def _to_sentence(request: Request, failure: Exception) -> Response:
    """Any failure as one sentence: JSON for the API, a page with a way on for people."""
    error = as_hub_error(failure)
    if request.url.path.startswith(f"{roster_api.API_PREFIX}/") or request.url.path.endswith("/events"):
        return as_json(error)
    centre = centre_of(request)
    response = centre.renderer.error_page(request, error, getattr(request.state, "signed_in", None))
    response.headers.update(retry_after(error))
    if error.status == HTTPStatus.GONE or request.url.path.startswith(f"{PREFIX}invitations/"):
        response.headers["Referrer-Policy"] = "no-referrer"
    return response

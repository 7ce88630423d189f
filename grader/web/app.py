"""The web application of the `grader` service: the API of learners' servers, pages for learners and instructors."""

import asyncio
import logging
import unicodedata
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from anyio import to_thread
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

import hub
from grader.errors import GraderError
from grader.exchange.reconcile import YOUNG, Reconciler
from grader.web import (
    due_lines,
    exports,
    home_page,
    learner_api,
    learner_pages,
    live,
    marking_pages,
    teach_pages,
    work_pages,
)
from grader.web.desk import HOME, Desk, desk_of
from hub.errors import HubError
from hub.web import language_page, sign_in, static_files
from hub.web.errors import PageNotFoundError
from hub.web.form_files import close_form
from hub.web.front import SignInNeeded
from hub.web.headers import GuardHeaders
from hub.web.i18n import Failure
from hub.web.refusals import as_hub_error, as_json, retry_after

log = logging.getLogger(__name__)

RECONCILE_EVERY_S = 600.0

MAX_BODY_BYTES = 256 * 1024
"""A comment of some pages, in the form that takes most room; what is longer has routes of its own."""

_FRAME = (sign_in, language_page, static_files)
_PAGES = (home_page, learner_pages, teach_pages, live, work_pages, marking_pages, exports)


def create_app(desk: Desk) -> FastAPI:
    """The application. It closes the desk's connections to other services when it ends, not its databases."""
    app = FastAPI(
        title="Practicum grader",
        version=hub.__version__,
        openapi_url=f"{learner_api.API_PREFIX}/openapi.json",
        docs_url=None,  # FastAPI's page loads its scripts from another site
        redoc_url=None,
        lifespan=_lifespan,
        max_body_size=MAX_BODY_BYTES,
        dependencies=[Depends(_check_path), Depends(close_form)],
    )
    app.state.front = desk
    app.add_middleware(GuardHeaders)
    for module in (*_FRAME, *_PAGES):
        app.include_router(module.router, prefix=HOME.rstrip("/"))
    app.include_router(learner_pages.uploads, prefix=HOME.rstrip("/"), max_body_size=learner_pages.MAX_FORM_BYTES)
    app.include_router(learner_api.router)
    app.include_router(due_lines.router)
    app.include_router(learner_api.pieces, max_body_size=learner_api.MAX_PIECE_BYTES)
    app.add_exception_handler(SignInNeeded, _to_sign_in)
    for kind in (GraderError, HubError, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, _to_sentence)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    desk: Desk = app.state.front
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(desk.jupyterhub)
        await stack.enter_async_context(desk.people)
        reconciling = asyncio.create_task(_reconcile_for_ever(desk.grading.reconciler))
        try:
            yield
        finally:
            reconciling.cancel()
            await asyncio.gather(reconciling, return_exceptions=True)


async def _reconcile_for_ever(reconciler: Reconciler) -> None:
    while True:
        await asyncio.sleep(RECONCILE_EVERY_S)
        try:
            await to_thread.run_sync(reconcile, reconciler)
        except Exception:
            log.exception("Hand-ins could not be compared with their records; trying again later.")


def reconcile(reconciler: Reconciler, young: timedelta = YOUNG) -> None:
    """Compare hand-ins with their records, and say in the log what was found."""
    report = reconciler.run(young=young)
    for finding in report.findings:
        log.log(logging.INFO if report.is_whole else logging.ERROR, "%s: %s", finding.kind, finding.sentence)


async def _check_path(request: Request) -> None:
    # No name of ours holds one, and PostgreSQL takes none of them.
    if any(unicodedata.category(each) in {"Cc", "Cs"} for each in request.url.path):
        raise PageNotFoundError
    for value in request.path_params.values():
        if isinstance(value, str) and any(unicodedata.category(each) in {"Cc", "Cs"} for each in value):
            raise PageNotFoundError


async def _to_sign_in(request: Request, needed: Exception) -> Response:
    assert isinstance(needed, SignInNeeded)
    desk = desk_of(request)
    response = sign_in.sign_in_redirect(desk, needed.return_path)
    desk.cookie.clear_planted(request, response)
    return response


async def _to_sentence(request: Request, failure: Exception) -> Response:
    """Any failure as one sentence: JSON for programs, a page with a way on for people."""
    error: Failure = failure if isinstance(failure, GraderError) else as_hub_error(failure)
    if request.url.path.startswith(f"{learner_api.API_PREFIX}/"):
        return as_json(error)
    response = desk_of(request).renderer.error_page(request, error, getattr(request.state, "signed_in", None))
    response.headers.update(retry_after(error))
    return response

"""Choosing a language: kept with the person once they are signed in, in a cookie before."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hub.settings import LANGUAGES
from hub.web.errors import FormExpiredError, RequestInvalidError
from hub.web.fetch_guard import check_form_navigation
from hub.web.front import FrontOf, SignInNeeded, form_visitor, home_of
from hub.web.i18n import LANGUAGE_COOKIE
from hub.web.page_session import local_path

router = APIRouter(include_in_schema=False)


def set_language_cookie(response: Response, language: str) -> None:
    """Let every page of this origin, JupyterHub's too, know the choice."""
    response.set_cookie(LANGUAGE_COOKIE, language, max_age=365 * 86_400, path="/", samesite="lax")


@router.post("/language")
async def choose_language(request: Request, front: FrontOf) -> Response:
    """Take the choice and go back to where it was made.

    A form without a session's token, such as the one on JupyterHub's sign-in page, changes the cookie alone.
    """
    check_form_navigation(request.headers)
    form = await request.form()
    language, back = form.get("language"), form.get("next")
    if language not in LANGUAGES or not isinstance(language, str):
        raise RequestInvalidError
    if form.get("form_token"):
        try:
            visitor = await form_visitor(request, front)
            await front.remember_language(visitor.person, language)
        except (SignInNeeded, FormExpiredError):
            pass  # the session ended meanwhile: the cookie still holds the choice
    response = RedirectResponse(local_path(back, home_of(front)), 303)
    set_language_cookie(response, language)
    return response

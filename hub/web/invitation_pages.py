"""One-time links: the page where a person sets their password, and what follows."""

from urllib.parse import urlencode

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from hub.cohorts.errors import LinkExpiredError, LinkUnknownError, LinkUsedError, PasswordsDifferError
from hub.cohorts.model import LinkKind
from hub.cohorts.passwords import MIN_LENGTH
from hub.errors import HubError, NotActiveError
from hub.web.account_pages import end_hub_sign_ins
from hub.web.centre import Centre
from hub.web.fetch_guard import check_form_navigation, check_navigation
from hub.web.page_session import PREFIX
from hub.web.visitors import CentreOf

router = APIRouter(prefix="/invitations", include_in_schema=False)

_NO_REFERRER = {"Referrer-Policy": "no-referrer"}
"""The address holds a secret until it is used."""


@router.get("/{token}")
async def show_invitation(request: Request, centre: CentreOf, token: str) -> Response:
    """The form for a new password. Opening it uses nothing up: mail programs look at links before people do."""
    check_navigation(request.headers)
    return await _form_page(request, centre, token)


@router.post("/{token}")
async def redeem_invitation(request: Request, centre: CentreOf, token: str) -> Response:
    """Set the password and show the way to sign in. What guards this form is the token in its address."""
    check_form_navigation(request.headers)
    form = await request.form()
    password, again = (str(form.get(field) or "") for field in ("password", "password_again"))
    try:
        if password != again:
            raise PasswordsDifferError
        person = await centre.passwords.run(centre.cohorts.invitations.redeem, token, password)
    except (LinkUnknownError, LinkUsedError, LinkExpiredError, NotActiveError):
        raise
    except HubError as exc:
        return await _form_page(request, centre, token, refusal=exc)
    await end_hub_sign_ins(centre, person.name)
    response = centre.renderer.page(
        request,
        "password-set",
        return_path=PREFIX,
        person=person,
        sign_in_url=f"/hub/login?{urlencode({'username': person.name, 'next': PREFIX})}",
    )
    response.headers.update(_NO_REFERRER)
    return response


async def _form_page(request: Request, centre: Centre, token: str, refusal: HubError | None = None) -> Response:
    link = await to_thread.run_sync(centre.cohorts.invitations.read, token)
    response = centre.renderer.page(
        request,
        "invitation",
        link=link,
        is_reset=link.kind is LinkKind.RESET,
        minimum=MIN_LENGTH,
        refusal=refusal,
    )
    response.headers.update(_NO_REFERRER)
    return response

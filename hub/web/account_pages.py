"""The own account: a new password, and the end of every sign-in."""

import logging

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hub.cohorts.errors import PasswordsDifferError
from hub.errors import HubError
from hub.web.centre import Centre
from hub.web.errors import HubRefusedError, HubUnreachableError, PageNotFoundError
from hub.web.visitors import CentreOf, FormVisitor, PageVisitor, Visitor

log = logging.getLogger(__name__)

router = APIRouter(prefix="/account", include_in_schema=False)


@router.get("")
async def show_account(request: Request, centre: CentreOf, visitor: PageVisitor) -> Response:
    """Who I am here, and what I can change."""
    return _account_page(request, centre, visitor)


@router.post("/password")
async def change_password(request: Request, centre: CentreOf, visitor: FormVisitor) -> Response:
    """Set a new password; every sign-in ends, this one too, and the person signs in with the new one."""
    if not centre.has_passwords:
        raise PageNotFoundError
    form = await request.form()
    current, new, again = (str(form.get(field) or "") for field in ("current_password", "password", "password_again"))
    try:
        if new != again:
            raise PasswordsDifferError
        await centre.passwords.run(centre.cohorts.sign_ins.change_password, visitor.person, current, new)
    except HubError as exc:
        return _account_page(request, centre, visitor, refusal=exc)
    return await _signed_out_everywhere(centre, visitor)


@router.post("/sign-out-everywhere")
async def sign_out_everywhere(centre: CentreOf, visitor: FormVisitor) -> Response:
    """End every sign-in of this person."""
    await to_thread.run_sync(centre.cohorts.sign_ins.end_all, visitor.person)
    return await _signed_out_everywhere(centre, visitor)


async def end_hub_sign_ins(centre: Centre, name: str) -> None:
    """End the person's tokens at JupyterHub, as far as it answers; their credentials version tells it later anyway."""
    try:
        await centre.jupyterhub.end_sign_ins(name)
    except (HubUnreachableError, HubRefusedError) as exc:
        log.warning("the tokens of %s could not be ended at JupyterHub: %s", name, exc)


async def _signed_out_everywhere(centre: Centre, visitor: Visitor) -> Response:
    await end_hub_sign_ins(centre, visitor.person.name)
    response = RedirectResponse("/hub/logout", 303)
    centre.cookie.clear(response)
    return response


def _account_page(request: Request, centre: Centre, visitor: Visitor, refusal: HubError | None = None) -> Response:
    return centre.renderer.page(
        request,
        "account",
        signed_in=visitor,
        return_path="/services/practicum/account",
        refusal=refusal,
        has_passwords=centre.has_passwords,
    )

"""People of the own cohorts: list, add, one-time links, switch on and off. For administrators and operators."""

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hub.cohorts.model import IssuedLink, LinkKind, Person, Role
from hub.errors import HubError
from hub.leases.model import EndReason
from hub.web.centre import Centre
from hub.web.errors import RequestInvalidError
from hub.web.page_session import PREFIX
from hub.web.share_starts import session_of
from hub.web.visitors import CentreOf, FormVisitor, PageVisitor, Visitor

router = APIRouter(prefix="/people", include_in_schema=False)

PEOPLE_PATH = f"{PREFIX}people"


@router.get("")
async def show_people(request: Request, centre: CentreOf, visitor: PageVisitor) -> Response:
    """Everybody the visitor may see."""
    return await _people_page(request, centre, visitor)


@router.post("")
async def add_person(request: Request, centre: CentreOf, visitor: FormVisitor) -> Response:
    """Add one person and show their invitation; a refusal keeps what was typed."""
    form = {key: str(value) for key, value in (await request.form()).items()}
    try:
        role = Role(form.get("role", ""))
    except ValueError as exc:
        raise RequestInvalidError from exc
    roster = centre.cohorts.roster
    # Asked first, so that somebody without the role learns nothing about which names are taken.
    await to_thread.run_sync(roster.managed_people, visitor.person)
    try:
        person = await to_thread.run_sync(
            lambda: roster.add_person(
                form.get("name", "").strip(),
                form.get("display_name", ""),
                form.get("cohort", ""),
                role,
                organisation=form.get("organisation", ""),
                actor=visitor.person,
            )
        )
    except HubError as exc:
        return await _people_page(request, centre, visitor, refusal=exc, typed=form)
    return await _link_page(request, centre, visitor, person.name)


@router.post("/{name}/link")
async def make_link(request: Request, centre: CentreOf, visitor: FormVisitor, name: str) -> Response:
    """Show a new invitation or reset link, this once."""
    return await _link_page(request, centre, visitor, name)


@router.post("/{name}/active")
async def set_active(request: Request, centre: CentreOf, visitor: FormVisitor, name: str) -> Response:
    """Switch the account on or off. Off also ends the person's share or place in the queue, sign-ins at JupyterHub and server."""
    active = (await request.form()).get("active") == "yes"
    person = await to_thread.run_sync(lambda: centre.cohorts.roster.set_active(name, active, actor=visitor.person))
    if not active:
        lease = centre.leases.of_session(session_of(person))
        if lease is not None:  # first, for others may wait for it, and JupyterHub may not answer
            await centre.leases.release(lease.id, EndReason.REVOKED)
        await centre.starts.abandon(person.name)
        await centre.jupyterhub.end_sign_ins(person.name)
        await centre.jupyterhub.stop(person.name)
    return RedirectResponse(PEOPLE_PATH, 303)


async def _people_page(
    request: Request,
    centre: Centre,
    visitor: Visitor,
    *,
    refusal: HubError | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    roster = centre.cohorts.roster
    people = await to_thread.run_sync(roster.managed_people, visitor.person)
    cohorts = await to_thread.run_sync(roster.managed_cohorts, visitor.person)
    visible = {cohort.id for cohort in cohorts}
    rows = [(person, _visible_memberships(person, visible), visitor.person.may_manage(person)) for person in people]
    return centre.renderer.page(
        request,
        "people",
        signed_in=visitor,
        rows=rows,
        cohorts=cohorts,
        roles=[Role.LEARNER, Role.INSTRUCTOR, Role.ADMINISTRATOR],
        refusal=refusal,
        typed=typed or {},
        has_passwords=centre.has_passwords,
    )


def _visible_memberships(person: Person, cohort_ids: set[int]) -> list[tuple[str, str]]:
    return [(each.cohort.name, each.role.value) for each in person.memberships if each.cohort.id in cohort_ids]


async def _link_page(request: Request, centre: Centre, visitor: Visitor, name: str) -> Response:
    issue = centre.cohorts.invitations.issue
    link: IssuedLink = await to_thread.run_sync(lambda: issue(name, actor=visitor.person))
    return centre.renderer.page(
        request,
        "link",
        signed_in=visitor,
        return_path=PEOPLE_PATH,
        link=link,
        is_reset=link.kind is LinkKind.RESET,
        url=f"{centre.public_origin(request)}{PREFIX}invitations/{link.token}",
    )

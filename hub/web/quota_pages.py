"""How much of each pool a cohort, and each learner of it, may hold at once. For administrators of that cohort and operators."""

import logging
import re
from dataclasses import dataclass, replace

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from hub.cohorts.errors import NotPermittedError, UnknownCohortError
from hub.cohorts.model import Person
from hub.errors import HubError
from hub.leases.model import Quota
from hub.web.centre import Centre
from hub.web.errors import NumberInvalidError, RequestInvalidError
from hub.web.page_session import PREFIX
from hub.web.share_starts import on_offer
from hub.web.share_words import ShareWords
from hub.web.visitors import CentreOf, FormVisitor, PageVisitor, Visitor

log = logging.getLogger(__name__)

router = APIRouter(prefix="/quotas", include_in_schema=False)

QUOTAS_PATH = f"{PREFIX}quotas"
_MILLI = 1000
_WIDE = str.maketrans("０１２３４５６７８９．，", "0123456789.,")
"""What Chinese keyboards write for digits and points."""
_NUMBER = re.compile(r"([0-9]{1,7})(?:[.,]([0-9]{1,3}))?")


@dataclass(frozen=True, slots=True)
class Limits:
    """One line of the page: what a cohort may hold of a pool, as text to be edited."""

    cohort: str
    cohort_name: str
    pool: str
    title: str
    cohort_limit: str
    learner_limit: str


@router.get("")
async def show_quotas(request: Request, centre: CentreOf, visitor: PageVisitor) -> Response:
    """The limits of the visitor's cohorts."""
    return await _page(request, centre, visitor)


@router.post("")
async def set_quota(request: Request, centre: CentreOf, visitor: FormVisitor) -> Response:
    """Change one line; a refusal keeps what was typed. What is held already is taken from nobody."""
    form = {name: str(value) for name, value in (await request.form()).items()}
    try:
        quota = await _changed(centre, visitor.person, form)
        await centre.leases.set_quota(quota)
    except (NumberInvalidError, RequestInvalidError) as exc:
        return await _page(request, centre, visitor, refusal=exc, typed=form)
    log.info(
        "%s set limits of %s in %s: cohort %s, learner %s",
        visitor.person.name,
        quota.cohort,
        quota.pool,
        quota.cohort_milli,
        quota.learner_milli,
    )
    return RedirectResponse(f"{QUOTAS_PATH}#{quota.cohort}", 303)


async def _changed(centre: Centre, person: Person, form: dict[str, str]) -> Quota:
    cohorts = await to_thread.run_sync(centre.cohorts.roster.managed_cohorts, person)
    cohort, pool = form.get("cohort", ""), form.get("pool", "")
    if cohort not in {each.slug for each in cohorts}:
        raise UnknownCohortError
    if pool not in {each.profile.pool for each in on_offer(centre, person)}:
        raise RequestInvalidError
    known = [each for each in await centre.leases.quotas() if (each.cohort, each.pool) == (cohort, pool)]
    return replace(
        known[0] if known else Quota(cohort, pool),
        cohort_milli=milli(form.get("cohort_limit", "")),
        learner_milli=milli(form.get("learner_limit", "")),
    )


def milli(text: str) -> int | None:
    """Thousandths of a device for a typed number of devices; None, no limit, for an empty field. Raises `NumberInvalidError`."""
    text = text.translate(_WIDE).strip()
    if not text:
        return None
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise NumberInvalidError(text=text[:20])
    return int(found[1]) * _MILLI + int((found[2] or "").ljust(3, "0"))


async def _page(
    request: Request,
    centre: Centre,
    visitor: Visitor,
    *,
    refusal: HubError | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    if not visitor.person.administers:
        raise NotPermittedError
    cohorts = await to_thread.run_sync(centre.cohorts.roster.managed_cohorts, visitor.person)
    words = ShareWords(centre.renderer.translator(request, visitor))
    pools = {each.profile.pool: words.kind(each.profile) for each in on_offer(centre, visitor.person)}
    known = {(each.cohort, each.pool): each for each in await centre.leases.quotas()}
    lines = []
    for cohort in cohorts:
        for pool, title in pools.items():
            quota = known.get((cohort.slug, pool), Quota(cohort.slug, pool))
            line = Limits(cohort.slug, cohort.name, pool, title, _text(quota.cohort_milli), _text(quota.learner_milli))
            if typed and (typed.get("cohort"), typed.get("pool")) == (cohort.slug, pool):
                line = replace(
                    line, cohort_limit=typed.get("cohort_limit", ""), learner_limit=typed.get("learner_limit", "")
                )
            lines.append(line)
    return centre.renderer.page(
        request, "quotas", signed_in=visitor, return_path=QUOTAS_PATH, refusal=refusal, lines=lines
    )


def _text(amount_milli: int | None) -> str:
    if amount_milli is None:
        return ""
    whole, rest = divmod(amount_milli, _MILLI)
    return f"{whole}.{rest:03d}".rstrip("0") if rest else str(whole)

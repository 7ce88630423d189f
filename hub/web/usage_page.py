"""What the devices were used for: device time by learner, cohort and organisation. For administrators and operators."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from hub.cohorts.model import Person
from hub.leases.model import UsageLine
from hub.web.centre import Centre
from hub.web.page_session import PREFIX
from hub.web.usage_table import By, usage_csv, usage_rows
from hub.web.visitors import CentreOf, PageVisitor

router = APIRouter(prefix="/usage", include_in_schema=False)

USAGE_PATH = f"{PREFIX}usage"
PERIODS_DAYS = (1, 7, 30, 90)


@dataclass(frozen=True, slots=True)
class Report:
    """Device time of everybody the visitor may see, and what those people and cohorts are called."""

    lines: list[UsageLine]
    names: Mapping[str, str]
    cohorts: Mapping[str, str]
    since: datetime
    until: datetime


@router.get("")
async def show_usage(
    request: Request, centre: CentreOf, visitor: PageVisitor, by: str = "", days: str = ""
) -> Response:
    """The sums of a period as a table with bars."""
    chosen = By(by) if by in set(By) else By.LEARNER
    period = _period(days)
    report = await _report(centre, visitor.person, period)
    names = {By.LEARNER: report.names, By.COHORT: report.cohorts, By.ORGANISATION: {}}[chosen]
    return centre.renderer.page(
        request,
        "usage",
        signed_in=visitor,
        return_path=f"{USAGE_PATH}?by={chosen.value}&days={period}",
        rows=usage_rows(report.lines, chosen, names),
        by=chosen.value,
        kinds=[each.value for each in By],
        days=period,
        periods=PERIODS_DAYS,
    )


@router.get("/usage.csv")
async def export_usage(centre: CentreOf, visitor: PageVisitor, days: str = "") -> Response:
    """The same in full, one line for each learner and share."""
    report = await _report(centre, visitor.person, _period(days))
    name = f"usage-{report.since:%Y-%m-%d}-{report.until:%Y-%m-%d}.csv"
    return Response(
        usage_csv(report.lines, report.names, report.since, report.until),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _period(days: str) -> int:
    """The chosen number of days; 30 for anything that cannot be chosen."""
    return next((each for each in PERIODS_DAYS if str(each) == days), 30)


async def _report(centre: Centre, person: Person, days: int) -> Report:
    """Raises `NotPermittedError` for who administers nobody."""
    people = await to_thread.run_sync(centre.cohorts.roster.managed_people, person)
    cohorts = await to_thread.run_sync(centre.cohorts.roster.managed_cohorts, person)
    until = centre.leases.now()
    since = until - timedelta(days=days)
    lines = await centre.leases.usage(since, until)
    slugs = {cohort.slug: cohort.name for cohort in cohorts}
    seen = [line for line in lines if person.operator or line.cohort in slugs]
    return Report(seen, {each.name: each.display_name for each in people}, slugs, since, until)

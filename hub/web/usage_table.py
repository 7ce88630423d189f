"""Device time summed for a report: by learner, cohort or organisation, on a page and as a table for spreadsheets. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub.leases.model import UsageLine
from hub.web.spreadsheet import as_csv

HEAD = (
    *("user name", "name", "cohort", "organisation", "pool", "share"),
    *("from (UTC)", "until (UTC)", "times", "share hours", "device hours"),
)
HOUR_S = 3600
WHOLE_MILLI = 1000


class By(StrEnum):
    """What a report has a line for."""

    LEARNER = "learner"
    COHORT = "cohort"
    ORGANISATION = "organisation"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report. Hours are those of shares held; device hours weigh each by its part of the device."""

    who: str
    pool: str
    leases: int
    share_h: float
    device_h: float
    percent: int
    """Of the longest line, for its bar."""


def usage_rows(lines: Iterable[UsageLine], by: By, names: Mapping[str, str]) -> list[Row]:
    """A row for each learner (cohort, organisation) and pool, the most device time first. `names` are shown instead of user names."""
    sums: dict[tuple[str, str], list[int]] = {}
    for line in lines:
        key = {By.LEARNER: line.owner, By.COHORT: line.cohort, By.ORGANISATION: line.organisation}[by]
        total = sums.setdefault((key, line.pool), [0, 0, 0])
        for at, amount in enumerate((line.leases, line.share_s, line.device_milli_s)):
            total[at] += amount
    most = max((device_milli_s for _, _, device_milli_s in sums.values()), default=0) or 1
    rows = [
        Row(
            who=names.get(who, who),
            pool=pool,
            leases=leases,
            share_h=share_s / HOUR_S,
            device_h=device_milli_s / WHOLE_MILLI / HOUR_S,
            percent=round(device_milli_s * 100 / most),
        )
        for (who, pool), (leases, share_s, device_milli_s) in sums.items()
    ]
    return sorted(rows, key=lambda row: (-row.device_h, -row.share_h, row.who, row.pool))


def usage_csv(lines: Sequence[UsageLine], names: Mapping[str, str], since: datetime, until: datetime) -> bytes:
    """Every line as CSV, by organisation, cohort and learner."""
    period = [moment.strftime("%Y-%m-%d %H:%M:%S") for moment in (since, until)]
    ordered = sorted(lines, key=lambda each: (each.organisation, each.cohort, each.owner, each.pool, each.profile))
    return as_csv(HEAD, (_cells(line, names, period) for line in ordered))


def _cells(line: UsageLine, names: Mapping[str, str], period: Sequence[str]) -> list[object]:
    texts = (line.owner, names.get(line.owner, ""), line.cohort, line.organisation, line.pool, line.profile)
    hours = (line.share_s / HOUR_S, line.device_milli_s / WHOLE_MILLI / HOUR_S)
    return [*texts, *period, line.leases, *(f"{each:.4f}" for each in hours)]

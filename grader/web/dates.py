"""Dates for people: typed and shown in the centre's time zone, which every page names; in words of the page's language."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from grader.exchange.terms import moment_in
from grader.web.errors import MomentInvalidError
from hub.clock import Clock
from hub.web.i18n import Translator

_WEEKDAYS = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "zh-CN": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def typed_moment(text: str, zone: ZoneInfo) -> datetime | None:
    """What a `datetime-local` field sent, as UTC; None for an empty one. Raises `MomentInvalidError`."""
    if not text.strip():
        return None
    try:
        return moment_in(text.strip(), zone.key)
    except (ValueError, OverflowError) as exc:
        raise MomentInvalidError(text=text[:40]) from exc


def date_functions(zone: ZoneInfo, clock: Clock) -> Callable[[Translator], Mapping[str, Callable[..., object]]]:
    """`moment`, `distance` and `field_value` for templates, each of a datetime."""

    def functions(translator: Translator) -> Mapping[str, Callable[..., object]]:
        def moment(when: datetime) -> Markup:
            return Markup('<time datetime="{}">{}</time>').format(
                when.astimezone(UTC).isoformat(), written(when.astimezone(zone), translator.language, clock.now())
            )

        def distance(when: datetime) -> Markup:
            return escape(in_words(when - clock.now(), translator))

        def field_value(when: datetime | None) -> str:
            return when.astimezone(zone).strftime("%Y-%m-%dT%H:%M") if when else ""

        return {
            "moment": moment,
            "distance": distance,
            "field_value": field_value,
            "zone": lambda: zone.key.removeprefix("Etc/"),
        }

    return functions


def written(local: datetime, language: str, now: datetime) -> str:
    """`Mon 30 Nov, 23:59` or `11月30日 周一 23:59`; with its year where that is another one."""
    weekday = _WEEKDAYS.get(language, _WEEKDAYS["en"])[local.weekday()]
    other_year = local.year != now.astimezone(local.tzinfo).year
    if language == "zh-CN":
        year = f"{local.year}年" if other_year else ""
        return f"{year}{local.month}月{local.day}日 {weekday} {local:%H:%M}"
    year = f" {local.year}" if other_year else ""
    return f"{weekday} {local.day} {_MONTHS[local.month - 1]}{year}, {local:%H:%M}"


def in_words(away: timedelta, translator: Translator) -> str:
    """How far away: `in 2 days`, `3 hours ago`. Rounded down, so that nobody believes to have more time than there is."""
    seconds = int(abs(away.total_seconds()))
    say = _ahead if away > timedelta() else _ago
    return say(seconds // 86_400, seconds // 3_600, seconds // 60, translator)


def _ahead(days: int, hours: int, minutes: int, translator: Translator) -> str:
    if days:
        return translator.ngettext("in %(count)s day", "in %(count)s days", days) % {"count": days}
    if hours:
        return translator.ngettext("in %(count)s hour", "in %(count)s hours", hours) % {"count": hours}
    if minutes:
        return translator.ngettext("in %(count)s minute", "in %(count)s minutes", minutes) % {"count": minutes}
    return translator.gettext("in less than a minute")


def _ago(days: int, hours: int, minutes: int, translator: Translator) -> str:
    if days:
        return translator.ngettext("%(count)s day ago", "%(count)s days ago", days) % {"count": days}
    if hours:
        return translator.ngettext("%(count)s hour ago", "%(count)s hours ago", hours) % {"count": hours}
    if minutes:
        return translator.ngettext("%(count)s minute ago", "%(count)s minutes ago", minutes) % {"count": minutes}
    return translator.gettext("just now")

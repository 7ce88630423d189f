"""What an ask and a quota must look like, whoever sends them: text a database can hold, whole numbers of a sane size."""

import re
from dataclasses import fields

from hub.gpu.model import LIMIT
from hub.leases.errors import AskInvalidError
from hub.leases.model import Ask, Quota, Session, SessionKind

LONGEST = 128
MOST_PATIENCE_S = 7 * 86_400
MOST_WEIGHT = 1_000_000
_UNUSABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
"""NUL and lone surrogates, which not every database takes, and other control characters."""
_ID = re.compile(r"[0-9a-f]{32}")


def is_id(lease_id: str) -> bool:
    """Whether this could be a lease's id at all."""
    return _ID.fullmatch(lease_id) is not None


def checked_ask(ask: Ask) -> Ask:
    """The ask as it is; raises `AskInvalidError`."""
    if type(ask.session) is not Session or type(ask.session.kind) is not SessionKind:
        raise AskInvalidError(field="session", cause="there is no such kind")
    _check_text("key", ask.key)
    _check_text("session.name", ask.session.name)
    _check_text("owner", ask.owner)
    _check_text("profile", ask.profile)
    _check_text("cohort", ask.cohort, may_be_empty=True)
    _check_text("organisation", ask.organisation, may_be_empty=True)
    if type(ask.wait) is not bool:
        raise AskInvalidError(field="wait", cause="it is neither true nor false")
    if ask.patience_s is not None:
        _check_number("patience_s", ask.patience_s, 1, MOST_PATIENCE_S)
    return ask


def checked_quota(quota: Quota) -> Quota:
    """The quota as it is; raises `AskInvalidError`."""
    _check_text("cohort", quota.cohort, may_be_empty=True)
    _check_text("pool", quota.pool)
    _check_number("weight", quota.weight, 1, MOST_WEIGHT)
    for each in fields(Quota):
        value = getattr(quota, each.name)
        if each.name.endswith("_milli") and (value is not None or each.name == "guaranteed_milli"):
            _check_number(each.name, value, 0, LIMIT)
    return quota


def _check_text(field: str, value: object, *, may_be_empty: bool = False) -> None:
    if type(value) is not str:
        raise AskInvalidError(field=field, cause="it is not text")
    if len(value) > LONGEST:
        raise AskInvalidError(field=field, cause=f"it is longer than {LONGEST} characters")
    if not value and not may_be_empty:
        raise AskInvalidError(field=field, cause="it is empty")
    if _UNUSABLE.search(value):
        raise AskInvalidError(field=field, cause="it has characters that cannot be shown")


def _check_number(field: str, value: object, least: int, most: int) -> None:
    if type(value) is not int:  # bool and float are refused on purpose: NaN is a float
        raise AskInvalidError(field=field, cause="it is not a whole number")
    if not least <= value <= most:
        raise AskInvalidError(field=field, cause=f"it is not between {least} and {most}")

"""What cannot be meant is refused in one sentence, and leaves nothing behind."""

import math
from dataclasses import replace
from typing import Any

import pytest

from hub.leases.errors import AskInvalidError, FenceError, UnknownLeaseError
from hub.leases.model import Quota, Session, SessionKind
from tests.hub.leases.desks import GPU, FailingDatabase, KillableDesk, ask
from tests.hub.leases.oracle import recorded

GOOD = ask("ann")


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": ""},
        {"key": "k" * 129},
        {"key": 7},
        {"owner": "nul\x00"},
        {"owner": "line\nbreak"},
        {"cohort": "\ud800"},
        {"organisation": "o" * 10**7},
        {"profile": ""},
        {"profile": None},
        {"session": Session(SessionKind.SERVER, "")},
        {"session": Session("laptop", "ann")},  # type: ignore[arg-type]
        {"session": "server:ann"},
        {"wait": 1},
        {"patience_s": 0},
        {"patience_s": -1},
        {"patience_s": math.nan},
        {"patience_s": True},
        {"patience_s": 10**30},
    ],
)
async def test_an_unusable_ask_is_refused(desk: KillableDesk, database: FailingDatabase, wrong: dict[str, Any]) -> None:
    with pytest.raises(AskInvalidError, match=r"^[a-z_.]+ of the request is not usable: [^\n]+\.$"):
        await desk.acquire(replace(GOOD, **wrong))
    assert recorded(database) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"cohort_milli": -1},
        {"learner_milli": math.nan},
        {"learner_milli": 10**30},
        {"cohort_milli": "500"},
        {"guaranteed_milli": None},
        {"weight": 0},
        {"pool": ""},
        {"cohort": "x" * 200},
    ],
)
async def test_an_unusable_quota_is_refused(desk: KillableDesk, wrong: dict[str, Any]) -> None:
    with pytest.raises(AskInvalidError):
        await desk.set_quota(replace(Quota("spring", GPU), **wrong))
    assert await desk.quotas() == []


async def test_names_of_any_script_are_kept_as_they_are(desk: KillableDesk, database: FailingDatabase) -> None:
    lease = await desk.acquire(replace(GOOD, organisation="青禾　数据 🐳", cohort="春季"))
    assert recorded(database)[lease.id].ask == replace(GOOD, organisation="青禾　数据 🐳", cohort="春季")


async def test_a_fence_that_never_was_and_an_id_that_could_not_be_are_refused(desk: KillableDesk) -> None:
    lease = await desk.acquire(GOOD)
    for fence in (-1, 0, 2, 10**30):
        with pytest.raises(FenceError):
            await desk.heartbeat(lease.id, fence)
    for unknown in ("", "\x00", "a" * 10**6, "%(x)s"):
        with pytest.raises(UnknownLeaseError):
            await desk.claim(unknown)

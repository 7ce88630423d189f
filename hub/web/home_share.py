"""What the home page says about shares: the one that is held, the place in the queue, how the last one ended, what to start with."""

import uuid
from dataclasses import dataclass
from datetime import timedelta

from hub.leases.model import Lease
from hub.web.centre import Centre
from hub.web.i18n import Translator
from hub.web.queue_page import Place, events_url, place_of
from hub.web.share_page import usual_share
from hub.web.share_starts import Holding, on_offer, session_of
from hub.web.share_words import ShareWords
from hub.web.visitors import Visitor

_ENDING_SHOWN = timedelta(hours=12)
"""Long enough for somebody who comes back after a night; after that the news is old."""


@dataclass(frozen=True, slots=True)
class HomeShare:
    """Texts in the reader's language; empty where there is nothing to say."""

    is_offered: bool
    """Whether this centre has shares at all."""
    held: str
    held_for: str
    in_use: bool
    memory_mib: int | None
    """Of the server, where the share in use decides it."""
    simulated: bool
    place: Place | None
    ending: str
    usual: str
    """Name of the share that the start button asks for; empty: without one."""
    usual_title: str
    usual_state: str
    key: str
    events_url: str


async def home_share(centre: Centre, visitor: Visitor, now: Holding, translator: Translator) -> HomeShare:
    """The view for this visitor's home page."""
    words, offer = ShareWords(translator), on_offer(centre, visitor.person)
    profiles = centre.leases.offers.by_name
    lease = now.lease
    usual = await usual_share(centre, visitor, offer)
    held_profile = profiles.get(lease.ask.profile) if lease else None
    return HomeShare(
        is_offered=bool(offer),
        held=words.title_of(lease, profiles) if lease and now.held else "",
        held_for=words.duration(_age_s(centre, now.held)) if now.held else "",
        in_use=now.in_use,
        memory_mib=held_profile.demand.memory_mib
        if now.in_use and held_profile and not held_profile.simulated
        else None,
        simulated=held_profile is not None and held_profile.simulated,
        place=place_of(centre, visitor, lease, translator) if lease and now.waits else None,
        ending=await _ending(centre, visitor, words) if lease is None else "",
        usual=usual.profile.name if usual else "",
        usual_title=words.title(usual.profile) if usual else "",
        usual_state=words.availability(usual) if usual else "",
        key=uuid.uuid4().hex,
        events_url=f"{events_url(visitor)}&at=home",
    )


async def _ending(centre: Centre, visitor: Visitor, words: ShareWords) -> str:
    last = await centre.leases.last_of_session(session_of(visitor.person))
    if last is None or last.ended_at is None or centre.leases.now() - last.ended_at > _ENDING_SHOWN:
        return ""
    return words.ending(last, centre.leases.offers.by_name)


def _age_s(centre: Centre, lease: Lease) -> int:
    since = lease.held_at or lease.asked_at
    return max(0, int((centre.leases.now() - since).total_seconds()))

"""What a running server is told when its share has ended: in every language, because its pages may be open in any."""

from collections.abc import Mapping

from hub.gpu.profiles import ShareProfile
from hub.leases.model import Lease
from hub.web.i18n import N_, Translators
from hub.web.share_words import ShareWords

_ENDED = N_("The share of your server was given back.")
_AFRESH = N_("Your notebooks' kernels start afresh, and your server goes on without a share.")


def share_notice(translators: Translators, lease: Lease | None, profiles: Mapping[str, ShareProfile]) -> dict[str, str]:
    """Why this lease ended and what happens now, by language; `lease` is None if nobody knows it."""
    found = {}
    for language, translator in translators.items():
        why = "" if lease is None else ShareWords(translator).ending(lease, profiles)
        space = "" if language.startswith("zh") else " "
        found[language] = (why or translator.gettext(_ENDED)) + space + translator.gettext(_AFRESH)
    return found

"""What holds a share of this machine's processors, in one sentence: people plan by it, so it promises no more than is true."""

from functools import cache

from hub.sandbox.limits import cpu_enforcement
from hub.sandbox.processor import CpuEnforcement
from hub.web.centre import Centre
from hub.web.i18n import N_, Translator

_PARTS = N_("A share of processors holds here to the hundredth: nobody gets more processor time than theirs.")
_WHOLE = N_(
    "A share of processors holds here for whole processors: smaller parts share one, and may slow each other down."
)
_NOTHING = N_("Servers run without a sandbox here, which is what would hold a share: none is on offer.")


def how_cpus_are_held(centre: Centre, translator: Translator) -> str:
    """The sentence; empty where no share of processors is on offer."""
    if not centre.settings.sandbox.enforced:
        return translator.gettext(_NOTHING)
    if not centre.settings.devices.cpu_percent:
        return ""
    return translator.gettext(_PARTS if _enforcement().holds_parts else _WHOLE)


@cache
def _enforcement() -> CpuEnforcement:
    """Found out by trying, which does not change while the machine runs."""
    return cpu_enforcement()

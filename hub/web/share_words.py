"""What shares, places in the queue and endings are called, in the reader's language."""

from collections.abc import Mapping

from hub.gpu.model import Engine
from hub.gpu.nvml import DeviceUsage
from hub.gpu.profiles import ShareProfile
from hub.leases.model import Availability, EndReason, Lease, Outlook, Wait
from hub.web.i18n import N_, Translator

_MINUTE_S, _HOUR_S = 60, 3600


_PARTS = {
    "whole": N_("One whole %(model)s"),
    "half": N_("Half of one %(model)s"),
    "quarter": N_("A quarter of one %(model)s"),
    "eighth": N_("An eighth of one %(model)s"),
}
_CPU_PARTS = {
    "whole": N_("All processors on offer"),
    "half": N_("Half of the processors"),
    "quarter": N_("A quarter of the processors"),
    "eighth": N_("An eighth of the processors"),
}
_SHORT = {
    "whole": N_("The whole"),
    "half": N_("One half"),
    "quarter": N_("A quarter"),
    "eighth": N_("An eighth"),
}
_REFUSALS = {
    "never-fits": N_("Larger than anything this centre has: it can never fit."),
    "cohort-quota": N_("Larger than your cohort may hold. Your administrator sets that limit."),
    "learner-quota": N_("Larger than one learner of your cohort may hold. Your administrator sets that limit."),
}
_WAITS = {
    Wait.DEVICES_FULL: N_("Everything of this kind is in use. A place is free when somebody stops their server."),
    Wait.COHORT_QUOTA: N_(
        "Your cohort holds as much as it may at once. It goes on when somebody of your cohort stops."
    ),
    Wait.LEARNER_QUOTA: N_("You hold as much as one learner may at once."),
    Wait.BEHIND: N_(
        "Something is free, but it is kept together for somebody who has waited longer for a larger share."
    ),
}
_ENDINGS = {
    EndReason.UNCLAIMED: N_(
        "It was your turn for “%(share)s”, but it was not taken in time, so the next in the queue got it. "
        "You can ask for it again."
    ),
    EndReason.EXPIRED: N_("%(share)s went back, because your server gave no sign of life. Your files are safe."),
    EndReason.ORPHANED: N_(
        "%(share)s went back, because your server was not running any more. Your files are safe; start it again."
    ),
    EndReason.DEVICE_LOST: N_(
        "The device of “%(share)s” has failed or was taken away. Your files are safe; choose another share."
    ),
    EndReason.REVOKED: N_("An administrator took your share “%(share)s” back. Your files are safe; you can ask again."),
    EndReason.WITHDRAWN: N_("%(share)s is no longer on offer. Your files are safe; choose another share."),
}


class ShareWords:
    """Sentences and names about shares. Plain text, to be escaped by whoever puts it into a page."""

    def __init__(self, translator: Translator) -> None:
        self._translator = translator

    def title(self, profile: ShareProfile) -> str:
        """What people call the share, such as "Half of one H100-80GB"; an administrator's own by its own name."""
        label = _label(profile)
        if profile.demand.mig is not None:
            return self._say(N_("%(model)s, MIG instance %(label)s"), model=profile.model, label=label)
        texts = _CPU_PARTS if profile.engine is Engine.CPU else _PARTS
        if profile.custom or label not in texts:
            return profile.name
        return self._say(texts[label], model=profile.model)

    def part(self, profile: ShareProfile) -> str:
        """The same where the kind of device stands above it, such as "One half"."""
        label = _label(profile)
        if profile.demand.mig is not None:
            return label
        return self._say(_SHORT[label]) if label in _SHORT and not profile.custom else profile.name

    def title_of(self, lease: Lease, profiles: Mapping[str, ShareProfile]) -> str:
        """The title of a lease's share; its bare name once that is not on offer any more."""
        known = profiles.get(lease.ask.profile)
        return self.title(known) if known is not None else lease.ask.profile

    def kind(self, profile: ShareProfile) -> str:
        """The kind of device, as a heading over its shares."""
        if profile.engine is Engine.CPU:
            return self._say(N_("Processors (CPU)"))
        return (
            profile.model if profile.engine is not Engine.MIG else self._say(N_("%(model)s, MIG"), model=profile.model)
        )

    def facts(self, profile: ShareProfile) -> tuple[str, ...]:
        """How much it is: of the device first, then of the machine around it where that is real."""
        demand = profile.demand
        found = []
        if profile.engine is not Engine.CPU:
            if demand.device_memory_mib:
                found.append(self._say(N_("%(size)s of its memory"), size=size(demand.device_memory_mib)))
            percent = f"{_plain(demand.compute_milli, 10)}\u00a0%"
            if demand.compute_milli and profile.sms:
                text = N_("%(percent)s of its compute (%(count)s SM)")
                found.append(self._say(text, percent=percent, count=profile.sms))
            elif demand.compute_milli:
                found.append(self._say(N_("%(percent)s of its compute"), percent=percent))
            elif profile.sms:
                found.append(self._say(N_("%(count)s multiprocessors (SM)"), count=profile.sms))
        if not profile.simulated:  # a machine that is only declared has no processors to give
            found.append(self.processors(demand.cpu_milli))
            found.append(self._say(N_("%(size)s of main memory"), size=size(demand.memory_mib)))
        return tuple(found)

    def processors(self, cpu_milli: int) -> str:
        """A number of processors."""
        text = self._translator.ngettext("%(count)s processor", "%(count)s processors", 1 if cpu_milli == 1000 else 2)
        return text % {"count": _plain(cpu_milli, 1000)}

    def availability(self, found: Availability) -> str:
        """Whether somebody who asks now gets it at once, and else what to expect."""
        if found.refusal:
            return self._say(_REFUSALS.get(found.refusal, _REFUSALS["never-fits"]))
        if found.free:
            return self._translator.ngettext("%(count)s free", "%(count)s free", found.free) % {"count": found.free}
        place = found.waiting + 1
        if found.estimate_s is None:
            return self._say(N_("queue: number %(place)s, no estimate yet"), place=place)
        wait = self.duration(found.estimate_s)
        return self._say(N_("queue: number %(place)s, %(wait)s"), place=place, wait=wait)

    def why(self, outlook: Outlook) -> str:
        """Why somebody waits, and what ends it."""
        return self._say(_WAITS[outlook.why])

    def estimate(self, outlook: Outlook) -> str:
        """How much longer, with its spread; or that nobody can say yet."""
        if outlook.estimate_s is None:
            return self._say(N_("No estimate yet: too few shares of this kind have been given back so far."))
        likely = self.duration(outlook.estimate_s)
        if outlook.estimate_most_s is None or outlook.estimate_most_s <= outlook.estimate_s:
            return self._say(N_("Probably %(likely)s."), likely=likely)
        most = self.duration(outlook.estimate_most_s)
        return self._say(N_("Probably %(likely)s; in four of five cases at most %(most)s."), likely=likely, most=most)

    def duration(self, seconds: int) -> str:
        """A length of time, as exact as it can be meant."""
        if seconds < _MINUTE_S:
            return self._say(N_("less than a minute"))
        if seconds < 2 * _HOUR_S:
            count = round(seconds / _MINUTE_S)
            return self._translator.ngettext("about %(count)s minute", "about %(count)s minutes", count) % {
                "count": count
            }
        count = round(seconds / _HOUR_S)
        return self._translator.ngettext("about %(count)s hour", "about %(count)s hours", count) % {"count": count}

    def usage(self, usage: DeviceUsage, memory_mib: int) -> str:
        """How busy a device is, as its driver tells."""
        memory = self._say(N_("%(used)s of %(size)s in use"), used=size(usage.memory_used_mib), size=size(memory_mib))
        percent = usage.busy_percent
        busy = "" if percent is None else self._say(N_("%(percent)s busy"), percent=f"{percent}\u00a0%")
        heat = "" if usage.temperature_c is None else f"{usage.temperature_c}\u00a0°C"
        return " · ".join(each for each in (busy, memory, heat) if each)

    def load(self, load: float, cpus: int) -> str:
        """How busy the processors of this machine are."""
        return self._say(N_("load of this machine: %(load)s on %(cpus)s processors"), load=f"{load:.1f}", cpus=cpus)

    def ending(self, lease: Lease, profiles: Mapping[str, ShareProfile]) -> str:
        """Why a lease ended and what to do now; empty where its owner ended it."""
        if lease.reason not in _ENDINGS:
            return ""
        return self._say(_ENDINGS[lease.reason], share=self.title_of(lease, profiles))

    def _say(self, message_id: str, **fields: object) -> str:
        text = self._translator.gettext(message_id)
        return text % fields if fields else text


def size(mib: int) -> str:
    """A size for people, with a space that does not break."""
    return f"{mib / 1024:.3g}\u00a0GiB" if mib >= 1024 else f"{mib}\u00a0MiB"


def _label(profile: ShareProfile) -> str:
    """The name of the part within the name of the share."""
    return profile.name.removeprefix("cpu." if profile.engine is Engine.CPU else f"{profile.model.lower()}.")


def _plain(amount: int, unit: int) -> str:
    return f"{round(amount / unit, 2):g}"

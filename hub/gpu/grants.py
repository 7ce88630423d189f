"""A share taken from a device, and given back: the arithmetic, with every refusal."""

from hub.gpu import mig
from hub.gpu.errors import PlacementConflictError
from hub.gpu.model import WHOLE_MILLI, Demand, Device, Share
from hub.gpu.states import DeviceFree, DeviceKind, Pick, with_slices


def share_of(device: Device, demand: Demand, pick: Pick) -> Share:
    """What `pick` grants on `device`."""
    if demand.mig is None:
        return Share(
            device=device.id,
            compute_milli=demand.compute_milli,
            memory_mib=demand.device_memory_mib,
            sms=device.sms * demand.compute_milli // WHOLE_MILLI,
        )
    instance = next((one for one in device.instances if (one.profile, one.start) == (demand.mig, pick.start)), None)
    slices = mig.profiles()[demand.mig].memory_slices
    return Share(
        device=device.id,
        compute_milli=slices * mig.SLICE_MILLI,
        memory_mib=instance.memory_mib if instance else device.memory_mib * slices // mig.SLICES,
        sms=instance.sms if instance else mig.sms(demand.mig, device.sms),
        mig=demand.mig,
        start=pick.start,
    )


def after_grant(kind: DeviceKind, free: DeviceFree, share: Share) -> DeviceFree:
    """The device once `share` is taken. Raises `PlacementConflictError` if it is not free."""
    if share.mig is not None:
        mask = _mask(kind, share)
        if mask & free.slices != mask:
            raise PlacementConflictError
        return with_slices(free, free.slices & ~mask)
    if kind.layout is not None or share.compute_milli > free.compute_milli or share.memory_mib > free.memory_mib:
        raise PlacementConflictError
    return DeviceFree(free.kind, free.compute_milli - share.compute_milli, free.memory_mib - share.memory_mib, 0)


def after_return(kind: DeviceKind, free: DeviceFree, share: Share) -> DeviceFree:
    """The device once `share` is given back. Raises `PlacementConflictError` if it was not taken."""
    if share.mig is not None:
        mask = _mask(kind, share)
        if mask & free.slices:
            raise PlacementConflictError("That share of %(device)s was not taken.", device=share.device)
        return with_slices(free, free.slices | mask)
    compute_milli = free.compute_milli + share.compute_milli
    memory_mib = free.memory_mib + share.memory_mib
    if kind.layout is not None or compute_milli > kind.compute_milli or memory_mib > kind.memory_mib:
        raise PlacementConflictError("That share of %(device)s was not taken.", device=share.device)
    return DeviceFree(free.kind, compute_milli, memory_mib, 0)


def _mask(kind: DeviceKind, share: Share) -> int:
    """Slices of a MIG share, once it is known to be one this device can have."""
    if kind.layout is None or share.mig is None or share.start is None:
        raise PlacementConflictError("%(device)s is not divided by MIG.", device=share.device)
    if share.start not in kind.layout.starts(share.mig):
        raise PlacementConflictError(
            "%(device)s has no %(mig)s instance at slice %(start)s.",
            device=share.device,
            mig=share.mig,
            start=share.start,
        )
    return mig.profiles()[share.mig].mask(share.start)

"""What can go wrong with devices, shares and their placement."""

from http import HTTPStatus

from hub.errors import HubError


class GpuError(HubError):
    """Base of every failure of this package."""

    code = "gpu"


class ShareSizeError(GpuError):
    """A share was asked for whose size no device could ever have."""

    code = "share-size-invalid"
    status = HTTPStatus.BAD_REQUEST


class SimulationError(GpuError):
    """The simulated inventory an operator asked for cannot be understood."""

    code = "simulation-invalid"
    status = HTTPStatus.BAD_REQUEST


class PlacementConflictError(GpuError):
    """A placement was to be taken or given back that does not match what is free."""

    code = "placement-conflict"
    status = HTTPStatus.CONFLICT
    sentence = "That share is no longer free. Ask again."


class UnknownDeviceError(GpuError):
    """A device or node was named that the centre does not have."""

    code = "device-unknown"
    status = HTTPStatus.NOT_FOUND


class InventoryError(GpuError):
    """The devices of this machine could not be listed just now; what was known before still holds."""

    code = "inventory-unreadable"
    status = HTTPStatus.SERVICE_UNAVAILABLE

"""What can go wrong with leases, each in one sentence for the person who asked."""

from http import HTTPStatus

from hub.errors import HubError


class LeaseError(HubError):
    """Base of every failure of this package."""

    code = "lease"


class AskInvalidError(LeaseError):
    """An ask, or another request about leases, has a field no allocator could work with."""

    code = "ask-invalid"
    status = HTTPStatus.BAD_REQUEST
    sentence = "%(field)s of the request is not usable: %(cause)s."


class KeyReusedError(LeaseError):
    """A key was sent again with another body: which of the two was meant cannot be known."""

    code = "lease-key-reused"
    status = HTTPStatus.CONFLICT
    sentence = "This request was already used to ask for something else. Open the page again and choose anew."


class SessionHasLeaseError(LeaseError):
    """The session has, or waits for, another share already; `fields` has `lease`, its id."""

    code = "session-has-lease"
    status = HTTPStatus.CONFLICT
    sentence = "There is already a share, or a place in the queue, for this server. Give it back first."


class DevicesFullError(LeaseError):
    """Nothing that fits is free, and the ask would not wait."""

    code = "devices-full"
    status = HTTPStatus.CONFLICT
    sentence = "No such share is free just now. Join the queue, or choose another."


class UnknownShareError(LeaseError):
    """No share of this name is on offer."""

    code = "share-unknown"
    status = HTTPStatus.NOT_FOUND
    sentence = "There is no share called %(profile)s here. Choose one from the list."


class NeverFitsError(LeaseError):
    """The devices there are now could not serve this share even if nobody else used them."""

    code = "never-fits"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "No device that is here now can hold the share %(profile)s. Choose another."


class QuotaExceededError(LeaseError):
    """The share is larger than the quota, so that waiting would be in vain."""

    code = "quota-exceeded"
    status = HTTPStatus.FORBIDDEN
    sentence = "The share %(profile)s is larger than your quota. Choose a smaller one, or ask your administrator."


class QuotaUsedUpError(DevicesFullError):
    """The quota leaves no room just now, and the ask would not wait."""

    code = "quota-used-up"
    sentence = "Your quota is used up just now. Join the queue, or give back what you hold."


class UnknownLeaseError(LeaseError):
    """There is and was no lease of this id."""

    code = "lease-unknown"
    status = HTTPStatus.NOT_FOUND
    sentence = "There is no such share or place in the queue."


class LeaseEndedError(LeaseError):
    """The lease has ended; `fields` has `reason`."""

    code = "lease-ended"
    status = HTTPStatus.GONE
    sentence = "This share, or place in the queue, has ended. Ask for a new one."


class NotOfferedError(LeaseError):
    """Somebody claimed before it was their turn."""

    code = "lease-waiting"
    status = HTTPStatus.CONFLICT
    sentence = "It is not your turn yet. Your place in the queue is kept."


class FenceError(LeaseError):
    """Who acts for this lease shows a fencing token that is not its own, so it is somebody from before."""

    code = "fence-stale"
    status = HTTPStatus.CONFLICT
    sentence = "This share has passed on to somebody else."


class AllocatorReplacedError(LeaseError):
    """Another process has taken over: this one writes no more."""

    code = "allocator-replaced"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    sentence = "The centre is being restarted. Try again in a minute."

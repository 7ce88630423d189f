"""Why the centre could not be started, each in one sentence for the operator."""

from http import HTTPStatus

from hub.errors import HubError


class PortTakenError(HubError):
    """A port one of our processes needs belongs to somebody else."""

    code = "port-taken"
    status = HTTPStatus.CONFLICT
    sentence = "Port %(port)s on %(host)s is taken by %(owner)s. %(remedy)s"


class AddressUnusableError(HubError):
    """This machine has no such address, or its user may not listen there."""

    code = "address-unusable"
    sentence = "Cannot listen on %(host)s port %(port)s: %(cause)s. Choose others with --bind and --port."


class StartFailedError(HubError):
    """A process ended again and again before it was well once."""

    code = "start-failed"
    sentence = "%(title)s does not start: %(words)s (all of it: %(log)s)."


class AlreadyRunningError(HubError):
    """Another supervisor owns this state directory."""

    code = "already-running"
    status = HTTPStatus.CONFLICT
    sentence = "A centre already runs on %(path)s (process %(pid)s, %(url)s)."


class CannotSandboxError(HubError):
    """This machine cannot contain learner code."""

    code = "cannot-sandbox"
    sentence = (
        "This machine cannot contain learners' servers. %(finding)s %(remedy)s "
        "(--insecure-no-sandbox starts all the same: only to try things out alone.)"
    )


class DiskFullError(HubError):
    """Too little room under the state directory."""

    code = "disk-full"
    status = HTTPStatus.INSUFFICIENT_STORAGE
    sentence = "Only %(free_mib)s MiB are free under %(path)s; the centre needs %(needed_mib)s MiB. Make room first."


class PagesSilentError(HubError):
    """Every process answers by itself, but not through the proxy."""

    code = "pages-silent"
    sentence = "The centre's processes run, but %(url)s does not show their pages. Look into %(logs)s."


class ProcessesLeftError(HubError):
    """Something did not end even when killed; the kernel holds it, in a file system or a driver."""

    code = "processes-left"
    sentence = "These could not be ended: %(names)s."


class RootUncontainedError(HubError):
    """Root asked for servers without a sandbox: learner code would be root."""

    code = "root-uncontained"
    sentence = "Without a sandbox, learners' code would run as root here. Start the centre as an ordinary user instead."

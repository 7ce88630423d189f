"""Refusals of the roster: one class per reason, each a sentence that says what to do."""

from http import HTTPStatus

from hub.errors import HubError


class UnknownPersonError(HubError):
    """Nobody of that name is on the roster."""

    code = "person-unknown"
    status = HTTPStatus.NOT_FOUND
    sentence = "Nobody of that name is on the roster."


class NameInvalidError(HubError):
    """The user name cannot be used."""

    code = "name-invalid"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = (
        "A user name has 1 to 30 lowercase letters and digits, starts with a letter, and may hold single dots, "
        "hyphens and underscores inside."
    )


class NameTakenError(HubError):
    """Another person has this user name."""

    code = "name-taken"
    status = HTTPStatus.CONFLICT
    sentence = "The user name %(name)s is taken. Choose another one."


class CohortTakenError(HubError):
    """Another cohort has this short name."""

    code = "cohort-taken"
    status = HTTPStatus.CONFLICT
    sentence = "There is a cohort %(name)s already. Choose another short name."


class DisplayNameInvalidError(HubError):
    """The displayed name is empty, too long or holds invisible characters."""

    code = "display-name-invalid"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "A displayed name has 1 to 100 characters, none of them invisible."


class UnknownCohortError(HubError):
    """There is no such cohort, or the person asking may not see it."""

    code = "cohort-unknown"
    status = HTTPStatus.NOT_FOUND
    sentence = "There is no such cohort among yours."


class NotPermittedError(HubError):
    """The person asking does not have the role for this."""

    code = "not-permitted"
    status = HTTPStatus.FORBIDDEN
    sentence = "Your role does not allow this. Ask the administrator of the cohort or the operator of the centre."


class WrongPasswordError(HubError):
    """Name and password do not belong together; which of them is wrong is not said."""

    code = "wrong-password"
    status = HTTPStatus.UNAUTHORIZED
    sentence = (
        "User name or password is wrong. If you have forgotten the password, ask your administrator for a reset link."
    )


class ThrottledError(HubError):
    """Too many failed attempts on this account; the right password has to wait as well."""

    code = "throttled"
    status = HTTPStatus.TOO_MANY_REQUESTS
    sentence = "Too many failed attempts for this account. Wait %(wait_s)s seconds, then try again."

    @property
    def wait_s(self) -> int:
        """Whole seconds until the next attempt is looked at."""
        return int(str(self.fields["wait_s"]))


class SignInBusyError(HubError):
    """More people are signing in at this moment than passwords can be checked."""

    code = "sign-in-busy"
    status = HTTPStatus.TOO_MANY_REQUESTS
    sentence = "Very many people are signing in right now. Try again in a few seconds."


class PasswordTooShortError(HubError):
    """The new password is too easy to try out."""

    code = "password-too-short"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "The password is too short. Use at least %(minimum)s characters."


class PasswordTooLongError(HubError):
    """The new password is longer than anybody types."""

    code = "password-too-long"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "The password is too long. Use at most %(maximum)s characters."


class PasswordIsNameError(HubError):
    """The new password can be read off the roster."""

    code = "password-is-name"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "The password must not be your user name. Choose another one."


class PasswordTooSimpleError(HubError):
    """The new password repeats one or two characters."""

    code = "password-too-simple"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "The password repeats the same few characters. Choose another one."


class PasswordsDifferError(HubError):
    """The password was not repeated as it was typed first."""

    code = "passwords-differ"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "The two passwords are not the same. Type them again."


class LinkUnknownError(HubError):
    """No invitation has this token."""

    code = "link-unknown"
    status = HTTPStatus.NOT_FOUND
    sentence = "This link is not known here. Copy it completely, or ask your administrator for a new one."


class LinkExpiredError(HubError):
    """The invitation is too old."""

    code = "link-expired"
    status = HTTPStatus.GONE
    sentence = "This link has expired. Ask your administrator for a new one."


class LinkUsedError(HubError):
    """The invitation has set a password already."""

    code = "link-used"
    status = HTTPStatus.GONE
    sentence = "This link has been used already. Sign in with your password, or ask your administrator for a new link."


class UidsExhaustedError(HubError):
    """Every uid of the configured range has been given once."""

    code = "uids-exhausted"
    status = HTTPStatus.INSUFFICIENT_STORAGE
    sentence = "The centre has no user number left for a new learner. Tell the operator to raise sandbox.uid_count."


class SelfDeactivationError(HubError):
    """Somebody tried to switch off their own account."""

    code = "self-deactivation"
    status = HTTPStatus.CONFLICT
    sentence = "You cannot deactivate your own account. Another administrator can."

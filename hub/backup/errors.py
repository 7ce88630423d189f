"""Why a backup could not be written, trusted or put back."""

from http import HTTPStatus

from hub.errors import HubError


class BackupWriteError(HubError):
    """The backup file could not be written; nothing is left under its name."""

    code = "backup-unwritable"
    sentence = "The backup could not be written to %(path)s: %(cause)s. Nothing is left there."


class BackupDamagedError(HubError):
    """The file is not a complete backup, or not one of ours."""

    code = "backup-damaged"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "%(path)s is not a complete backup: %(cause)s. Nothing was restored."


class StateNotEmptyError(HubError):
    """A backup is put back into an empty place only."""

    code = "state-not-empty"
    status = HTTPStatus.CONFLICT
    sentence = (
        "%(path)s holds a centre already (%(found)s). Restore into another --state-dir, or `practicum reset` first."
    )


class DatabaseToolError(HubError):
    """A database outside the state directory could not be copied."""

    code = "database-tool"
    sentence = (
        "The database of %(setting)s could not be copied: %(cause)s. Needed are `pg_dump` and `pg_restore` of at least "
        "the server's version (Debian: apt-get install postgresql-client)."
    )

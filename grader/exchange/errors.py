"""What can be wrong with a hand-in, each with a stable code, a status and one sentence for the learner."""

from http import HTTPStatus

from grader.errors import GraderError


class BundleError(GraderError):
    """A bundle is not what a learner's panel would have sent. Nothing of it is kept."""

    code = "bundle-invalid"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "This is not a valid hand-in. Submit again from the assignments panel."


class BundleEmptyError(BundleError):
    """No byte arrived, or no file was in it."""

    code = "bundle-empty"
    sentence = "Nothing was handed in: the assignment's folder holds no file. Fetch the assignment again, then submit."


class BundleTruncatedError(BundleError):
    """The bytes end before the bundle does."""

    code = "bundle-truncated"
    sentence = "The hand-in arrived incomplete. Submit again; what you already sent is not lost."


class BundleDamagedError(BundleError):
    """The bytes are not a bundle, or not exactly as the one way of writing a bundle would have put them."""

    code = "bundle-damaged"
    sentence = "The hand-in is damaged (%(where)s). Submit again from the assignments panel."


class BundleCompressedError(BundleError):
    """A compressed archive: bundles are not compressed, so that none can unfold into more than it weighs."""

    code = "bundle-compressed"
    sentence = "This is a compressed archive (%(kind)s). Hand in the notebook itself or use the assignments panel."


class BundleTooLargeError(BundleError):
    """More bytes than a hand-in may have, together or in one file."""

    code = "bundle-too-large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    sentence = "%(what)s is larger than a hand-in may be (%(limit_mib)s MiB). Remove large files or clear outputs, then submit."


class BundleTooManyFilesError(BundleError):
    """More files than a hand-in may have."""

    code = "bundle-too-many-files"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    sentence = "The assignment's folder holds more than %(limit)s files. Remove what is not part of your answer."


class BundleNameError(BundleError):
    """A file name that could lead outside the folder, or that not every machine can hold."""

    code = "bundle-name-invalid"
    sentence = "The file name %(name)s cannot be handed in: %(reason)s. Rename the file, then submit."


class BundleNameClashError(BundleError):
    """Two names that some file systems take for one."""

    code = "bundle-name-clash"
    sentence = "The files %(name)s and %(other)s have names that some computers cannot tell apart. Rename one."


class BundleLinkError(BundleError):
    """A symbolic or hard link."""

    code = "bundle-link"
    sentence = "%(name)s is a link, not a file. Replace it with a copy of the file, then submit."


class BundleSpecialFileError(BundleError):
    """A device, a pipe or a socket."""

    code = "bundle-special-file"
    sentence = "%(name)s is not an ordinary file. Remove it from the assignment's folder, then submit."


class BundleFileChangedError(BundleError):
    """A file was written to while it was being packed."""

    code = "bundle-file-changed"
    status = HTTPStatus.CONFLICT
    sentence = "%(name)s changed while it was being handed in. Save your notebook, then submit again."


class BundleForeignError(BundleError):
    """The bundle was made for another assignment than the one it is handed in for."""

    code = "bundle-foreign"
    sentence = "This is %(found)s, not %(wanted)s. Open the right assignment and submit from there."


class BundleNotebookMissingError(BundleError):
    """None of the assignment's notebooks is in it."""

    code = "bundle-notebook-missing"
    sentence = "The hand-in does not hold %(wanted)s. Give your notebook its original name, then submit."


class BundleNotebookEmptyError(BundleError):
    """A notebook of no bytes, as a full disk leaves behind."""

    code = "bundle-notebook-empty"
    sentence = "%(name)s is empty. Check that your home has room, save the notebook again, then submit."


class BundleMismatchError(BundleError):
    """Other bytes arrived than were announced."""

    code = "bundle-mismatch"
    sentence = "What arrived is not what was announced. Submit again; nothing was changed."


class UploadUnknownError(GraderError):
    """No such upload, or somebody else's, or one that was given up."""

    code = "upload-unknown"
    status = HTTPStatus.NOT_FOUND
    sentence = "This upload is not known any more. Submit again."


class UploadOffsetError(GraderError):
    """A piece that leaves a gap. `fields["offset"]` says where to go on."""

    code = "upload-offset"
    status = HTTPStatus.CONFLICT
    sentence = "A piece of the hand-in is missing; go on at byte %(offset)s."


class UploadOverrunError(GraderError):
    """More bytes than were announced."""

    code = "upload-overrun"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    sentence = "More arrived than was announced. Submit again."


class UploadIncompleteError(GraderError):
    """The end was declared before all bytes were there."""

    code = "upload-incomplete"
    status = HTTPStatus.CONFLICT
    sentence = "The hand-in is not complete; go on at byte %(offset)s."


class UploadRefusedError(GraderError):
    """This upload was already found to be no valid bundle."""

    code = "upload-refused"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "This upload was refused. Submit again from the assignments panel."


class SubmissionsClosedError(GraderError):
    """The assignment takes no more work, not even late."""

    code = "submissions-closed"
    status = HTTPStatus.FORBIDDEN
    sentence = "This assignment closed at %(closed_at)s and takes no more work. Ask your instructor for an extension."


class AttemptsSpentError(GraderError):
    """The learner has handed in as often as the assignment allows."""

    code = "attempts-spent"
    status = HTTPStatus.FORBIDDEN
    sentence = "You have handed in %(limit)s times, which is all this assignment allows."


class RoomSpentError(GraderError):
    """All of one learner's hand-ins together would take more than a learner may fill of the centre's disk."""

    code = "room-spent"
    status = HTTPStatus.FORBIDDEN
    sentence = (
        "Your hand-ins take all the room the centre keeps for you (%(limit_mib)s MiB). "
        "Nothing handed in is lost; hand in less data, or ask your instructor."
    )


class StorageFullError(GraderError):
    """The centre's disk has no room. What was accepted before is untouched, this hand-in is not accepted."""

    code = "storage-full"
    status = HTTPStatus.INSUFFICIENT_STORAGE
    sentence = "The centre's disk is full, so your work was not accepted yet. Keep it, tell your instructor, try later."

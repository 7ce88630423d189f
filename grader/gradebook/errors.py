"""What can go wrong with nbgrader's own files, each with a stable code, a status and one sentence."""

from http import HTTPStatus

from grader.errors import GraderError


class GradebookError(GraderError):
    """The course's gradebook cannot be read or written."""

    code = "gradebook-unusable"
    sentence = "The gradebook of %(course)s cannot be used: %(cause)s."


class CourseFolderError(GraderError):
    """A folder is no nbgrader course, or not one that can be taken over as it stands."""

    code = "course-folder-invalid"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "%(path)s cannot be imported: %(cause)s."


class CourseTakenError(GraderError):
    """There is a course of that name already."""

    code = "course-taken"
    status = HTTPStatus.CONFLICT
    sentence = "There is a course %(course)s already. Import under another name."

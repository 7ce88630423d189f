"""Refusals of the grader's web side, each with a stable code, a status and one sentence."""

from http import HTTPStatus

from grader.errors import GraderError


class CourseNotTaughtError(GraderError):
    """The person does not teach this course, or there is none."""

    code = "course-not-taught"
    status = HTTPStatus.FORBIDDEN
    sentence = "You do not teach this course. Ask the administrator of the cohort if you should."


class MomentInvalidError(GraderError):
    """A date that a form sent is none."""

    code = "moment-invalid"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "“%(text)s” is no date and time. Choose one in the calendar, or leave the field empty."


class NumberInvalidError(GraderError):
    """A number that a form sent is none, or out of range."""

    code = "number-invalid"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "“%(text)s” is not a number from %(low)s to %(high)s."


class FileMissingError(GraderError):
    """A form for a file came without one."""

    code = "file-missing"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "No file was chosen. Choose the notebook you want to hand in."


class NotebookUnreadableError(GraderError):
    """The uploaded file is no notebook, so handing it in would only cost the learner points."""

    code = "not-a-notebook"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = (
        "%(name)s is not a notebook. Download it from JupyterLab (File, Download) and choose the file ending in .ipynb."
    )


class GradebookBehindError(GraderError):
    """Marks are still on their way into the gradebook. Nothing is broken: it is a state that passes, not a failure."""

    code = "gradebook-behind"
    status = HTTPStatus.CONFLICT
    sentence = "Marks are still being written into the gradebook. Try again in a few seconds."

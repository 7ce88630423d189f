"""What can go wrong with grading, each with a stable code, a status and one sentence for the instructor."""

from http import HTTPStatus

from grader.errors import GraderError


class GradingUnavailableError(GraderError):
    """This machine cannot contain learners' code now; grading waits rather than running it uncontained."""

    code = "grading-unavailable"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    sentence = "Submissions cannot be graded now, because the sandbox does not start: %(cause)s"


class UnreadableNotebookError(GraderError):
    """A learner's file is not a notebook."""

    code = "notebook-unreadable"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "%(notebook)s cannot be read as a notebook: %(reason)s."


class LeaseLostError(GraderError):
    """Another worker has taken the job over, or it was cancelled: what this one found out is worthless."""

    code = "lease-lost"
    status = HTTPStatus.CONFLICT
    sentence = "Another worker has taken this submission over."


class UnknownSubmissionError(GraderError):
    """No such hand-in."""

    code = "submission-unknown"
    status = HTTPStatus.NOT_FOUND
    sentence = "There is no such submission."


class UnknownCellError(GraderError):
    """No such graded cell, or not one that people grade."""

    code = "cell-unknown"
    status = HTTPStatus.NOT_FOUND
    sentence = "There is no cell %(grade_id)s to grade in %(notebook)s."


class PointsOutOfRangeError(GraderError):
    """More points than the cell is worth, fewer than none, or no number."""

    code = "points-out-of-range"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "Points for this cell go from 0 to %(max_points)s."


class ChoiceUnknownError(GraderError):
    """A person chose a candidate that is not offered."""

    code = "choice-unknown"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sentence = "There is no such answer to choose; open the submission again."

"""Hand-ins, uploads, grading jobs, results, manual grades, released feedback."""

import sqlalchemy as sa
from alembic import op

revision = "g0001"
down_revision = None

_MOMENT = sa.DateTime(timezone=True)
_NAME = 128


def _create_submission() -> None:
    op.create_table(
        "submission",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("receipt_id", sa.String(32), nullable=False, unique=True),
        sa.Column("course", sa.String(_NAME), nullable=False),
        sa.Column("assignment", sa.String(_NAME), nullable=False),
        sa.Column("learner", sa.String(_NAME), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("announced", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("submitted_at", _MOMENT, nullable=False),
        sa.Column("accepted_at", _MOMENT, nullable=False),
        sa.Column("due_at", _MOMENT),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("seconds_late", sa.Float, nullable=False),
        sa.UniqueConstraint("course", "assignment", "learner", "attempt", name="submission_attempt"),
        sa.CheckConstraint("verdict IN ('on-time', 'late')", name="submission_verdict"),
        sa.CheckConstraint("attempt > 0", name="submission_attempt_positive"),
    )
    op.create_index("ix_submission_sha256", "submission", ["sha256"])


def _create_upload() -> None:
    op.create_table(
        "upload",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("course", sa.String(_NAME), nullable=False),
        sa.Column("assignment", sa.String(_NAME), nullable=False),
        sa.Column("learner", sa.String(_NAME), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("opened_at", _MOMENT, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("due_at", _MOMENT),
        sa.Column("grace_s", sa.Float, nullable=False),
        sa.Column("closes_at", _MOMENT),
        sa.Column("submission_id", sa.Integer, sa.ForeignKey("submission.id", ondelete="SET NULL")),
        sa.CheckConstraint("status IN ('open', 'accepted', 'refused', 'expired')", name="upload_status"),
    )
    op.create_index(
        "upload_open",
        "upload",
        ["course", "assignment", "learner", "sha256"],
        unique=True,
        sqlite_where=sa.text("status = 'open'"),
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index("ix_upload_submission_id", "upload", ["submission_id"])


def _create_grade_job() -> None:
    op.create_table(
        "grade_job",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("submission_id", sa.Integer, sa.ForeignKey("submission.id", ondelete="CASCADE"), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("requested_by", sa.String(_NAME), nullable=False),
        sa.Column("requested_at", _MOMENT, nullable=False),
        sa.Column("claimed_by", sa.String(200)),
        sa.Column("lease_until", _MOMENT),
        sa.Column("sandbox", sa.Text),
        sa.Column("started_at", _MOMENT),
        sa.Column("finished_at", _MOMENT),
        sa.Column("reason", sa.String(64)),
        sa.Column("detail", sa.Text),
        sa.Column("source_sha256", sa.String(64)),
        sa.Column("recorded_at", _MOMENT),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'graded', 'needs-person', 'failed', 'cancelled')", name="grade_job_status"
        ),
    )
    op.create_index(
        "grade_job_open",
        "grade_job",
        ["submission_id"],
        unique=True,
        sqlite_where=sa.text("status IN ('queued', 'running')"),
        postgresql_where=sa.text("status IN ('queued', 'running')"),
    )
    op.create_index("ix_grade_job_submission_id", "grade_job", ["submission_id"])
    op.create_index("ix_grade_job_status", "grade_job", ["status"])


def _create_cell_result() -> None:
    op.create_table(
        "cell_result",
        sa.Column("job_id", sa.Integer, sa.ForeignKey("grade_job.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("notebook", sa.String(_NAME), primary_key=True),
        sa.Column("grade_id", sa.String(_NAME), primary_key=True),
        sa.Column("max_points", sa.Float, nullable=False),
        sa.Column("points", sa.Float),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("answer_sha256", sa.String(64), nullable=False),
    )


def _create_cell_message() -> None:
    op.create_table(
        "cell_message",
        sa.Column("job_id", sa.Integer, sa.ForeignKey("grade_job.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("notebook", sa.String(_NAME), primary_key=True),
        sa.Column("grade_id", sa.String(_NAME), primary_key=True),
        sa.Column("message", sa.Text, nullable=False),
    )


def _create_job_note() -> None:
    op.create_table(
        "job_note",
        sa.Column("job_id", sa.Integer, sa.ForeignKey("grade_job.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("notebook", sa.String(_NAME), nullable=False),
        sa.Column("grade_id", sa.String(_NAME)),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("needs_person", sa.Boolean, nullable=False),
    )


def _create_cell_choice() -> None:
    op.create_table(
        "cell_choice",
        sa.Column("submission_id", sa.Integer, sa.ForeignKey("submission.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("notebook", sa.String(_NAME), primary_key=True),
        sa.Column("grade_id", sa.String(_NAME), primary_key=True),
        sa.Column("candidate", sa.Integer, nullable=False),
        sa.Column("chosen_by", sa.String(_NAME), nullable=False),
        sa.Column("chosen_at", _MOMENT, nullable=False),
    )


def _create_manual_grade() -> None:
    op.create_table(
        "manual_grade",
        sa.Column("course", sa.String(_NAME), primary_key=True),
        sa.Column("assignment", sa.String(_NAME), primary_key=True),
        sa.Column("learner", sa.String(_NAME), primary_key=True),
        sa.Column("notebook", sa.String(_NAME), primary_key=True),
        sa.Column("grade_id", sa.String(_NAME), primary_key=True),
        sa.Column("points", sa.Float),
        sa.Column("extra_credit", sa.Float),
        sa.Column("comment", sa.Text),
        sa.Column("answer_sha256", sa.String(64), nullable=False),
        sa.Column("graded_by", sa.String(_NAME), nullable=False),
        sa.Column("graded_at", _MOMENT, nullable=False),
    )


def _create_feedback_release() -> None:
    op.create_table(
        "feedback_release",
        sa.Column("course", sa.String(_NAME), primary_key=True),
        sa.Column("assignment", sa.String(_NAME), primary_key=True),
        sa.Column("learner", sa.String(_NAME), primary_key=True),
        sa.Column("job_id", sa.Integer, sa.ForeignKey("grade_job.id", ondelete="CASCADE"), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("max_score", sa.Float, nullable=False),
        sa.Column("released_by", sa.String(_NAME), nullable=False),
        sa.Column("released_at", _MOMENT, nullable=False),
    )
    op.create_index("ix_feedback_release_job_id", "feedback_release", ["job_id"])


def upgrade() -> None:
    """An empty database."""
    _create_submission()
    _create_upload()
    _create_grade_job()
    _create_cell_result()
    _create_cell_message()
    _create_job_note()
    _create_cell_choice()
    _create_manual_grade()
    _create_feedback_release()

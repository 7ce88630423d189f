"""The grader's tables as they are now; `grader/migrations` makes them, a test compares the two.

`status` and its kin hold the values of the enums in `grader.store.model`; the constraints repeat them, so that no process
of another version can write one nobody knows.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from hub.database import UtcDateTime

metadata = MetaData()

_NAME = 128  # nbgrader's own width for courses, assignments, students, notebooks and cells

submission = Table(
    "submission",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("receipt_id", String(32), nullable=False, unique=True),
    Column("course", String(_NAME), nullable=False),
    Column("assignment", String(_NAME), nullable=False),
    Column("learner", String(_NAME), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("announced", Integer, nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("size", Integer, nullable=False),
    Column("language", String(16), nullable=False),
    Column("submitted_at", UtcDateTime, nullable=False),
    Column("accepted_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime),
    Column("verdict", String(16), nullable=False),
    Column("seconds_late", Float, nullable=False),
    UniqueConstraint("course", "assignment", "learner", "attempt", name="submission_attempt"),
    CheckConstraint("verdict IN ('on-time', 'late')", name="submission_verdict"),
    CheckConstraint("attempt > 0", name="submission_attempt_positive"),
)

upload = Table(
    "upload",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("course", String(_NAME), nullable=False),
    Column("assignment", String(_NAME), nullable=False),
    Column("learner", String(_NAME), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("status", String(16), nullable=False),
    Column("due_at", UtcDateTime),
    Column("grace_s", Float, nullable=False),
    Column("closes_at", UtcDateTime),
    Column("submission_id", ForeignKey("submission.id", ondelete="SET NULL"), index=True),
    CheckConstraint("status IN ('open', 'accepted', 'refused', 'expired')", name="upload_status"),
    # One open upload per content: a panel that lost its upload finds it again, and two tabs fill the same one.
    Index(
        "upload_open",
        "course",
        "assignment",
        "learner",
        "sha256",
        unique=True,
        sqlite_where=text("status = 'open'"),
        postgresql_where=text("status = 'open'"),
    ),
)

grade_job = Table(
    "grade_job",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("submission_id", ForeignKey("submission.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("status", String(16), nullable=False, index=True),
    Column("priority", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("requested_by", String(_NAME), nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("claimed_by", String(200)),
    Column("lease_until", UtcDateTime),
    Column("sandbox", Text),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("reason", String(64)),
    Column("detail", Text),
    Column("source_sha256", String(64)),
    Column("recorded_at", UtcDateTime),
    Column("changes", Integer, nullable=False, server_default="0"),
    CheckConstraint(
        "status IN ('queued', 'running', 'graded', 'needs-person', 'failed', 'cancelled')", name="grade_job_status"
    ),
    Index(
        "grade_job_open",
        "submission_id",
        unique=True,
        sqlite_where=text("status IN ('queued', 'running')"),
        postgresql_where=text("status IN ('queued', 'running')"),
    ),
)

cell_result = Table(
    "cell_result",
    metadata,
    Column("job_id", ForeignKey("grade_job.id", ondelete="CASCADE"), primary_key=True),
    Column("notebook", String(_NAME), primary_key=True),
    Column("grade_id", String(_NAME), primary_key=True),
    Column("max_points", Float, nullable=False),
    Column("points", Float),
    Column("outcome", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("answer_sha256", String(64), nullable=False),
)

cell_message = Table(
    "cell_message",
    metadata,
    Column("job_id", ForeignKey("grade_job.id", ondelete="CASCADE"), primary_key=True),
    Column("notebook", String(_NAME), primary_key=True),
    Column("grade_id", String(_NAME), primary_key=True),
    Column("message", Text, nullable=False),
)

job_note = Table(
    "job_note",
    metadata,
    Column("job_id", ForeignKey("grade_job.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("notebook", String(_NAME), nullable=False),
    Column("grade_id", String(_NAME)),
    Column("code", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("needs_person", Boolean, nullable=False),
)

cell_choice = Table(
    "cell_choice",
    metadata,
    Column("submission_id", ForeignKey("submission.id", ondelete="CASCADE"), primary_key=True),
    Column("notebook", String(_NAME), primary_key=True),
    Column("grade_id", String(_NAME), primary_key=True),
    Column("candidate", Integer, nullable=False),
    Column("chosen_by", String(_NAME), nullable=False),
    Column("chosen_at", UtcDateTime, nullable=False),
)

manual_grade = Table(
    "manual_grade",
    metadata,
    Column("course", String(_NAME), primary_key=True),
    Column("assignment", String(_NAME), primary_key=True),
    Column("learner", String(_NAME), primary_key=True),
    Column("notebook", String(_NAME), primary_key=True),
    Column("grade_id", String(_NAME), primary_key=True),
    Column("points", Float),
    Column("extra_credit", Float),
    Column("comment", Text),
    Column("answer_sha256", String(64), nullable=False),
    Column("graded_by", String(_NAME), nullable=False),
    Column("graded_at", UtcDateTime, nullable=False),
)

feedback_release = Table(
    "feedback_release",
    metadata,
    Column("course", String(_NAME), primary_key=True),
    Column("assignment", String(_NAME), primary_key=True),
    Column("learner", String(_NAME), primary_key=True),
    Column("job_id", ForeignKey("grade_job.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("sha256", String(64), nullable=False),
    Column("score", Float, nullable=False),
    Column("max_score", Float, nullable=False),
    Column("released_by", String(_NAME), nullable=False),
    Column("released_at", UtcDateTime, nullable=False),
)

offer = Table(
    "offer",
    metadata,
    Column("course", String(_NAME), primary_key=True),
    Column("assignment", String(_NAME), primary_key=True),
    Column("cohorts", Text),
    Column("due_at", UtcDateTime),
    Column("grace_s", Float, nullable=False),
    Column("closes_at", UtcDateTime),
    Column("attempts", Integer),
    Column("late_percent", Float, nullable=False),
    Column("offered_by", String(_NAME), nullable=False),
    Column("offered_at", UtcDateTime, nullable=False),
    CheckConstraint("grace_s >= 0", name="offer_grace"),
    CheckConstraint("attempts IS NULL OR attempts > 0", name="offer_attempts"),
    CheckConstraint("late_percent >= 0 AND late_percent <= 100", name="offer_late_percent"),
)

extension = Table(
    "extension",
    metadata,
    Column("course", String(_NAME), primary_key=True),
    Column("assignment", String(_NAME), primary_key=True),
    Column("learner", String(_NAME), primary_key=True),
    Column("seconds", Float, nullable=False),
    Column("given_by", String(_NAME), nullable=False),
    Column("given_at", UtcDateTime, nullable=False),
)

learner = Table(
    "learner",
    metadata,
    Column("name", String(_NAME), primary_key=True),
    Column("display_name", String(200), nullable=False),
)

page_session = Table(
    "page_session",
    metadata,
    Column("id_sha256", String(64), primary_key=True),
    Column("person", String(_NAME), nullable=False),
    Column("hub_token", String(255), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)

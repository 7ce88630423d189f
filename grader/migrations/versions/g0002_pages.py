"""Offers of assignments, extensions, names of learners, signed-in browsers; marks that changed after they were recorded."""

import sqlalchemy as sa
from alembic import op

revision = "g0002"
down_revision = "g0001"

_MOMENT = sa.DateTime(timezone=True)
_NAME = 128


def upgrade() -> None:
    """Empty tables and a counter at 0."""
    op.add_column("grade_job", sa.Column("changes", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "offer",
        sa.Column("course", sa.String(_NAME), primary_key=True),
        sa.Column("assignment", sa.String(_NAME), primary_key=True),
        sa.Column("cohorts", sa.Text),
        sa.Column("due_at", _MOMENT),
        sa.Column("grace_s", sa.Float, nullable=False),
        sa.Column("closes_at", _MOMENT),
        sa.Column("attempts", sa.Integer),
        sa.Column("late_percent", sa.Float, nullable=False),
        sa.Column("offered_by", sa.String(_NAME), nullable=False),
        sa.Column("offered_at", _MOMENT, nullable=False),
        sa.CheckConstraint("grace_s >= 0", name="offer_grace"),
        sa.CheckConstraint("attempts IS NULL OR attempts > 0", name="offer_attempts"),
        sa.CheckConstraint("late_percent >= 0 AND late_percent <= 100", name="offer_late_percent"),
    )
    op.create_table(
        "extension",
        sa.Column("course", sa.String(_NAME), primary_key=True),
        sa.Column("assignment", sa.String(_NAME), primary_key=True),
        sa.Column("learner", sa.String(_NAME), primary_key=True),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("given_by", sa.String(_NAME), nullable=False),
        sa.Column("given_at", _MOMENT, nullable=False),
    )
    op.create_table(
        "learner",
        sa.Column("name", sa.String(_NAME), primary_key=True),
        sa.Column("display_name", sa.String(200), nullable=False),
    )
    op.create_table(
        "page_session",
        sa.Column("id_sha256", sa.String(64), primary_key=True),
        sa.Column("person", sa.String(_NAME), nullable=False),
        sa.Column("hub_token", sa.String(255), nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
    )
    op.create_index("ix_page_session_expires_at", "page_session", ["expires_at"])

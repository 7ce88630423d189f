"""People, cohorts, memberships, invitations, sign-in attempts, page sessions, uids."""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """An empty database."""
    op.create_table(
        "cohort",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("slug", sa.String(30), nullable=False, unique=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
    )
    op.create_table(
        "cohort_course",
        sa.Column("cohort_id", sa.Integer, sa.ForeignKey("cohort.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("course", sa.String(64), primary_key=True),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(30), nullable=False, unique=True),
        sa.Column("display_name", sa.String(100), nullable=False),
        sa.Column("language", sa.String(8)),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("operator", sa.Boolean, nullable=False),
        sa.Column("password_hash", sa.String(255)),
        sa.Column("credentials_version", sa.Integer, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("last_sign_in_at", _MOMENT),
    )
    op.create_table(
        "membership",
        sa.Column("person_id", sa.Integer, sa.ForeignKey("person.id", ondelete="CASCADE"), primary_key=True),
        sa.Column(
            "cohort_id", sa.Integer, sa.ForeignKey("cohort.id", ondelete="CASCADE"), primary_key=True, index=True
        ),
        sa.Column("role", sa.String(16), primary_key=True),
        sa.CheckConstraint("role IN ('administrator', 'instructor', 'learner')", name="membership_role"),
    )
    op.create_table(
        "uid_grant",
        # Rows outlive their person: files of a deleted person's uid may still lie somewhere, so it is never given again.
        sa.Column("uid", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("person_id", sa.Integer, sa.ForeignKey("person.id", ondelete="SET NULL"), unique=True),
        sa.Column("person_name", sa.String(30), nullable=False),
        sa.Column("granted_at", _MOMENT, nullable=False),
    )
    op.create_table(
        "invitation",
        sa.Column("token_sha256", sa.String(64), primary_key=True),
        sa.Column("person_id", sa.Integer, sa.ForeignKey("person.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("created_by_id", sa.Integer, sa.ForeignKey("person.id", ondelete="SET NULL")),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("used_at", _MOMENT),
        sa.CheckConstraint("kind IN ('invitation', 'reset')", name="invitation_kind"),
    )
    op.create_table(
        "sign_in_attempts",
        sa.Column("account", sa.String(32), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_at", _MOMENT, nullable=False),
    )
    op.create_table(
        "page_session",
        sa.Column("id_sha256", sa.String(64), primary_key=True),
        sa.Column("person_id", sa.Integer, sa.ForeignKey("person.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("hub_token", sa.String(255), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False, index=True),
    )

"""The roster's tables as they are now; `hub/migrations` makes them, a test compares the two."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Integer, MetaData, String, Table

from hub.database import UtcDateTime

metadata = MetaData()

cohort = Table(
    "cohort",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("slug", String(30), nullable=False, unique=True),
    Column("name", String(100), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

cohort_course = Table(
    "cohort_course",
    metadata,
    Column("cohort_id", Integer, ForeignKey("cohort.id", ondelete="CASCADE"), primary_key=True),
    Column("course", String(64), primary_key=True),
)

person = Table(
    "person",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(30), nullable=False, unique=True),
    Column("display_name", String(100), nullable=False),
    Column("language", String(8)),
    Column("active", Boolean, nullable=False),
    Column("operator", Boolean, nullable=False),
    Column("password_hash", String(255)),
    Column("credentials_version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_sign_in_at", UtcDateTime),
    Column("organisation", String(100)),
)

membership = Table(
    "membership",
    metadata,
    Column("person_id", Integer, ForeignKey("person.id", ondelete="CASCADE"), primary_key=True),
    Column("cohort_id", Integer, ForeignKey("cohort.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("role", String(16), primary_key=True),
    CheckConstraint("role IN ('administrator', 'instructor', 'learner')", name="membership_role"),
)

uid_grant = Table(
    "uid_grant",
    metadata,
    Column("uid", BigInteger, primary_key=True, autoincrement=False),
    Column("person_id", Integer, ForeignKey("person.id", ondelete="SET NULL"), unique=True),
    Column("person_name", String(30), nullable=False),
    Column("granted_at", UtcDateTime, nullable=False),
)

invitation = Table(
    "invitation",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("person_id", Integer, ForeignKey("person.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("created_by_id", Integer, ForeignKey("person.id", ondelete="SET NULL")),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
    CheckConstraint("kind IN ('invitation', 'reset')", name="invitation_kind"),
)

sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    Column("account", String(32), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
)

page_session = Table(
    "page_session",
    metadata,
    Column("id_sha256", String(64), primary_key=True),
    Column("person_id", Integer, ForeignKey("person.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("hub_token", String(255), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)

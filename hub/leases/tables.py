"""The tables of leases as they are now; `hub/migrations` makes them, a test compares the two.

People and cohorts are named, not referred to: what somebody used is still told when they have left the roster.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from hub.database import UtcDateTime

metadata = MetaData()

WHOLE = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts to 64 bits in every INTEGER, and makes only a key of that very name its row number."""

lease = Table(
    "lease",
    metadata,
    # Asks are numbered as they come, so rows are only ever added at the end: with a random key each commit would touch pages all over the table.
    Column("asked_order", WHOLE, primary_key=True, autoincrement=False),
    Column("id", String(32), nullable=False, unique=True),
    Column("key", String(128), nullable=False, unique=True),
    Column("session_kind", String(16), nullable=False),
    Column("session_name", String(128), nullable=False),
    Column("owner", String(128), nullable=False),
    Column("cohort", String(128), nullable=False),
    Column("organisation", String(128), nullable=False),
    Column("profile", String(128), nullable=False),
    Column("pool", String(128), nullable=False),
    Column("wait", Boolean, nullable=False),
    Column("patience_s", Integer),
    Column("demand", Text, nullable=False),
    Column("size_milli", WHOLE, nullable=False),
    Column("status", String(16), nullable=False),
    Column("overtaken", Integer, nullable=False),
    Column("placement", Text),
    Column("fence", WHOLE, unique=True),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("offered_at", UtcDateTime),
    Column("claim_by", UtcDateTime),
    Column("held_at", UtcDateTime),
    Column("seen_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("reason", String(16)),
    CheckConstraint("status IN ('waiting', 'offered', 'held', 'ended')", name="lease_status"),
    CheckConstraint("(status = 'ended') = (ended_at IS NOT NULL)", name="lease_ended_at"),
    CheckConstraint("(ended_at IS NULL) = (reason IS NULL)", name="lease_reason"),
    CheckConstraint("(held_at IS NULL) = (fence IS NULL)", name="lease_fence"),
    CheckConstraint("status <> 'held' OR (held_at IS NOT NULL AND placement IS NOT NULL)", name="lease_held"),
    CheckConstraint("status <> 'offered' OR (claim_by IS NOT NULL AND placement IS NOT NULL)", name="lease_offered"),
)
Index(
    "lease_live_session",
    lease.c.session_kind,
    lease.c.session_name,
    unique=True,
    sqlite_where=text("status <> 'ended'"),
    postgresql_where=text("status <> 'ended'"),
)
Index("lease_session", lease.c.session_kind, lease.c.session_name, lease.c.asked_order)
Index("lease_pool", lease.c.pool, lease.c.asked_order)
Index("lease_period", lease.c.ended_at)

allocator = Table(
    "allocator",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", WHOLE, nullable=False),
    Column("fence", WHOLE, nullable=False),
    Column("asked_order", WHOLE, nullable=False),
    Column("clock_at", UtcDateTime),
    CheckConstraint("id = 1", name="allocator_is_one"),
)

quota = Table(
    "quota",
    metadata,
    Column("cohort", String(128), primary_key=True),
    Column("pool", String(128), primary_key=True),
    Column("cohort_milli", WHOLE),
    Column("learner_milli", WHOLE),
    Column("guaranteed_milli", WHOLE, nullable=False),
    Column("borrow_milli", WHOLE),
    Column("weight", Integer, nullable=False),
    CheckConstraint("cohort_milli >= 0", name="quota_cohort"),
    CheckConstraint("learner_milli >= 0", name="quota_learner"),
    CheckConstraint("guaranteed_milli >= 0", name="quota_guaranteed"),
    CheckConstraint("borrow_milli >= 0", name="quota_borrow"),
    CheckConstraint("weight >= 1", name="quota_weight"),
)

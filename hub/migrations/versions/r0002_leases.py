"""Leases, quotas, the allocator's counters; the organisation a person is sent by."""

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"

_MOMENT = sa.DateTime(timezone=True)
_WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_LIVE = sa.text("status <> 'ended'")


def upgrade() -> None:
    """No lease yet; nobody's organisation is known."""
    op.add_column("person", sa.Column("organisation", sa.String(100)))
    _make_leases()
    allocator = op.create_table(
        "allocator",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", _WHOLE, nullable=False),
        sa.Column("fence", _WHOLE, nullable=False),
        sa.Column("asked_order", _WHOLE, nullable=False),
        sa.Column("clock_at", _MOMENT),
        sa.CheckConstraint("id = 1", name="allocator_is_one"),
    )
    op.bulk_insert(allocator, [{"id": 1, "epoch": 0, "fence": 0, "asked_order": 0}])
    op.create_table(
        "quota",
        sa.Column("cohort", sa.String(128), primary_key=True),
        sa.Column("pool", sa.String(128), primary_key=True),
        sa.Column("cohort_milli", _WHOLE),
        sa.Column("learner_milli", _WHOLE),
        sa.Column("guaranteed_milli", _WHOLE, nullable=False),
        sa.Column("borrow_milli", _WHOLE),
        sa.Column("weight", sa.Integer, nullable=False),
        sa.CheckConstraint("cohort_milli >= 0", name="quota_cohort"),
        sa.CheckConstraint("learner_milli >= 0", name="quota_learner"),
        sa.CheckConstraint("guaranteed_milli >= 0", name="quota_guaranteed"),
        sa.CheckConstraint("borrow_milli >= 0", name="quota_borrow"),
        sa.CheckConstraint("weight >= 1", name="quota_weight"),
    )


def _make_leases() -> None:
    op.create_table(
        "lease",
        sa.Column("asked_order", _WHOLE, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("key", sa.String(128), nullable=False, unique=True),
        sa.Column("session_kind", sa.String(16), nullable=False),
        sa.Column("session_name", sa.String(128), nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("cohort", sa.String(128), nullable=False),
        sa.Column("organisation", sa.String(128), nullable=False),
        sa.Column("profile", sa.String(128), nullable=False),
        sa.Column("pool", sa.String(128), nullable=False),
        sa.Column("wait", sa.Boolean, nullable=False),
        sa.Column("patience_s", sa.Integer),
        sa.Column("demand", sa.Text, nullable=False),
        sa.Column("size_milli", _WHOLE, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("overtaken", sa.Integer, nullable=False),
        sa.Column("placement", sa.Text),
        sa.Column("fence", _WHOLE, unique=True),
        sa.Column("asked_at", _MOMENT, nullable=False),
        sa.Column("offered_at", _MOMENT),
        sa.Column("claim_by", _MOMENT),
        sa.Column("held_at", _MOMENT),
        sa.Column("seen_at", _MOMENT),
        sa.Column("ended_at", _MOMENT),
        sa.Column("reason", sa.String(16)),
        sa.CheckConstraint("status IN ('waiting', 'offered', 'held', 'ended')", name="lease_status"),
        sa.CheckConstraint("(status = 'ended') = (ended_at IS NOT NULL)", name="lease_ended_at"),
        sa.CheckConstraint("(ended_at IS NULL) = (reason IS NULL)", name="lease_reason"),
        sa.CheckConstraint("(held_at IS NULL) = (fence IS NULL)", name="lease_fence"),
        sa.CheckConstraint("status <> 'held' OR (held_at IS NOT NULL AND placement IS NOT NULL)", name="lease_held"),
        sa.CheckConstraint(
            "status <> 'offered' OR (claim_by IS NOT NULL AND placement IS NOT NULL)", name="lease_offered"
        ),
    )
    op.create_index(
        "lease_live_session",
        "lease",
        ["session_kind", "session_name"],
        unique=True,
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )
    op.create_index("lease_session", "lease", ["session_kind", "session_name", "asked_order"])
    op.create_index("lease_pool", "lease", ["pool", "asked_order"])
    op.create_index("lease_period", "lease", ["ended_at"])

"""Which alerts hold, so that each is told once, whatever process looks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"


def upgrade(schema: str) -> None:
    op.create_table(
        "alerts",
        sa.Column(
            "scope", sa.Text, primary_key=True, comment="What was looked at: cluster, served, or pipeline and its name"
        ),
        sa.Column("digest", sa.LargeBinary, primary_key=True, comment="SHA-256 of the name and the labels"),
        sa.Column("name", sa.Text, nullable=False, comment="What kind of alert it is"),
        sa.Column("labels", postgresql.JSONB, nullable=False, comment="The pipeline or the node"),
        sa.Column("severity", sa.Text, nullable=False, comment="critical or warning"),
        sa.Column("message", sa.Text, nullable=False, comment="What is wrong, as it was last seen"),
        sa.Column("remedy", sa.Text, nullable=False, comment="What to do"),
        _time("since", "Since when it holds", nullable=False),
        _time("fired_at", "When it was told; null: it does not hold for long enough yet"),
        _time("quiet_since", "Since when it does not hold, before it resolves; null: it holds"),
        schema=schema,
        comment="Alerts that hold; rows may be deleted at will, and are told again where they still hold",
    )


def downgrade(schema: str) -> None:
    op.drop_table("alerts", schema=schema)


def _time(name: str, comment: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, comment=comment)

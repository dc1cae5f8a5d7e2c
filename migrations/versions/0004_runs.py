"""The history of runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"


def upgrade(schema: str) -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Order among the runs"),
        sa.Column("pipeline", sa.Text, nullable=False, comment="Name of the pipeline in the configuration"),
        sa.Column("job", sa.Text, nullable=False, comment="What was run: backfill, verify, retention, prune, …"),
        sa.Column("schedule", sa.Text, comment="What it was due by: cron expression and zone; null: run by hand"),
        _time("due_at", "When it was due; null: run by hand"),
        _time("started_at", "When it began", nullable=False),
        _time("finished_at", "When it ended, or was found to have ended"),
        sa.Column(
            "outcome",
            sa.Text,
            nullable=False,
            comment="running, done, remainder: differences or rejections remain, failed, skipped, interrupted",
        ),
        sa.Column("detail", postgresql.JSONB, nullable=False, comment="What was found or done, or the error"),
        sa.Column("host", sa.Text, nullable=False, comment="Machine of the process"),
        sa.Column("pid", sa.Integer, nullable=False, comment="The process"),
        schema=schema,
        comment="What was run for pipelines, by schedule or by hand; rows may be deleted at will",
    )
    op.create_index("runs_newest", "runs", ["pipeline", "job", "id"], schema=schema)


def downgrade(schema: str) -> None:
    op.drop_table("runs", schema=schema)


def _time(name: str, comment: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, comment=comment)

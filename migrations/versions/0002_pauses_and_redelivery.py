"""Verifications, reconciles, pauses, and dead letters that are delivered again by themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.sql.elements import quoted_name

revision = "0002"
down_revision = "0001"


def upgrade(schema: str) -> None:
    schema = _whole(schema)
    for column in (
        _time("verified_at", "When the index was last found equal to the table"),
        _time("reconcile", "When the table was truncated; null: the index was compared with it since"),
    ):
        op.add_column("indices", column, schema=schema)
    op.add_column(
        "dead_letters",
        _time("retry_at", "When the row is delivered again by itself; null: the cause does not pass"),
        schema=schema,
    )
    op.create_table(
        "pauses",
        sa.Column("pipeline", sa.Text, primary_key=True, comment="Name of the pipeline in the configuration"),
        _time("since", "When it was paused", nullable=False),
        schema=schema,
        comment="Pipelines that are not polled; deleting a row resumes its pipeline",
    )


def downgrade(schema: str) -> None:
    schema = _whole(schema)
    op.drop_table("pauses", schema=schema)
    op.drop_column("dead_letters", "retry_at", schema=schema)
    for name in ("reconcile", "verified_at"):
        op.drop_column("indices", name, schema=schema)


def _whole(schema: str) -> str:
    # Else ALTER TABLE would take a dot in the name for the end of a database's name.
    return quoted_name(schema, quote=True)


def _time(name: str, comment: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, comment=comment)

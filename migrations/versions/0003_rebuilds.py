"""Several indices of a pipeline: one that is followed, one that is built, and those that are kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import quoted_name

revision = "0003"
down_revision = "0002"


def upgrade(schema: str) -> None:
    schema = _whole(schema)
    for column in (
        sa.Column(
            "definition",
            postgresql.JSONB,
            nullable=False,
            server_default=sa.text("'{}'"),
            comment="What the fingerprint is of, by part",
        ),
        sa.Column(
            "filling",
            sa.Boolean,
            nullable=False,
            server_default=sa.text("false"),
            comment="Fields were added in place, and a backfill has still to fill them",
        ),
        sa.Column(
            "superseded",
            postgresql.JSONB,
            nullable=False,
            server_default=sa.text("'[]'"),
            comment="Signatures of the configurations that this one has replaced",
        ),
        sa.Column("kept_since", sa.DateTime(timezone=True), comment="Since when it is kept to be rolled back to"),
    ):
        op.add_column("indices", column, schema=schema)
    op.alter_column(
        "indices",
        "phase",
        schema=schema,
        comment="new: named; loading: created, rows are delivered; loaded: polled; ready: equal to the table; "
        "publishing: the alias is being pointed to it; live; kept: was live, can be rolled back to; deleting: given up",
    )
    op.create_index(
        "indices_building",
        "indices",
        ["pipeline"],
        unique=True,
        schema=schema,
        postgresql_where=sa.text("NOT followed AND phase NOT IN ('kept', 'deleting')"),
    )


def downgrade(schema: str) -> None:
    schema = _whole(schema)
    op.drop_index("indices_building", "indices", schema=schema)
    for name in ("kept_since", "superseded", "filling", "definition"):
        op.drop_column("indices", name, schema=schema)


def _whole(schema: str) -> str:
    # Else ALTER TABLE would take a dot in the name for the end of a database's name.
    return quoted_name(schema, quote=True)

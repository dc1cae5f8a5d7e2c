"""Why documents are put off."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.sql.elements import quoted_name

revision = "0005"
down_revision = "0004"


def upgrade(schema: str) -> None:
    schema = _whole(schema)
    for column in (
        sa.Column(
            "deferred",
            sa.BigInteger,
            nullable=False,
            server_default=sa.text("0"),
            comment="How many documents the last poll has put off, to be sent again",
        ),
        sa.Column("deferred_reason", sa.Text, comment="Why one of them was put off"),
    ):
        op.add_column("checkpoints", column, schema=schema)


def downgrade(schema: str) -> None:
    schema = _whole(schema)
    for name in ("deferred_reason", "deferred"):
        op.drop_column("checkpoints", name, schema=schema)


def _whole(schema: str) -> str:
    # Else ALTER TABLE would take a dot in the name for the end of a database's name.
    return quoted_name(schema, quote=True)

"""Documents of related rows that are still to be refreshed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.elements import quoted_name

revision = "0006"
down_revision = "0005"

_KEY = ARRAY(sa.Text)


def upgrade(schema: str) -> None:
    schema = _whole(schema)
    indices = sa.Table("indices", sa.MetaData(), sa.Column("name", sa.Text), schema=schema)
    of_index = sa.ForeignKey(indices.c.name, ondelete="CASCADE")
    op.create_table(
        "fan_outs",
        sa.Column("index", sa.Text, of_index, primary_key=True, comment="Index whose documents they are"),
        sa.Column("digest", sa.LargeBinary, primary_key=True, comment="SHA-256 of way and reached_by"),
        sa.Column("way", sa.Text, nullable=False, comment="From documents to the related row's table"),
        sa.Column("reached_by", _KEY, nullable=False, comment="Values of the related row that the documents refer to"),
        sa.Column("after", _KEY, comment="Documents behind this key are left; null: from the first one on"),
        sa.Column("through", _KEY, comment="Up to and with this key; null: to the last one"),
        sa.Column("again", _KEY, comment="And then from the first one up to and with this key; null: that is all"),
        sa.Column(
            "waits_since",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When its last portion was delivered, or when it began",
        ),
        schema=schema,
        comment="Changes of related rows that are part of many documents, refreshed a portion at a time",
    )


def downgrade(schema: str) -> None:
    op.drop_table("fan_outs", schema=_whole(schema))


def _whole(schema: str) -> str:
    # Else a dot in the name would be taken for the end of a database's name.
    return quoted_name(schema, quote=True)

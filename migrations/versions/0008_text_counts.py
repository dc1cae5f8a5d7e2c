"""What became of the texts of an index: how many were embedded, had their vector cached, or were cut."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.sql.elements import quoted_name

revision = "0008"
down_revision = "0007"

COMMENTS = {
    "texts_embedded": "Texts that the model made vectors of",
    "texts_cached": "Texts whose vector was in the cache",
    "texts_truncated": "Of those embedded, the texts whose end it did not read",
}


def upgrade(schema: str) -> None:
    for name, comment in COMMENTS.items():
        column = sa.Column(name, sa.BigInteger, nullable=False, server_default="0", comment=comment)
        op.add_column("indices", column, schema=_whole(schema))


def downgrade(schema: str) -> None:
    for name in COMMENTS:
        op.drop_column("indices", name, schema=_whole(schema))


def _whole(schema: str) -> str:
    # Else ALTER TABLE would take a dot in the name for the end of a database's name.
    return quoted_name(schema, quote=True)

"""Comparisons that a TRUNCATE asks for, told from others: they alone may delete however much."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.sql.elements import quoted_name

revision = "0007"
down_revision = "0006"


def upgrade(schema: str) -> None:
    schema = _whole(schema)
    indices = _indices(schema)
    column = sa.Column(
        "truncated",
        sa.DateTime(timezone=True),
        comment="When a table was truncated, so that documents without row go, however many; null: as reconcile",
    )
    op.add_column("indices", column, schema=schema)
    op.alter_column(
        "indices",
        "reconcile",
        schema=schema,
        comment="When a table was truncated, or began to be followed anew; null: the index was compared with it since",
    )
    # Until now nothing but a TRUNCATE asked.
    op.execute(indices.update().values(truncated=indices.c.reconcile))


def downgrade(schema: str) -> None:
    schema = _whole(schema)
    indices = _indices(schema)
    # Else all that is asked for would be a TRUNCATE.
    untold = indices.update().where(indices.c.reconcile.is_not(None), indices.c.truncated.is_(None))
    op.execute(untold.values(reconcile=None, verify_needed="a table began to be followed anew"))
    op.alter_column(
        "indices",
        "reconcile",
        schema=schema,
        comment="When the table was truncated; null: the index was compared with it since",
    )
    op.drop_column("indices", "truncated", schema=schema)


def _indices(schema: str) -> sa.TableClause:
    return sa.table("indices", *map(sa.column, ("reconcile", "truncated", "verify_needed")), schema=schema)


def _whole(schema: str) -> str:
    # Else ALTER TABLE would take a dot in the name for the end of a database's name.
    return quoted_name(schema, quote=True)

"""The state schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateSequence, DropSequence

revision = "0001"
down_revision = None


def upgrade(schema: str) -> None:
    version = sa.Sequence("version", schema=schema, data_type=sa.BigInteger, cache=1)
    op.execute(CreateSequence(version))
    indices = _create_indices(schema)
    _create_checkpoints(schema, indices)
    _create_dead_letters(schema, indices)
    _create_backfill_ranges(schema, indices)
    _create_embeddings(schema)


def downgrade(schema: str) -> None:
    for table in ("embeddings", "backfill_ranges", "dead_letters", "checkpoints", "indices"):
        op.drop_table(table, schema=schema)
    op.execute(DropSequence(sa.Sequence("version", schema=schema)))


def _create_indices(schema: str) -> sa.Table:
    indices = op.create_table(
        "indices",
        sa.Column("name", sa.Text, primary_key=True, comment="Name of the physical index in Elasticsearch"),
        sa.Column("pipeline", sa.Text, nullable=False, comment="Name of the pipeline in the configuration"),
        sa.Column("alias", sa.Text, nullable=False, comment="Alias that searches use"),
        _flag("followed", "The daemon keeps this index equal to the table; of one pipeline no other", default="true"),
        sa.Column("phase", sa.Text, nullable=False, comment="new: named; loading: created, first load runs; live"),
        sa.Column("epoch", sa.BigInteger, nullable=False, comment="Counts the holders of the lease; fences commits"),
        _json("fingerprint", "Digests of what the index was built from, by part", nullable=False),
        _json("identity", "UUID of the index and history UUID of each shard, for which the checkpoints were made"),
        _json("source", "Source server and its life at the last start: system identifier, start, timeline"),
        sa.Column("verify_needed", sa.Text, comment="Why the index should be compared with the table"),
        _time("created_at", "When this row was made", default="now()"),
        schema=schema,
        comment="Physical indices that syncer writes to",
    )
    op.create_index(
        "indices_followed",
        "indices",
        ["pipeline"],
        unique=True,
        schema=schema,
        postgresql_where=sa.text("followed"),
    )
    return indices


def _create_checkpoints(schema: str, indices: sa.Table) -> None:
    op.create_table(
        "checkpoints",
        _index(indices),
        sa.Column("feed", sa.Text, primary_key=True, comment="Table that says which keys changed"),
        _time("watermark", "All below is in the index for good; null: nothing is", nullable=True),
        _key("key", "Of rows with this very watermark: up to this key"),
        _time("polled_at", "Clock of the source at the poll that got there"),
        _flag("complete", "That poll had read to the end of the feed"),
        _time("committed_at", "When this row was last changed", default="now()"),
        schema=schema,
        comment="How far each index is; deleting a row makes syncer read its feed from the start",
    )


def _create_dead_letters(schema: str, indices: sa.Table) -> None:
    op.create_table(
        "dead_letters",
        _index(indices),
        sa.Column("digest", postgresql.BYTEA, primary_key=True, comment="SHA-256 of the key, which may be too long"),
        _key("key", "Key of the row in the source", nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False, comment="Number of the write that was refused"),
        sa.Column("kind", sa.Text, nullable=False, comment="Type of the error"),
        sa.Column("reason", sa.Text, nullable=False, comment="What Elasticsearch, or Postgres, said"),
        sa.Column("attempts", sa.Integer, nullable=False, comment="How often the row was refused"),
        _time("first_at", "First attempt"),
        _time("last_at", "Last attempt"),
        schema=schema,
        comment="Rows that cannot be indexed as they are; a later good write of the row closes its letter",
    )


def _create_backfill_ranges(schema: str, indices: sa.Table) -> None:
    op.create_table(
        "backfill_ranges",
        _index(indices),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False, comment="Order among the ranges"),
        _key("after", "Only keys above this one; null: no bound"),
        _key("through", "Only keys up to and with this one; null: no bound"),
        sa.Column("rows", sa.BigInteger, nullable=False, comment="How many there were when it was planned"),
        _key("position", "Settled up to and with this key; null: none is"),
        _json("in_flight", "Keys sent from above the position", nullable=False),
        sa.Column("settled_rows", sa.BigInteger, nullable=False, comment="Rows settled"),
        _flag("done", "All of the range is settled"),
        schema=schema,
        comment="Pieces of unfinished backfills, so that a killed one goes on where it was",
    )


def _create_embeddings(schema: str) -> None:
    op.create_table(
        "embeddings",
        sa.Column("model", sa.Text, primary_key=True, comment="Model, revision, backend and quantisation"),
        sa.Column("digest", postgresql.BYTEA, primary_key=True, comment="SHA-256 of the text"),
        sa.Column("vector", postgresql.BYTEA, nullable=False, comment="32-bit floats, little-endian"),
        _time("used_at", "When it was last wanted, give or take a day"),
        schema=schema,
        comment="Vectors by text, so that no text is embedded twice; rows may be deleted at will",
    )
    # Floats do not compress: trying costs time on every row above 2 kB.
    quoted = schema.replace('"', '""').replace(":", r"\:")
    op.execute(f'ALTER TABLE "{quoted}".embeddings ALTER COLUMN vector SET STORAGE EXTERNAL')


def _index(indices: sa.Table) -> sa.Column[str]:
    name = sa.ForeignKey(indices.c.name, ondelete="CASCADE")
    return sa.Column("index", sa.Text, name, primary_key=True, comment="Name of the physical index")


def _key(name: str, comment: str, *, nullable: bool = True) -> sa.Column[list[str]]:
    return sa.Column(name, postgresql.ARRAY(sa.Text), nullable=nullable, comment=comment)


def _json(name: str, comment: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, postgresql.JSONB, nullable=nullable, comment=comment)


def _flag(name: str, comment: str, *, default: str | None = None) -> sa.Column[bool]:
    server_default = default and sa.text(default)
    return sa.Column(name, sa.Boolean, nullable=False, server_default=server_default, comment=comment)


def _time(name: str, comment: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[object]:
    server_default = default and sa.text(default)
    return sa.Column(
        name, sa.DateTime(timezone=True), nullable=nullable, server_default=server_default, comment=comment
    )

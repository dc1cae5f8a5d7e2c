"""The tables of the state schema, as the code uses them; `migrations` creates and comments them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

#: In the source database, in a schema of the same name: made with the triggers that fill it, not by `migrations`.
TOMBSTONES = "tombstones"

_TIME = DateTime(timezone=True)
_KEY = ARRAY(Text)


def qualified(*names: str) -> str:
    """Return a name as SQL writes it, each part quoted: with its schema before it, or alone."""
    return ".".join('"{}"'.format(part.replace('"', '""')) for part in names)


def digest(texts: Sequence[str]) -> bytes:
    """Return what stands for texts in a primary key: a B-tree refuses entries above 2.7 kB."""
    return hashlib.sha256("\0".join(texts).encode()).digest()


class Tables:
    """The tables in a schema of this name."""

    def __init__(self, schema: str) -> None:
        self.metadata = MetaData(schema=schema)
        self.indices = Table(
            "indices",
            self.metadata,
            Column("name", Text, primary_key=True),
            Column("pipeline", Text, nullable=False),
            Column("alias", Text, nullable=False),
            Column("followed", Boolean, nullable=False),
            Column("phase", Text, nullable=False),
            Column("epoch", BigInteger, nullable=False),
            Column("fingerprint", JSONB, nullable=False),
            Column("identity", JSONB(none_as_null=True)),
            Column("source", JSONB(none_as_null=True)),
            Column("verify_needed", Text),
            Column("verified_at", _TIME),
            Column("reconcile", _TIME),
            Column("truncated", _TIME),
            Column("definition", JSONB, nullable=False),
            Column("filling", Boolean, nullable=False),
            Column("superseded", JSONB, nullable=False),
            Column("texts_embedded", BigInteger, nullable=False),
            Column("texts_cached", BigInteger, nullable=False),
            Column("texts_truncated", BigInteger, nullable=False),
            Column("kept_since", _TIME),
            Column("created_at", _TIME, nullable=False),
        )
        of = self.indices.c
        building = ~of.followed & of.phase.not_in(["kept", "deleting"])
        Index("indices_followed", of.pipeline, unique=True, postgresql_where=of.followed)
        Index("indices_building", of.pipeline, unique=True, postgresql_where=building)
        self.checkpoints = Table(
            "checkpoints",
            self.metadata,
            self._index(),
            Column("feed", Text, primary_key=True),
            Column("watermark", _TIME),
            Column("key", _KEY),
            Column("polled_at", _TIME, nullable=False),
            Column("complete", Boolean, nullable=False),
            Column("committed_at", _TIME, nullable=False),
            Column("deferred", BigInteger, nullable=False),
            Column("deferred_reason", Text),
        )
        self.dead_letters = Table(
            "dead_letters",
            self.metadata,
            self._index(),
            Column("digest", LargeBinary, primary_key=True),
            Column("key", _KEY, nullable=False),
            Column("version", BigInteger, nullable=False),
            Column("kind", Text, nullable=False),
            Column("reason", Text, nullable=False),
            Column("attempts", Integer, nullable=False),
            Column("first_at", _TIME, nullable=False),
            Column("last_at", _TIME, nullable=False),
            Column("retry_at", _TIME),
        )
        self.fan_outs = Table(
            "fan_outs",
            self.metadata,
            self._index(),
            Column("digest", LargeBinary, primary_key=True),
            Column("way", Text, nullable=False),
            Column("reached_by", _KEY, nullable=False),
            Column("after", _KEY),
            Column("through", _KEY),
            Column("again", _KEY),
            Column("waits_since", _TIME, nullable=False),
        )
        self.backfill_ranges = Table(
            "backfill_ranges",
            self.metadata,
            self._index(),
            Column("number", Integer, primary_key=True),
            Column("after", _KEY),
            Column("through", _KEY),
            Column("rows", BigInteger, nullable=False),
            Column("position", _KEY),
            Column("in_flight", JSONB, nullable=False),
            Column("settled_rows", BigInteger, nullable=False),
            Column("done", Boolean, nullable=False),
        )
        self.pauses = Table(
            "pauses",
            self.metadata,
            Column("pipeline", Text, primary_key=True),
            Column("since", _TIME, nullable=False),
        )
        self.embeddings = Table(
            "embeddings",
            self.metadata,
            Column("model", Text, primary_key=True),
            Column("digest", LargeBinary, primary_key=True),
            Column("vector", LargeBinary, nullable=False),
            Column("used_at", _TIME, nullable=False),
        )
        self.runs = Table(
            "runs",
            self.metadata,
            Column("id", BigInteger, Identity(always=True), primary_key=True),
            Column("pipeline", Text, nullable=False),
            Column("job", Text, nullable=False),
            Column("schedule", Text),
            Column("due_at", _TIME),
            Column("started_at", _TIME, nullable=False),
            Column("finished_at", _TIME),
            Column("outcome", Text, nullable=False),
            Column("detail", JSONB, nullable=False),
            Column("host", Text, nullable=False),
            Column("pid", Integer, nullable=False),
        )
        Index("runs_newest", self.runs.c.pipeline, self.runs.c.job, self.runs.c.id)
        self.alerts = Table(
            "alerts",
            self.metadata,
            Column("scope", Text, primary_key=True),
            Column("digest", LargeBinary, primary_key=True),
            Column("name", Text, nullable=False),
            Column("labels", JSONB, nullable=False),
            Column("severity", Text, nullable=False),
            Column("message", Text, nullable=False),
            Column("remedy", Text, nullable=False),
            Column("since", _TIME, nullable=False),
            Column("fired_at", _TIME),
            Column("quiet_since", _TIME),
        )

    def _index(self) -> Column[str]:
        return Column("index", Text, ForeignKey(self.indices.c.name, ondelete="CASCADE"), primary_key=True)

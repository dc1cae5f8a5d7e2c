"""Vectors by text, in the state schema."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg import Cursor
from psycopg.pq import Format
from sqlalchemy import (
    BigInteger,
    Connection,
    Float,
    Text,
    any_,
    bindparam,
    delete,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from syncer.adapters.postgres.session import STATE_SETTINGS, Session
from syncer.adapters.postgres.tables import Tables, qualified
from syncer.core.error import StateUnavailable

#: A vector that is used is marked no more often than this.
_MARKED_FOR = timedelta(days=1)

#: What is read to find out how much is stored.
_SAMPLE_BYTES = 64 * 2**20

#: What a crash of the server takes back is embedded again: not worth waiting for the disk.
_SETTINGS = {**STATE_SETTINGS, "synchronous_commit": "off"}


class PostgresVectorCache:
    """Implements `VectorCache`, on a session of its own. Safe for several threads. Vectors are bytes, no more.

    `used_at` says when a vector was last wanted, give or take a day: the way to tell which ones may be deleted.
    """

    def __init__(self, url: str, schema: str, *, setting: str = "state.url") -> None:
        self._lock = threading.Lock()
        self._session = Session(
            url, setting=setting, settings=_SETTINGS, unavailable=StateUnavailable, on_connect=_read_binary
        )
        table = self._table = Tables(schema).embeddings
        self._name = qualified(schema, table.name)
        of_model = bindparam("of_model", type_=Text)
        digest = func.unnest(_many("digests")).column_valued("digest")
        digests = func.array(select(func.decode(digest, "hex")).scalar_subquery())
        wanted = (table.c.model == of_model) & (table.c.digest == any_(digests))
        old = table.c.used_at < func.now() - literal(_MARKED_FOR)
        self._get = select(table.c.digest, table.c.vector, old).where(wanted)
        # Two that mark the same rows in another order would deadlock: whoever comes second leaves them alone.
        free = select(table.c.digest).where(wanted, old).with_for_update(skip_locked=True)
        of_free = (table.c.model == of_model) & table.c.digest.in_(free)
        self._mark = update(table).where(of_free).values(used_at=func.now())
        given = func.unnest(_many("digests"), _many("vectors")).table_valued("digest", "vector").render_derived()
        rows = select(of_model, func.decode(given.c.digest, "hex"), func.decode(given.c.vector, "hex"), func.now())
        self._put = insert(table).from_select(["model", "digest", "vector", "used_at"], rows).on_conflict_do_nothing()

    def close(self) -> None:
        """Disconnect; the next call connects again."""
        with self._lock:
            self._session.close()

    def get(self, fingerprint: str, digests: Sequence[bytes]) -> Mapping[bytes, bytes]:
        if not digests:
            return {}
        with self._lock, self._session.use() as connection:
            wanted = {"of_model": fingerprint, "digests": _joined(digests)}
            # Not through SQLAlchemy's rows, which would take as long as all the rest.
            rows = connection.execute(self._get, wanted).cursor.fetchall()
            unmarked = [digest for digest, _, old in rows if old]
            if unmarked:
                connection.execute(self._mark, {"of_model": fingerprint, "digests": _joined(unmarked)})
        return {digest: vector for digest, vector, _ in rows}

    def touch(self, fingerprint: str, digests: Sequence[bytes]) -> None:
        if not digests:
            return
        with self._lock, self._session.use() as connection:
            connection.execute(self._mark, {"of_model": fingerprint, "digests": _joined(digests)})

    def put(self, fingerprint: str, vectors: Mapping[bytes, bytes]) -> None:
        if not vectors:
            return
        # In order, for the same reason as above: an insert waits for another one of the same key.
        digests = sorted(vectors)
        given = {"digests": _joined(digests), "vectors": _joined(vectors[digest] for digest in digests)}
        with self._lock, self._session.use() as connection:
            connection.execute(self._put, {"of_model": fingerprint, **given})

    def exceeded_before(self, most: int) -> datetime | None:
        """Return a time such that vectors wanted since take up to so many bytes, and a minute's more; None: all do.

        Of a large table an estimate: a part of its pages is read, about `_SAMPLE_BYTES`.
        """
        sample = self._table.tablesample(func.system(bindparam("percent", type_=Float)))
        minute = func.date_trunc("minute", sample.c.used_at).label("minute")
        size = func.sum(func.sum(func.octet_length(sample.c.vector))).over(order_by=minute.desc()).label("size")
        newest = select(minute, size).group_by(minute).subquery("newest")
        exceeded = select(func.max(newest.c.minute)).where(newest.c.size > bindparam("most", type_=BigInteger))
        with self._lock, self._session.use() as connection:
            stored = connection.execute(select(func.pg_relation_size(self._name))).scalar_one()
            part = min(1.0, _SAMPLE_BYTES / max(1, stored))
            found: datetime | None = connection.scalar(exceeded, {"percent": 100 * part, "most": int(most * part)})
            return found

    def prune(self, before: datetime, rows: int) -> int:
        """Delete up to so many vectors that were last wanted before then, of any model; return how many."""
        table = self._table
        # One that is being marked is wanted.
        old = select(table.c.model, table.c.digest).where(table.c.used_at < before).limit(rows)
        doomed = old.with_for_update(skip_locked=True)
        with self._lock, self._session.use() as connection:
            return connection.execute(delete(table).where(tuple_(table.c.model, table.c.digest).in_(doomed))).rowcount


class _BinaryCursor(Cursor[Any]):
    """Asks for results in binary: as text, bytes are twice as long and take twice the time to read."""

    def __init__(self, connection: Any, **options: Any) -> None:
        super().__init__(connection, **options)
        self.format = Format.BINARY


def _read_binary(connection: Connection) -> None:
    driver: Any = connection.connection.driver_connection
    driver.cursor_factory = _BinaryCursor


def _many(name: str) -> Any:
    """Return an array that is sent as one text: the driver takes far longer to write arrays of bytes."""
    return func.string_to_array(bindparam(name, type_=Text), ",")


def _joined(many: Iterable[bytes]) -> str:
    return ",".join(map(bytes.hex, many))

"""Checkpoints and dead letters as rows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Connection, LargeBinary, Row, any_, case, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from syncer.adapters.postgres.tables import Tables
from syncer.core.key import Key
from syncer.core.position import BEGINNING, Position
from syncer.core.settlement import Checkpoint, DeadLetter, Settlement

#: Elasticsearch quotes the value that it refused.
_REASON_CHARACTERS_MAX = 4_000


class SettlementStore:
    """Reads and writes what settlements leave behind, on any connection.

    Who changes the dead letters of an index locks the index's row first, so that two of them cannot deadlock.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def lock(self, connection: Connection, index: str, epoch: int | None = None) -> bool:
        """Lock the index's row until the transaction ends; False where there is none, or one of another epoch.

        Of a row that another transaction is changing, the outcome is waited for. Not as strong as FOR UPDATE: rows that
        only refer to this one may still be added.
        """
        indices = self._tables.indices
        found = select(indices.c.name).where(indices.c.name == index).with_for_update(key_share=True)
        return connection.scalar(found if epoch is None else found.where(indices.c.epoch == epoch)) is not None

    def checkpoints(self, connection: Connection, index: str) -> Mapping[str, Checkpoint]:
        """Return the checkpoints by feed."""
        table = self._tables.checkpoints
        return {
            row.feed: Checkpoint(
                Position(row.watermark or BEGINNING, None if row.key is None else tuple(row.key)),
                row.polled_at,
                row.complete,
            )
            for row in connection.execute(select(table).where(table.c.index == index))
        }

    def dead_letters(self, connection: Connection, index: str, limit: int, offset: int) -> Sequence[DeadLetter]:
        """Return open dead letters, the one open longest first."""
        table = self._tables.dead_letters
        rows = select(table).where(table.c.index == index).order_by(table.c.first_at, table.c.digest)
        return [_letter(row) for row in connection.execute(rows.limit(limit).offset(offset))]

    def count(self, connection: Connection, index: str) -> int:
        """Return how many dead letters are open."""
        table = self._tables.dead_letters
        return int(connection.scalar(select(func.count()).select_from(table).where(table.c.index == index)) or 0)

    def changes(self, connection: Connection, index: str, settlement: Settlement) -> bool:
        """Tell whether a settlement opens or closes dead letters."""
        return bool(settlement.dead_letters) or bool(_closed(self._open(connection, index), settlement))

    def settle(self, connection: Connection, index: str, settlement: Settlement) -> int:
        """Store a settlement; return the open dead letters. The caller has locked the index in this transaction."""
        self._set_checkpoints(connection, index, settlement.checkpoints)
        opened = _by_key(settlement.dead_letters)
        self._add(connection, index, list(opened.values()))
        open_now = self._open(connection, index)
        closed = _closed(open_now, settlement)
        if closed:
            table = self._tables.dead_letters
            digests = literal([_digest(key) for key in closed], ARRAY(LargeBinary))
            connection.execute(delete(table).where(table.c.index == index, table.c.digest == any_(digests)))
        return len(open_now) - len(closed)

    def _open(self, connection: Connection, index: str) -> Mapping[Key, int]:
        """Return key and number of the open dead letters: few, where the settled keys are many."""
        table = self._tables.dead_letters
        rows = connection.execute(select(table.c.key, table.c.version).where(table.c.index == index))
        return {tuple(row.key): row.version for row in rows}

    def _set_checkpoints(self, connection: Connection, index: str, checkpoints: Mapping[str, Checkpoint]) -> None:
        if not checkpoints:
            return
        statement = insert(self._tables.checkpoints)
        changed = {name: statement.excluded[name] for name in ("watermark", "key", "polled_at", "complete")}
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["index", "feed"], set_={**changed, "committed_at": func.now()}
            ),
            [
                {
                    "index": index,
                    "feed": feed,
                    "watermark": _time(checkpoint.position.watermark),
                    "key": None if checkpoint.position.key is None else list(checkpoint.position.key),
                    "polled_at": checkpoint.polled_at,
                    "complete": checkpoint.complete,
                }
                for feed, checkpoint in checkpoints.items()
            ],
        )

    def _add(self, connection: Connection, index: str, letters: Sequence[DeadLetter]) -> None:
        if not letters:
            return
        table = self._tables.dead_letters
        statement = insert(table)
        new = statement.excluded
        newer = new.version >= table.c.version
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["index", "digest"],
                set_={
                    "version": func.greatest(table.c.version, new.version),
                    "kind": case((newer, new.kind), else_=table.c.kind),
                    "reason": case((newer, new.reason), else_=table.c.reason),
                    "attempts": table.c.attempts + new.attempts,
                    "last_at": new.last_at,
                },
            ),
            [
                {
                    "index": index,
                    "digest": _digest(letter.key),
                    "key": list(letter.key),
                    "version": letter.version,
                    "kind": _storable(letter.kind),
                    "reason": _storable(letter.reason),
                    "attempts": letter.attempts,
                    "first_at": letter.at,
                    "last_at": letter.at,
                }
                for letter in letters
            ],
        )


def _by_key(letters: Sequence[DeadLetter]) -> Mapping[Key, DeadLetter]:
    """Join what one settlement says twice of a key: one statement changes a row once."""
    joined: dict[Key, DeadLetter] = {}
    for letter in letters:
        joined[letter.key] = joined[letter.key].again(letter) if letter.key in joined else letter
    return joined


def _closed(open_now: Mapping[Key, int], settlement: Settlement) -> Sequence[Key]:
    return [key for key, version in open_now.items() if settlement.settled.get(key, version) > version]


def _letter(row: Row[Any]) -> DeadLetter:
    return DeadLetter(tuple(row.key), row.version, row.kind, row.reason, row.last_at, row.attempts)


def _digest(key: Key) -> bytes:
    # Stands for the key in the primary key: a B-tree refuses entries above 2.7 kB.
    return hashlib.sha256("\0".join(key).encode()).digest()


def _storable(message: str) -> str:
    """Return text that Postgres can hold: it knows no NUL, and UTF-8 no half of a surrogate pair."""
    return message[:_REASON_CHARACTERS_MAX].replace("\0", "�").encode("utf-8", "replace").decode()


def _time(watermark: datetime) -> datetime | None:
    return None if watermark == BEGINNING else watermark

"""Checkpoints and dead letters as rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Interval,
    LargeBinary,
    Row,
    any_,
    case,
    delete,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from syncer.adapters.postgres.fan_out_store import FanOutStore
from syncer.adapters.postgres.tables import Tables, digest
from syncer.core.key import Key
from syncer.core.position import BEGINNING, Position
from syncer.core.retry import FIRST_REDELIVERY_SECONDS, LONGEST_REDELIVERY_SECONDS
from syncer.core.settlement import Checkpoint, DeadLetter, Settlement

#: Elasticsearch quotes the value that it refused.
_REASON_CHARACTERS_MAX = 4_000

#: What a commit changes of a feed's row.
_CHECKPOINT = ("watermark", "key", "polled_at", "complete", "deferred", "deferred_reason")


class SettlementStore:
    """Reads and writes what settlements leave behind, on any connection.

    Who changes the dead letters of an index locks the index's row first, so that two of them cannot deadlock.
    """

    def __init__(self, tables: Tables, redact: Callable[[str], str] = str) -> None:
        """redact: takes secrets out of reasons, which quote what functions and servers say."""
        self._tables = tables
        self._redact = redact
        self._fan_outs = FanOutStore(tables)

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
                row.deferred,
                row.deferred_reason,
            )
            for row in connection.execute(select(table).where(table.c.index == index))
        }

    def dead_letters(
        self,
        connection: Connection,
        index: str,
        limit: int,
        after: DeadLetter | None,
        kind: str | None,
        keys: Sequence[Key] | None,
    ) -> Sequence[DeadLetter]:
        """Return open dead letters of a kind or of some keys, the one open longest first."""
        table = self._tables.dead_letters
        order = (table.c.first_at, table.c.digest)
        rows = select(table).where(*self._chosen(index, kind, keys)).order_by(*order).limit(limit)
        if after is not None:
            rows = rows.where(tuple_(*order) > tuple_(literal(after.since), literal(digest(after.key))))
        return [_letter(row) for row in connection.execute(rows)]

    def discard(self, connection: Connection, index: str, kind: str | None, keys: Sequence[Key] | None) -> int:
        """Delete dead letters of a kind or of some keys; return how many. The caller has locked the index."""
        table = self._tables.dead_letters
        return connection.execute(delete(table).where(*self._chosen(index, kind, keys))).rowcount

    def _chosen(self, index: str, kind: str | None, keys: Sequence[Key] | None) -> Sequence[ColumnElement[bool]]:
        table = self._tables.dead_letters
        conditions = [table.c.index == index]
        if kind is not None:
            conditions.append(table.c.kind == kind)
        if keys is not None:
            conditions.append(table.c.digest == any_(_digests(keys)))
        return conditions

    def passing(self, connection: Connection, index: str, at: datetime, limit: int) -> Sequence[Key]:
        """Return keys of dead letters whose next delivery is due, the one due longest first."""
        table = self._tables.dead_letters
        due = select(table.c.key).where(table.c.index == index, table.c.retry_at <= at)
        rows = connection.scalars(due.order_by(table.c.retry_at, table.c.digest).limit(limit))
        return [tuple(key) for key in rows]

    def count(self, connection: Connection, index: str) -> int:
        """Return how many dead letters are open."""
        return self.counts(connection, index)[0]

    def counts(self, connection: Connection, index: str) -> tuple[int, int]:
        """Return how many dead letters are open, and how many of them are delivered again by themselves."""
        table = self._tables.dead_letters
        counts = select(func.count(), func.count(table.c.retry_at)).where(table.c.index == index)
        letters, passing = connection.execute(counts).one()
        return letters, passing

    def changes(self, connection: Connection, index: str, settlement: Settlement) -> bool:
        """Tell whether a settlement opens or closes dead letters, or counts texts."""
        if settlement.dead_letters or settlement.texts:
            return True
        return bool(_closed(self._open(connection, index), settlement))

    def settle(self, connection: Connection, index: str, settlement: Settlement) -> int:
        """Store a settlement; return the open dead letters. The caller has locked the index in this transaction."""
        self._set_checkpoints(connection, index, settlement.checkpoints)
        if settlement.ended:
            table = self._tables.checkpoints
            connection.execute(delete(table).where(table.c.index == index, table.c.feed.in_(settlement.ended)))
        self._fan_outs.settle(connection, index, settlement)
        indices = self._tables.indices
        changed: dict[str, object] = {}
        if settlement.reconcile is not None:
            # Never the same twice: what is read late may be stamped early, and a comparison under way answers only for
            # what was asked before it.
            later = indices.c.reconcile + literal(timedelta(microseconds=1))
            reconcile = func.greatest(later, settlement.reconcile)
            changed |= {"reconcile": reconcile, **({"truncated": reconcile} if settlement.truncated else {})}
        if settlement.texts:
            counts = asdict(settlement.texts)
            changed |= {f"texts_{name}": indices.c[f"texts_{name}"] + count for name, count in counts.items()}
        if changed:
            connection.execute(update(indices).where(indices.c.name == index).values(changed))
        opened = _by_key(settlement.dead_letters)
        self._add(connection, index, list(opened.values()))
        open_now = self._open(connection, index)
        closed = _closed(open_now, settlement)
        if closed:
            self.discard(connection, index, None, closed)
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
        changed = {name: statement.excluded[name] for name in _CHECKPOINT}
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
                    "deferred": checkpoint.deferred,
                    "deferred_reason": checkpoint.deferred_reason and self._told(checkpoint.deferred_reason),
                }
                for feed, checkpoint in checkpoints.items()
            ],
        )

    def _told(self, reason: str) -> str:
        # Before it is cut, for half a secret is not recognised; but not a whole row that is quoted.
        return _storable(self._redact(reason[: 2 * _REASON_CHARACTERS_MAX]))

    def _add(self, connection: Connection, index: str, letters: Sequence[DeadLetter]) -> None:
        if not letters:
            return
        table = self._tables.dead_letters
        statement = insert(table)
        new = statement.excluded
        newer = new.version >= table.c.version
        attempts = table.c.attempts + new.attempts
        passing = case((newer, new.retry_at), else_=table.c.retry_at).is_not(None)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["index", "digest"],
                set_={
                    "version": func.greatest(table.c.version, new.version),
                    "kind": case((newer, new.kind), else_=table.c.kind),
                    "reason": case((newer, new.reason), else_=table.c.reason),
                    "attempts": attempts,
                    "last_at": new.last_at,
                    "retry_at": case((passing, new.last_at + _redelivery(attempts))),
                },
            ),
            [
                {
                    "index": index,
                    "digest": digest(letter.key),
                    "key": list(letter.key),
                    "version": letter.version,
                    "kind": _storable(letter.kind),
                    "reason": self._told(letter.reason),
                    "attempts": letter.attempts,
                    "first_at": letter.since,
                    "last_at": letter.at,
                    "retry_at": letter.retry_at,
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
    return DeadLetter(
        tuple(row.key),
        row.version,
        row.kind,
        row.reason,
        row.last_at,
        row.attempts,
        passing=row.retry_at is not None,
        first_at=row.first_at if row.attempts > 1 else None,
    )


def _redelivery(attempts: ColumnElement[int]) -> ColumnElement[timedelta]:
    """Return `core.retry.redelivery_seconds` as an interval: the attempts add up in the statement."""
    seconds = FIRST_REDELIVERY_SECONDS * func.power(2, func.least(attempts - 1, 16))
    return func.make_interval(0, 0, 0, 0, 0, 0, func.least(LONGEST_REDELIVERY_SECONDS, seconds), type_=Interval)


def _digests(keys: Sequence[Key]) -> ColumnElement[Sequence[bytes]]:
    return literal([digest(key) for key in keys], ARRAY(LargeBinary))


def _storable(message: str) -> str:
    """Return text that Postgres can hold: it knows no NUL, and UTF-8 no half of a surrogate pair."""
    return message[:_REASON_CHARACTERS_MAX].replace("\0", "�").encode("utf-8", "replace").decode()


def _time(watermark: datetime) -> datetime | None:
    return None if watermark == BEGINNING else watermark

"""Which indices a pipeline has, and in which role each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from syncer.adapters.postgres.advisory_lock import AdvisoryLock
from syncer.adapters.postgres.index_row import from_row, to_row
from syncer.adapters.postgres.tables import Tables
from syncer.core.error import ConfigurationError, LeaseHeld
from syncer.core.index import IndexRecord, Phase


class IndexRecords:
    """Reads records, adds them, and lets one succeed another, on any connection.

    Unique indices of the table allow a pipeline one index that is followed and one that is built. Left to them alone,
    who comes second would get an error that ends the transaction and does not say who was first. So whoever gives out
    a role locks all of them, for a transaction; that is rare enough for one lock.
    """

    def __init__(self, tables: Tables) -> None:
        self._indices = tables.indices
        self._roles = AdvisoryLock.on(str(tables.metadata.schema), "roles")

    def lock(self, connection: Connection) -> None:
        """Wait until nobody else changes who has which role, and keep it so until the transaction ends.

        To be taken before any row is locked.
        """
        self._roles.wait_for_transaction(connection)

    def find(self, connection: Connection, *conditions: ColumnElement[bool]) -> Sequence[IndexRecord]:
        """Return the records for which all conditions hold, the oldest first."""
        indices = self._indices
        rows = select(indices).where(*conditions).order_by(indices.c.created_at, indices.c.name)
        return [from_row(row) for row in connection.execute(rows)]

    def register(self, connection: Connection, record: IndexRecord) -> IndexRecord:
        """Return the pipeline's record of this role, which is the new one where there was none.

        The caller has locked the roles.
        """
        for known in self.find(connection, self._indices.c.pipeline == record.pipeline):
            if known.role is record.role:
                return known
        columns = to_row(
            phase=record.phase,
            fingerprint=record.fingerprint,
            identity=record.identity,
            source=record.source,
            verify_needed=record.verify_needed,
            definition=record.definition,
            filling=record.filling,
            superseded=record.superseded,
        )
        new = insert(self._indices).values(
            name=record.name,
            pipeline=record.pipeline,
            alias=record.alias,
            epoch=record.epoch,
            followed=record.followed,
            kept_since=record.kept_since,
            **columns,
        )
        unless_named = new.on_conflict_do_nothing(index_elements=["name"])
        added = connection.execute(unless_named.returning(self._indices)).first()
        if added is None:
            raise ConfigurationError(
                f"index {record.name} belongs to another pipeline", hint="give each pipeline an alias of its own"
            )
        return from_row(added)

    def succeed(self, connection: Connection, index: str, old: str | None, at: datetime) -> None:
        """Let an index be followed, in phase PUBLISHING, and the old one be kept.

        The caller has locked the roles and both rows. Raises LeaseHeld where yet another index is followed.
        """
        indices = self._indices
        pipeline = select(indices.c.pipeline).where(indices.c.name == index).scalar_subquery()
        in_the_way = (
            (indices.c.pipeline == pipeline) & indices.c.followed & indices.c.name.not_in([index, old or index])
        )
        if followed := self.find(connection, in_the_way):
            raise LeaseHeld(f"index {followed[0].name} is followed by now")
        # One after the other: a unique index is looked at row by row, also within one statement.
        if old is not None:
            kept = {"followed": False, "phase": Phase.KEPT.value, "kept_since": at}
            connection.execute(update(indices).where(indices.c.name == old).values(kept))
        chosen = {"followed": True, "phase": Phase.PUBLISHING.value, "kept_since": None}
        connection.execute(update(indices).where(indices.c.name == index).values(chosen))

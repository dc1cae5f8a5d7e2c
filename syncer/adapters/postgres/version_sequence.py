"""The sequence that versions are drawn from."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Connection, Select, bindparam, cast, column, func, literal, select, table

from syncer.adapters.postgres.advisory_lock import AdvisoryLock
from syncer.adapters.postgres.session import transaction
from syncer.adapters.postgres.tables import qualified
from syncer.core.error import FatalError

#: Far above all clocks in µs, far below where a bigint ends.
_NUMBER_MAX = 2**62
#: One second of numbers in µs.
_SLACK = 1_000_000
#: More than a crash of the server can take back.
_SKIPPED = 1_000


class VersionSequence:
    """Draws numbers, and raises the sequence; never lowers it.

    How a raise is safe beside others and beside draws. The sequence has to be read before it is set, and both are not
    one step. Other raises wait: all take the same lock first, for a transaction, and read in a later statement. Draws
    do not wait: they would pay for it each time. So the sequence is set a second's worth of numbers above what the
    filter saw it to be below. To end up below a number that was drawn in between, more than a million numbers would
    have to be drawn while this one statement runs.
    """

    def __init__(self, schema: str) -> None:
        self._name = literal(qualified(schema, "version"))
        self._state = table("version", column("last_value", BigInteger), schema=schema)
        self._lock = AdvisoryLock.on(schema, "raise the numbers")
        clock = cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger)
        # A subquery with a volatile function is evaluated on its own: filter and setval see one and the same clock.
        self._to_clock = self._raise_to(select(clock.label("number")).subquery())
        self._to_number = self._raise_to(select(bindparam("number", type_=BigInteger).label("number")).subquery())

    @property
    def next(self) -> Any:
        """An expression that draws a number."""
        return func.nextval(self._name)

    def draw(self, connection: Connection) -> int:
        """Return a number higher than all before it."""
        return int(connection.scalar(select(self.next)) or 0)

    def raise_to_clock(self, connection: Connection) -> None:
        """Raise the sequence to the server's clock in µs. Every session that draws does this before its first draw.

        It covers a state that was restored from a backup, or failed over to a standby that lagged.

        Where the clock is behind the sequence, numbers are skipped instead, because a server that merely crashed can
        fall back a little too. Postgres logs 32 numbers at a time; the draw that logs waits for the disk, and the next
        32 do not. So what a crash takes back is at most 32 numbers for each draw that was waiting then.
        """
        with transaction(connection):
            self._lock.wait_for_transaction(connection)
            if connection.execute(self._to_clock).first() is None:
                skipped = select(self.next).select_from(func.generate_series(1, _SKIPPED).alias("n"))
                connection.execute(skipped)

    def raise_above(self, connection: Connection, version: int) -> None:
        """Raise the sequence so that every number from now on is above `version`.

        Raises FatalError where there would be no numbers left: only a foreign writer can have come so far.
        """
        if version > _NUMBER_MAX:
            raise FatalError(
                f"the index holds a document of version {version}, which somebody else must have written",
                hint="find who writes to the index; then build it again: syncer rebuild PIPELINE",
            )
        with transaction(connection):
            self._lock.wait_for_transaction(connection)
            connection.execute(self._to_number, {"number": version})

    def _raise_to(self, target: Any) -> Select[Any]:
        return select(func.setval(self._name, target.c.number + _SLACK)).where(
            target.c.number >= self._state.c.last_value
        )

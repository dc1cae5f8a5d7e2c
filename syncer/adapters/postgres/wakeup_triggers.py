"""The triggers that tell of each commit which changes a table, as SQL like that of the tombstones."""

from __future__ import annotations

from syncer.adapters.postgres.script import Script
from syncer.adapters.postgres.tables import qualified
from syncer.adapters.postgres.trigger_sql import FUNCTION, WAKEUP_BODY, WAKEUP_WHY
from syncer.adapters.postgres.triggers import (
    SEARCH_PATH,
    Surroundings,
    create_trigger,
    dollar_quoted,
    enable_always,
    function_name,
    literal,
)
from syncer.core.table import Table

#: One for all tables and installations in a database; what is sent names the table.
CHANNEL = "syncer"


class WakeupTriggers:
    """One trigger by statement for a table and for each of its partitions.

    By statement, for what a statement changes is one commit: rejected are triggers by row, which cost as often as there
    are rows. What a subscription of logical replication applies fires none, and waits for the interval.
    """

    def __init__(self, table: Table, schema: str) -> None:
        """schema: of the tombstones, which the function is made in."""
        self._table = table
        #: The function's source.
        self.body = WAKEUP_BODY.format(channel=qualified(CHANNEL), table=literal(str(table)))
        #: As `TombstoneTriggers.names`.
        self.name = f"wakeup_{schema}"[:63]
        #: The function's name.
        self.function = function_name("wakeup", table)
        self._function = qualified(schema, self.function)

    def install(self, around: Surroundings) -> Script:
        """Return what installs them, after the script of the tombstones: it makes the schema and bounds the wait."""
        function = FUNCTION.format(
            function=self._function,
            settings=f"SET search_path = {SEARCH_PATH}",
            body=dollar_quoted(self.body),
            owner=qualified(around.owner),
        )
        triggers = []
        for relation in ((self._table.schema, self._table.name), *around.partitions):
            call = f"{self._function}()"
            events = "INSERT OR UPDATE OR DELETE OR TRUNCATE"
            triggers.append(create_trigger(around, self.name, events, relation, "FOR EACH STATEMENT", call))
            triggers.append(enable_always([self.name], relation))
        return Script(WAKEUP_WHY + function, *triggers)

    def remove(self) -> Script:
        """Return what undoes `install`."""
        return Script(
            "-- Nobody asks to be woken by this table any more.\n"
            "SET LOCAL lock_timeout = '5s';\n"
            f"DROP FUNCTION IF EXISTS {self._function}() CASCADE;"
        )

"""The triggers that note which rows are gone, as SQL that people can read before they run it.

One function for each table, in the schema of the tombstones: whoever drops that schema drops the triggers with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from syncer.adapters.postgres.remedy import grant_tombstones
from syncer.adapters.postgres.script import Script
from syncer.adapters.postgres.session import OUTPUT_SETTINGS
from syncer.adapters.postgres.tables import TOMBSTONES, qualified
from syncer.adapters.postgres.trigger_sql import (
    ADDED,
    BODY,
    COMPARED,
    COMPARED_WHY,
    FUNCTION,
    FUNCTION_WHY,
    LAST,
    ONCE,
    ONCE_WHY,
    SCHEMA_COMMENT,
    STANDING,
    UNSTAMPED,
)
from syncer.core.table import Column, Table

SEARCH_PATH = "pg_catalog, pg_temp"

#: Types whose equal values are written alike; enumerations besides.
_EXACT = frozenset({"int2", "int4", "int8", "oid", "bool", "uuid"})
#: Types of which that is so in the order of bytes.
_TEXTS = frozenset({"text", "varchar", "bpchar", "name"})
#: Types whose text is the same in every session; enumerations besides.
_PLAIN = _EXACT | _TEXTS | {"numeric", "char", "citext"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the SQL depends on beside the table's own columns."""

    #: The server's major version.
    major: int
    database: str
    #: Of the table.
    owner: str
    #: The schema of the tombstones is there.
    has_schema: bool
    #: There is a table of tombstones already.
    begun: bool
    #: Partitions at every level, as schema and name.
    partitions: Sequence[tuple[str, str]]
    #: The role that reads and prunes the tombstones.
    reader: str
    #: The state of syncer lives in the same schema.
    holds_state: bool
    #: The function that wakes polls is there.
    wakes: bool = False


class TombstoneTriggers:
    """The triggers of one table that note in a schema's tombstones."""

    def __init__(self, table: Table, schema: str, columns: Collection[str] = ()) -> None:
        """columns: noted besides key and routing, where one of them changes too.

        Of a table without watermark every change is noted: nothing else tells of it.
        """
        self._table = table
        self._also = sorted(columns)
        self._schema = schema
        self._tombstones = qualified(schema, TOMBSTONES)
        self._words = {
            "tombstones": self._tombstones,
            "tombstones_text": literal(self._tombstones),
            "schema": qualified(schema),
            "schema_text": literal(qualified(schema)),
            "schema_name": literal(schema),
            "comment": SCHEMA_COMMENT,
            "relation": literal(str(table)),
            "may_not_write": literal(f" may not write to {self._tombstones}: every DELETE would fail"),
        }
        #: With the schema, so that two installations of syncer may follow one table.
        self.names = tuple(f"tombstone_{event}_{schema}"[:63] for event in ("delete", "update", "truncate"))
        #: The function's name, in the schema of the tombstones.
        self.function = function_name("tombstone", table)
        self._words["function_text"] = literal(f"{qualified(schema, self.function)}()")
        self._words["standing"] = STANDING.format(**self._words)

    @property
    def body(self) -> str:
        """The function's source, which tells the key, the routing and the columns that it was made for."""
        words = {
            "tombstones": self._tombstones,
            "columns": f"relation, key, routing{', columns' if self._also else ''}",
            "old": self._noting("OLD", self._routing("OLD")),
            "new": self._noting("NEW", "NULL"),
            "changed": self._changed("\n        OR "),
        }
        return BODY.format(unstamped="" if self._table.watermark else UNSTAMPED.format(**words), **words)

    @property
    def settings(self) -> Mapping[str, str]:
        """The function's settings, as the catalogue has them."""
        noted = [self._table.columns[name] for name in self._noted()]
        # In another session '01.02.2026' is another day. Only where it matters, since each setting costs.
        pinned = {} if all(map(_is_plain, noted)) else OUTPUT_SETTINGS
        return {"search_path": SEARCH_PATH, **pinned}

    def install(self, around: Surroundings) -> Script:
        """Return what installs the triggers, in place of those of an earlier time."""
        # Only where it is needed: the tombstones may be somebody else's.
        added = ADDED.format(**self._words) if self._also else ""
        return Script(
            "-- CREATE TRIGGER reads no row, but it waits until open transactions that have written to the table end, "
            "and\n-- all that write wait behind it. After this time it gives up, and nothing is changed.\n"
            "SET LOCAL lock_timeout = '5s';",
            f"{ONCE_WHY}DO {dollar_quoted(ONCE.format(added=added, **self._words))};",
            "-- For the role of source.url, which reads the tombstones and prunes them.\n"
            + grant_tombstones(self._schema, around.reader, create=around.holds_state),
            self._function(around),
            *self._triggers(around),
            f"{COMPARED_WHY}DO {dollar_quoted(COMPARED.format(**self._words))};",
        )

    def remove(self) -> Script:
        """Return what undoes `install`, whichever partitions there are by then."""
        return Script(
            "-- It waits for all that use the table, and they wait behind it: not for long.\n"
            "SET LOCAL lock_timeout = '5s';",
            "-- Its triggers go with it, on partitions too, even on detached ones.\n"
            f"DROP FUNCTION IF EXISTS {qualified(self._schema, self.function)}() CASCADE;",
            f"-- What nobody needs any more.\nDO {dollar_quoted(LAST.format(**self._words))};",
        )

    def _function(self, around: Surroundings) -> str:
        return FUNCTION_WHY + FUNCTION.format(
            function=qualified(self._schema, self.function),
            settings="\n".join(
                # A list of schemas is not quoted as a whole: that would be one schema.
                f"SET {name} = {value if name == 'search_path' else literal(value)}"
                for name, value in self.settings.items()
            ),
            body=dollar_quoted(self.body),
            owner=qualified(around.owner),
        )

    def _triggers(self, around: Surroundings) -> Iterator[str]:
        root = (self._table.schema, self._table.name)
        delete, update, truncate = self.names
        events, changed = "DELETE", self._changed("\n    OR ")
        if self._table.watermark is None:
            # In one trigger: another installation, for a table that has a watermark by then, takes its place.
            events, changed = "INSERT OR DELETE", "OLD.* *<> NEW.*"
        # By row: triggers of statements do not fire for what a subscription of logical replication deletes, nor on a
        # table whose partition was named.
        yield self._create(around, delete, events, root, "FOR EACH ROW")
        yield (
            "-- Not UPDATE OF: a BEFORE trigger changes columns that the statement does not name.\n"
            "-- By bytes: equal keys may be written differently, 1.0 and 1.00, and those are two documents.\n"
            + self._create(around, update, "UPDATE", root, f"FOR EACH ROW\n  WHEN ({changed})")
        )
        yield self._create(around, truncate, "TRUNCATE", root, "FOR EACH STATEMENT")
        yield (
            "-- ALWAYS: for logical replication too, and for sessions that set session_replication_role.\n"
            + self._always(root)
        )
        for partition in around.partitions:
            yield (
                "-- A partition has the row triggers of its root, but TRUNCATE of it alone fires none of the root's.\n"
                + self._create(around, truncate, "TRUNCATE", partition, "FOR EACH STATEMENT")
            )
            yield self._always(partition)

    def _create(self, around: Surroundings, name: str, event: str, on: tuple[str, str], when: str) -> str:
        call = f"{qualified(self._schema, self.function)}({literal(str(self._table))})"
        return create_trigger(around, name, event, on, when, call)

    def _always(self, on: tuple[str, str]) -> str:
        return enable_always(self.names, on)

    def _noted(self) -> Sequence[str]:
        return (*self._table.key, *([self._table.routing] if self._table.routing else []), *self._also)

    def _changed(self, separator: str) -> str:
        """Return the condition that one of the columns that are noted is written differently now."""
        return separator.join(self._differs(name) for name in dict.fromkeys(self._noted()))

    def _differs(self, name: str) -> str:
        column = self._table.columns[name]
        old, new = f"OLD.{qualified(name)}", f"NEW.{qualified(name)}"
        if column.array or not (column.type in _EXACT | _TEXTS or column.kind == "e"):
            # Right for all types, and slower: 6 in place of 2 µs for an update of one row.
            return f"ROW({old})::record *<> ROW({new})::record"
        collate = ' COLLATE "C"' if column.type in _TEXTS else ""
        return f"{old}{collate} IS DISTINCT FROM {new}{collate}"

    def _noting(self, row: str, routing: str) -> str:
        """Return the values of a tombstone."""
        parts = [f"{row}.{qualified(name)}::text" for name in self._table.key]
        columns = ""
        if self._also:
            names = ", ".join(map(literal, self._also))
            texts = ", ".join(f"{row}.{qualified(name)}::text" for name in self._also)
            columns = f",\n       jsonb_object(ARRAY[{names}], ARRAY[{texts}])"
        return f"(TG_ARGV[0], ARRAY[{', '.join(parts)}], {routing}{columns})"

    def _routing(self, row: str) -> str:
        if self._table.routing is None:
            return "NULL"
        return f"coalesce({row}.{qualified(self._table.routing)}::text, '')"


def _is_plain(column: Column) -> bool:
    return column.type in _PLAIN or column.kind == "e"


def function_name(what: str, table: Table) -> str:
    """Return what a table's function is called: its name may be long, and two schemas may hold tables of one name."""
    digest = hashlib.sha256(str(table).encode()).hexdigest()[:8]
    return f"{what}_{table.name.encode()[:40].decode(errors='ignore')}_{digest}"


def create_trigger(around: Surroundings, name: str, event: str, on: tuple[str, str], when: str, call: str) -> str:
    """Return the statement that makes a trigger, or puts it in the place of one."""
    trigger, relation = qualified(name), qualified(*on)
    # Before version 14 there is no OR REPLACE; dropping a trigger keeps readers out too.
    first = "" if around.major >= 14 else f"DROP TRIGGER IF EXISTS {trigger} ON {relation};\n"
    create = "CREATE OR REPLACE TRIGGER" if around.major >= 14 else "CREATE TRIGGER"
    return f"{first}{create} {trigger} AFTER {event} ON {relation}\n  {when}\n  EXECUTE FUNCTION {call};"


def enable_always(names: Sequence[str], on: tuple[str, str]) -> str:
    """Return the statement by which triggers fire for logical replication too."""
    enabled = ",\n  ".join(f"ENABLE ALWAYS TRIGGER {qualified(name)}" for name in names)
    return f"ALTER TABLE {qualified(*on)}\n  {enabled};"


def literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def dollar_quoted(body: str) -> str:
    tag = "$body$"
    while tag in body:
        tag = f"{tag[:-1]}_$"
    return f"{tag}{body}{tag}"

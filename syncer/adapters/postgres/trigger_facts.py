"""Which triggers note what is gone from a table: what the catalogue says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text

from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.tables import TOMBSTONES
from syncer.adapters.postgres.triggers import Surroundings, TombstoneTriggers
from syncer.adapters.postgres.wakeup_triggers import WakeupTriggers
from syncer.core.table import Table

_TABLE = text("""
SELECT c.oid, pg_get_userbyid(c.relowner) AS owner, current_user AS reader, current_database() AS database,
       current_setting('server_version_num')::int / 10000 AS major,
       EXISTS (SELECT FROM pg_namespace WHERE nspname = :tombstones_schema) AS has_schema
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = :schema AND c.relname = :name
""")

# Without foreign tables, which have no TRUNCATE triggers in older versions. The root first.
_RELATIONS = text("""
SELECT c.oid, n.nspname AS schema, c.relname AS name
  FROM (SELECT CAST(:oid AS oid) AS relid UNION SELECT relid FROM pg_partition_tree(:oid)) AS tree
  JOIN pg_class AS c ON c.oid = tree.relid JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p')
 ORDER BY c.oid <> :oid, n.nspname, c.relname
""")

_FUNCTION = text("""
SELECT p.oid, p.prosrc AS body, coalesce(p.proconfig, '{}') AS settings, p.prosecdef AS definer,
       has_function_privilege(CAST(:owner AS name), p.oid, 'EXECUTE') AS owner_may,
       pg_get_userbyid(p.proowner) AS writer,
       has_schema_privilege(p.proowner, n.oid, 'USAGE') AND has_table_privilege(p.proowner, c.oid, 'INSERT') AS writable
  FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
  LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = :tombstones
 WHERE n.nspname = :schema AND p.proname = :name
""")

_TRIGGERS = text("""
SELECT t.tgrelid, t.tgname, t.tgenabled FROM pg_trigger AS t WHERE t.tgfoid = :function AND t.tgrelid = ANY(:relations)
""")

_WAKEUPS = text("""
SELECT p.prosrc AS body, (
         SELECT array_agg(tgrelid) FROM pg_trigger WHERE tgfoid = p.oid AND tgname = :trigger AND tgenabled = 'A'
       ) AS relations
  FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
 WHERE n.nspname = :schema AND p.proname = :name
""")

# By the catalogue, not by to_regclass(): that fails for a role that may not use the schema.
_PRIVILEGES = text("""
SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'DELETE') AS prunable
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = :schema AND c.relname = :name
""")


@dataclass(frozen=True, slots=True)
class TriggerFacts:
    """What there is, and what there should be."""

    around: Surroundings
    #: The function is there, and triggers of the table call it.
    installed: bool
    #: They note the key, the routing and the columns that are needed, as this version of syncer does; and the table's
    #: owner may create partitions, which takes EXECUTE on the function.
    current: bool
    #: By table, partitions too: triggers that are missing.
    missing: Mapping[str, Sequence[str]]
    #: By table: triggers that are disabled.
    disabled: Mapping[str, Sequence[str]]
    #: By table: triggers that do not fire for logical replication.
    sometimes: Mapping[str, Sequence[str]]
    #: To whom the function belongs: the triggers write with this role's privileges.
    writer: str
    #: It may write tombstones; else every DELETE fails.
    writable: bool
    readable: bool
    prunable: bool
    #: Tables, the partitions too, that no trigger tells of at each commit, or not as this version of syncer does.
    silent: Sequence[str]


def trigger_facts(
    session: Session, table: Table, schema: str, columns: Collection[str] = (), *, holds_state: bool
) -> TriggerFacts:
    """Return what the catalogue says of a table's triggers; readable by any role.

    schema: of the tombstones. columns: as for `TombstoneTriggers`. holds_state: the state of syncer lives there too.
    """
    triggers, wakeups = TombstoneTriggers(table, schema, columns), WakeupTriggers(table, schema)
    with session.use() as connection:
        row = connection.execute(
            _TABLE, {"schema": table.schema, "name": table.name, "tombstones_schema": schema}
        ).one()
        relations = connection.execute(_RELATIONS, {"oid": row.oid}).all()
        function = connection.execute(
            _FUNCTION,
            {"schema": schema, "name": triggers.function, "owner": row.owner, "tombstones": TOMBSTONES},
        ).one_or_none()
        called = {"function": function and function.oid, "relations": [relation.oid for relation in relations]}
        found = {(each.tgrelid, each.tgname): each.tgenabled for each in connection.execute(_TRIGGERS, called)}
        woken = connection.execute(
            _WAKEUPS, {"schema": schema, "name": wakeups.function, "trigger": wakeups.name}
        ).one_or_none()
        may = connection.execute(_PRIVILEGES, {"schema": schema, "name": TOMBSTONES}).one_or_none()

    def those(*states: str | None) -> Mapping[str, Sequence[str]]:
        by_table = {
            f"{relation.schema}.{relation.name}": [
                name for name in triggers.names if found.get((relation.oid, name)) in states
            ]
            for relation in relations
        }
        return {relation: names for relation, names in by_table.items() if names}

    return TriggerFacts(
        around=Surroundings(
            major=row.major,
            database=row.database,
            owner=row.owner,
            has_schema=row.has_schema,
            begun=may is not None,
            partitions=[(relation.schema, relation.name) for relation in relations[1:]],
            reader=row.reader,
            holds_state=holds_state,
            wakes=woken is not None,
        ),
        installed=bool(found),
        current=function is not None
        and function.definer
        and function.owner_may
        and function.body == triggers.body
        and set(function.settings) == {f"{name}={value}" for name, value in triggers.settings.items()},
        missing=those(None),
        disabled=those("D"),
        sometimes=those("O", "R"),
        writer=function.writer if function is not None else row.reader,
        writable=function is not None and bool(function.writable),
        readable=may is not None and may.readable,
        prunable=may is not None and may.prunable,
        silent=[
            f"{relation.schema}.{relation.name}"
            for relation in relations
            if woken is None or woken.body != wakeups.body or relation.oid not in (woken.relations or ())
        ],
    )

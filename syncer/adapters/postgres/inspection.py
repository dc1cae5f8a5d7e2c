"""What `check` and `status` ask Postgres, as plain values; what they mean is said in `app`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from syncer.adapters.postgres.session import Session, transaction
from syncer.core.table import Table

_ROLE = text("""
SELECT current_user AS name, current_database() AS database,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS reads_all_stats,
       has_database_privilege(current_database(), 'CREATE') AS creates_schemas,
       current_setting('track_activities')::boolean AND NOT EXISTS (
         SELECT FROM pg_db_role_setting AS s CROSS JOIN unnest(s.setconfig) AS setting
           JOIN pg_database AS d ON d.datname = current_database() AND s.setdatabase IN (0, d.oid)
          WHERE setting LIKE 'track_activities=%' AND NOT split_part(setting, '=', 2)::boolean
       ) AS tracks_activities,
       pg_is_in_recovery() AS standby, current_setting('server_version_num')::int / 10000 AS major
""")

# By the catalogue, not by to_regclass(): that fails for a role that may not use the schema.
_TABLE = text("""
SELECT c.oid, c.relkind = 'p' AS partitioned, c.relkind = 'm' AS materialized,
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
       row_security_active(c.oid) AS policies_apply,
       EXISTS (SELECT FROM pg_subscription_rel AS s
                WHERE s.srrelid = c.oid OR s.srrelid IN (SELECT relid FROM pg_partition_tree(c.oid))) AS subscribed
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = :schema AND c.relname = :name
""")

_INDICES = text("""
SELECT i.indisunique AND i.indimmediate AS is_unique, am.amname AS method,
       array(SELECT a.attname FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
               JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
              WHERE k.place <= i.indnkeyatts ORDER BY k.place) AS columns,
       array(SELECT k.flags & 1 FROM unnest(i.indoption::int2[]) WITH ORDINALITY AS k (flags, place)
              ORDER BY k.place) AS descending,
       array(SELECT c.opcdefault FROM unnest(i.indclass::oid[]) WITH ORDINALITY AS k (oid, place)
               JOIN pg_opclass AS c ON c.oid = k.oid ORDER BY k.place) AS default_order
  FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_am AS am ON am.oid = x.relam
 WHERE i.indrelid = :oid AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
""")

# The text of a trigger holds its function's arguments: moddatetime(updated_at) names the column there alone.
_TRIGGERS = text("""
SELECT t.tgname
  FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
 WHERE t.tgrelid = :oid AND NOT t.tgisinternal AND t.tgenabled <> 'D'
   AND t.tgtype & 1 = 1 AND t.tgtype & 2 = 2 AND t.tgtype & 16 = 16
   AND (strpos(p.prosrc, :watermark) > 0 OR strpos(encode(t.tgargs, 'escape'), :watermark) > 0)
""")


@dataclass(frozen=True, slots=True)
class Role:
    """Who is connected, to what."""

    name: str
    database: str
    #: May see when the transactions of others began.
    reads_all_stats: bool
    #: The server knows when transactions began, whoever's they are.
    tracks_activities: bool
    #: May create a schema in this database.
    creates_schemas: bool
    standby: bool
    #: The server's major version.
    major: int


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What the catalogue says of a table beyond its columns."""

    #: USAGE on its schema, and SELECT.
    readable: bool
    #: Row-level security would hide rows from this role.
    policies_apply: bool
    partitioned: bool
    #: A materialized view.
    materialized: bool
    #: Filled by a subscription of logical replication.
    subscribed: bool
    #: A unique index makes the key unique.
    key_unique: bool
    #: An index has the order in which polls read.
    ordered: bool
    #: Triggers before an update that seem to set the watermark.
    touching: Sequence[str]
    #: The columns of each index that equality is looked up by.
    indexed: Sequence[Sequence[str]] = ()

    def is_found_by(self, columns: Sequence[str]) -> bool:
        """Tell whether an index begins with these columns, in any order."""
        return any(set(each[: len(columns)]) == set(columns) for each in self.indexed)


def role(session: Session) -> Role:
    """Return who this session is."""
    with session.use() as connection:
        row = connection.execute(_ROLE).one()
    return Role(
        row.name,
        row.database,
        row.reads_all_stats,
        row.tracks_activities,
        row.creates_schemas,
        row.standby,
        row.major,
    )


def shares_backends(first: Session, second: Session) -> bool:
    """Tell whether two sessions are led to one server process: a proxy pools them by transaction.

    Session settings, advisory locks and prepared statements then belong to nobody.
    """
    process = text("SELECT pg_backend_pid()")
    with first.use() as one, second.use() as other:
        before = one.execute(process).scalar_one()
        with transaction(other):
            if other.execute(process).scalar_one() == before:
                return True
            # Held by the transaction above, so that a pool has to choose another one, if it chooses.
            return bool(one.execute(process).scalar_one() != before)


def table_facts(session: Session, table: Table) -> TableFacts:
    """Return what the catalogue says of a table; readable by any role."""
    with session.use() as connection:
        facts = connection.execute(_TABLE, {"schema": table.schema, "name": table.name}).one()
        indices = connection.execute(_INDICES, {"oid": facts.oid}).all()
        triggers = connection.execute(_TRIGGERS, {"oid": facts.oid, "watermark": table.watermark}).scalars().all()
    order = [table.watermark, *table.key]
    return TableFacts(
        readable=facts.readable,
        policies_apply=facts.policies_apply,
        partitioned=facts.partitioned,
        materialized=facts.materialized,
        subscribed=facts.subscribed,
        key_unique=any(i.is_unique and i.columns and set(i.columns) <= set(table.key) for i in indices),
        ordered=any(
            i.method == "btree"
            and list(i.columns[: len(order)]) == order
            and len(set(i.descending[: len(order)])) == 1
            and all(i.default_order[: len(order)])
            for i in indices
        ),
        touching=list(triggers),
        indexed=[i.columns for i in indices if i.method == "btree" or (i.method == "hash" and len(i.columns) == 1)],
    )


def secured(session: Session, tables: Sequence[tuple[str, str]]) -> bool:
    """Tell whether row-level security is on for one of these tables, given as schema and name."""
    on = text("""
        SELECT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                         JOIN unnest(CAST(:schemas AS text[]), CAST(:names AS text[])) AS t (schema, name)
                           ON n.nspname = t.schema AND c.relname = t.name
                        WHERE c.relrowsecurity)
    """)
    with session.use() as connection:
        schemas, names = ([table[part] for table in tables] for part in (0, 1))
        return bool(connection.scalar(on, {"schemas": schemas, "names": names}))

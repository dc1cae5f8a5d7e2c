"""What a database holds that could be followed: for `init`, which chooses from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, text

from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.tables import qualified
from syncer.core.error import SourceUnavailable
from syncer.core.table import Column

#: The largest are taken; what belongs to extensions and to syncer itself is none.
TABLES_MAX = 500
#: Rows whose texts are looked at, and characters of each.
_SAMPLE_ROWS, _SAMPLE_CHARACTERS = 500, 10_000
#: For looking at them.
_SAMPLE_LIMIT = "5s"

_SERVER = text("""
SELECT current_database() AS database, current_user AS role,
       (SELECT reset_val FROM pg_settings WHERE name = 'TimeZone') AS zone
""")

_TABLES = text("""
SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind = 'p' AS partitioned,
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
       size.rows, size.bytes
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(greatest(p.reltuples, 0)), 0)::bigint AS rows,
              -- Not pg_table_size, which waits for whoever has locked a table.
              coalesce(sum(p.relpages::bigint), 0) * current_setting('block_size')::bigint AS bytes
         FROM (SELECT c.oid WHERE c.relkind = 'r'
               UNION ALL SELECT relid FROM pg_partition_tree(c.oid) WHERE c.relkind = 'p' AND isleaf) AS leaf (oid)
         JOIN pg_class AS p ON p.oid = leaf.oid) AS size
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname <> 'syncer'
   -- A state schema of another name.
   AND NOT EXISTS (SELECT FROM pg_class AS s WHERE s.relnamespace = n.oid AND s.relname = 'backfill_ranges'
                      AND s.relkind = 'r')
   AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.deptype = 'e')
 ORDER BY c.relname = ANY(:first) OR n.nspname || '.' || c.relname = ANY(:first) DESC, size.bytes DESC, 2, 3
 LIMIT :tables
""")

# A domain is what it is made of; of domains over domains nobody makes keys and watermarks.
_COLUMNS = text("""
SELECT a.attrelid AS oid, a.attname AS name, coalesce(element.typname, base.typname) AS type,
       coalesce(element.typtype, base.typtype) AS kind, element.oid IS NOT NULL AS is_array,
       format_type(base.oid, a.atttypmod) AS sql_type, NOT a.attnotnull AS nullable, a.attgenerated = 'v' AS virtual,
       coalesce(pg_get_expr(d.adbin, d.adrelid), '') AS default
  FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
  JOIN pg_type AS base ON base.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
  LEFT JOIN pg_type AS element ON element.oid = base.typelem AND base.typcategory = 'A'
  LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = ANY(:oids) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum
""")

_INDICES = text("""
SELECT i.indrelid AS oid, i.indisunique AND i.indimmediate AS is_unique, i.indisprimary AS is_primary,
       array(SELECT a.attname FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
               JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
              WHERE k.place <= i.indnkeyatts ORDER BY k.place) AS columns
  FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_am AS am ON am.oid = x.relam
 WHERE i.indrelid = ANY(:oids) AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND am.amname = 'btree'
 ORDER BY i.indisprimary DESC, i.indnkeyatts, x.relname
""")

_TRIGGERS = text("""
SELECT t.tgrelid AS oid, p.prosrc || ' ' || encode(t.tgargs, 'escape') AS source
  FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
 WHERE t.tgrelid = ANY(:oids) AND NOT t.tgisinternal AND t.tgenabled <> 'D'
   AND t.tgtype & 1 = 1 AND t.tgtype & 2 = 2 AND t.tgtype & 16 = 16
""")

_REFERENCES = text("""
SELECT f.conrelid AS of, f.confrelid AS to,
       array(SELECT a.attname FROM unnest(f.conkey) WITH ORDINALITY AS k (attnum, place)
               JOIN pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.attnum ORDER BY k.place) AS columns,
       array(SELECT a.attname FROM unnest(f.confkey) WITH ORDINALITY AS k (attnum, place)
               JOIN pg_attribute AS a ON a.attrelid = f.confrelid AND a.attnum = k.attnum ORDER BY k.place) AS others
  FROM pg_constraint AS f
 WHERE f.contype = 'f' AND f.conparentid = 0 AND f.conrelid = ANY(:oids) AND f.confrelid = ANY(:oids)
 ORDER BY f.conname, f.oid
""")


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key."""

    #: Schema and name.
    of: tuple[str, str]
    to: tuple[str, str]
    #: Those of `of`, and those of `to` that they are equal to.
    columns: Sequence[str]
    others: Sequence[str]


@dataclass(frozen=True, slots=True)
class Found:
    """A table, as the catalogue has it."""

    schema: str
    name: str
    columns: Mapping[str, Column]
    #: SQL, by column.
    defaults: Mapping[str, str] = field(default_factory=dict)
    partitioned: bool = False
    readable: bool = True
    #: As the server last counted them.
    rows: int = 0
    #: Of its rows, without indices.
    bytes: int = 0
    primary_key: Sequence[str] = ()
    #: What a unique index makes unique, the narrowest first.
    unique: Sequence[Sequence[str]] = ()
    #: The columns of each B-tree.
    indexed: Sequence[Sequence[str]] = ()
    #: The source and the arguments of each trigger before an update.
    triggers: Sequence[str] = ()

    @property
    def place(self) -> tuple[str, str]:
        return self.schema, self.name

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Survey:
    """A database."""

    database: str
    #: Who looked.
    role: str
    #: The time zone of sessions that choose none.
    zone: str
    tables: Sequence[Found]
    references: Sequence[Reference]


@dataclass(frozen=True, slots=True)
class Texts:
    """What a column holds, in some rows."""

    #: Characters.
    mean: float
    #: How many have a value, and how many different ones.
    values: int
    different: int


def survey(session: Session, first: Sequence[str] = ()) -> Survey:
    """Return what any role may see of the tables; first: those that must not be left out where there are too many."""
    with session.use() as connection:
        server = connection.execute(_SERVER).one()
        tables = connection.execute(_TABLES, {"first": list(first), "tables": TABLES_MAX}).all()
        oids = {"oids": [row.oid for row in tables]}
        columns, indices, triggers = (
            _by_table(connection.execute(statement, oids).all()) for statement in (_COLUMNS, _INDICES, _TRIGGERS)
        )
        references = connection.execute(_REFERENCES, oids).all()
    places = {row.oid: (row.schema, row.name) for row in tables}
    return Survey(
        server.database,
        server.role,
        server.zone,
        [_found(row, columns.get(row.oid, []), indices.get(row.oid, []), triggers.get(row.oid, [])) for row in tables],
        [Reference(places[row.of], places[row.to], row.columns, row.others) for row in references],
    )


def texts(session: Session, table: Found, columns: Sequence[str]) -> Mapping[str, Texts]:
    """Return what columns hold in the rows that come first; nothing where that takes long."""
    if not columns:
        return {}
    names = [qualified(name) for name in columns]
    values = ", ".join(
        f"avg(length({name})), count({name}), count(DISTINCT {name})" for name in (f"t{i}" for i in range(len(names)))
    )
    short = ", ".join(f"left({name}::text, {_SAMPLE_CHARACTERS}) AS t{i}" for i, name in enumerate(names))
    rows = f"SELECT {short} FROM {qualified(*table.place)} LIMIT {_SAMPLE_ROWS}"
    statement = f"SELECT {values} FROM ({rows}) AS rows"
    try:
        with session.use() as connection:
            # The first rows may lie behind many that were deleted.
            connection.execute(text("SELECT set_config('statement_timeout', :limit, false)"), {"limit": _SAMPLE_LIMIT})
            row = connection.exec_driver_sql(statement, execution_options={"no_parameters": True}).one()
    except SourceUnavailable:
        return {}
    return {name: Texts(float(row[3 * i] or 0), row[3 * i + 1], row[3 * i + 2]) for i, name in enumerate(columns)}


def _by_table(rows: Sequence[Row[*tuple[Any, ...]]]) -> dict[int, list[Row[*tuple[Any, ...]]]]:
    found: dict[int, list[Row[*tuple[Any, ...]]]] = {}
    for row in rows:
        found.setdefault(row.oid, []).append(row)
    return found


def _found(
    row: Row[*tuple[Any, ...]],
    columns: Sequence[Row[*tuple[Any, ...]]],
    indices: Sequence[Row[*tuple[Any, ...]]],
    triggers: Sequence[Row[*tuple[Any, ...]]],
) -> Found:
    return Found(
        schema=row.schema,
        name=row.name,
        columns={
            each.name: Column(
                each.name, each.type, each.sql_type, each.is_array, each.nullable, each.kind, bool(each.virtual)
            )
            for each in columns
        },
        defaults={each.name: each.default for each in columns if each.default},
        partitioned=row.partitioned,
        readable=row.readable,
        rows=row.rows,
        bytes=row.bytes,
        primary_key=next((index.columns for index in indices if index.is_primary), ()),
        unique=[index.columns for index in indices if index.is_unique],
        indexed=[index.columns for index in indices],
        triggers=[each.source for each in triggers],
    )

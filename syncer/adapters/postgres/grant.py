"""What roles need in Postgres for what they do, as SQL for people to read and run; syncer itself never runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.tables import TOMBSTONES, qualified

_ALL = ("SELECT", "INSERT", "UPDATE", "DELETE")
_READ = ("SELECT",)

#: What commands that change something do with the tables of the state schema. To lock rows takes UPDATE.
_CHANGED = ("indices", "checkpoints", "dead_letters", "backfill_ranges", "fan_outs", "pauses", "embeddings", "runs")
#: Rows of these are replaced.
_REPLACED = ("alerts",)
#: What commands read that change nothing.
_SHOWN = ("indices", "checkpoints", "dead_letters", "backfill_ranges", "fan_outs", "pauses", "runs")
_REVISION, _NUMBERS = "alembic_version", "version"

# By the catalogue, with names that may be missing.
_LACKING = text("""
SELECT g.place::int - 1 AS place, g.privilege
  FROM unnest(CAST(:places AS int[]), CAST(:kinds AS text[]), CAST(:schemas AS text[]), CAST(:names AS text[]),
              CAST(:privileges AS text[])) AS g (place, kind, schema, name, privilege)
  JOIN pg_namespace AS n ON n.nspname = g.schema
  LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = g.name
 WHERE NOT CASE g.kind WHEN 'SCHEMA' THEN has_schema_privilege(n.oid, g.privilege)
                       WHEN 'SEQUENCE' THEN has_sequence_privilege(c.oid, g.privilege)
                       ELSE has_table_privilege(c.oid, g.privilege) END
 ORDER BY g.place
""")


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to do something with one thing."""

    privileges: tuple[str, ...]
    #: `DATABASE`, `SCHEMA`, `TABLE` or `SEQUENCE`.
    kind: str
    #: Unquoted, its schema before it.
    name: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.privileges)} ON {self.kind} {qualified(*self.name)}"

    def to(self, role: str) -> str:
        """Return the statement that gives it to a role."""
        return f"GRANT {self} TO {qualified(role)};"


def to_connect(database: str) -> Grant:
    """Return what every role needs, unless PUBLIC has it."""
    return Grant(("CONNECT",), "DATABASE", (database,))


def to_read(tables: Sequence[tuple[str, str]]) -> Sequence[Grant]:
    """Return what reads tables, given as schema and name. Not single columns: a row's version belongs to the table."""
    schemas = dict.fromkeys(schema for schema, _ in tables)
    return [
        *(Grant(("USAGE",), "SCHEMA", (schema,)) for schema in schemas),
        *(Grant(_READ, "TABLE", table) for table in dict.fromkeys(tables)),
    ]


def to_prune(schema: str) -> Sequence[Grant]:
    """Return what reads and deletes the tombstones of this schema."""
    return [Grant(("USAGE",), "SCHEMA", (schema,)), Grant(("SELECT", "DELETE"), "TABLE", (schema, TOMBSTONES))]


def to_note(schema: str, *, begun: bool) -> Sequence[Grant]:
    """Return what a table's owner needs to install triggers; begun: there are tombstones, made by another owner."""
    noting = Grant(("SELECT", "INSERT", "DELETE"), "TABLE", (schema, TOMBSTONES))
    return [to_create(schema), *([noting] if begun else [])]


def to_create(schema: str) -> Grant:
    """Return what makes tables in a schema that is there."""
    return Grant(("USAGE", "CREATE"), "SCHEMA", (schema,))


def to_keep_state(schema: str) -> Sequence[Grant]:
    """Return what the daemon needs in the state schema, and every command but `migrate`."""
    return [
        Grant(("USAGE",), "SCHEMA", (schema,)),
        Grant(_READ, "TABLE", (schema, _REVISION)),
        *(Grant(_ALL, "TABLE", (schema, name)) for name in _CHANGED),
        *(Grant(("SELECT", "INSERT", "DELETE"), "TABLE", (schema, name)) for name in _REPLACED),
        # Who may set a sequence may draw from it.
        Grant(("SELECT", "UPDATE"), "SEQUENCE", (schema, _NUMBERS)),
    ]


def to_show_state(schema: str) -> Sequence[Grant]:
    """Return what commands need in the state schema that only show it."""
    return [
        Grant(("USAGE",), "SCHEMA", (schema,)),
        *(Grant(_READ, "TABLE", (schema, name)) for name in (_REVISION, *_SHOWN)),
    ]


def lacking(session: Session, grants: Sequence[Grant]) -> Sequence[Grant]:
    """Return what this session's role lacks of grants on schemas and what is in them; readable by any role."""
    single = [(place, grant, privilege) for place, grant in enumerate(grants) for privilege in grant.privileges]
    with session.use() as connection:
        rows = connection.execute(
            _LACKING,
            {
                "places": [place + 1 for place, _, _ in single],
                "kinds": [grant.kind for _, grant, _ in single],
                "schemas": [grant.name[0] for _, grant, _ in single],
                "names": [grant.name[-1] for _, grant, _ in single],
                "privileges": [privilege for _, _, privilege in single],
            },
        ).all()
    found: dict[int, list[str]] = {}
    for row in rows:
        found.setdefault(row.place, []).append(row.privilege)
    return [Grant(tuple(names), grants[place].kind, grants[place].name) for place, names in found.items()]

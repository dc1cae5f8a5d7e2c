"""Some rows of a table or a query, and how many there are in all, without reading all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, literal_column, select, tablesample, text

from syncer.adapters.postgres.keys import PostgresKeyFeed
from syncer.adapters.postgres.session import Session
from syncer.adapters.postgres.sql import has_key, key_of, key_texts, named, number, relation, written_out
from syncer.core.key import Key
from syncer.core.table import Table

#: Pages that rows are taken from, about: those of one page are alike.
_PAGES = 400

_SIZE = text("""
SELECT coalesce(sum(pg_table_size(leaf.oid)), 0)::bigint AS bytes,
       coalesce(sum(pg_relation_size(leaf.oid)), 0)::bigint / current_setting('block_size')::bigint AS pages,
       coalesce(bool_and(p.reltuples >= 0), false) AS analysed
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (
       SELECT c.oid WHERE c.relkind = 'r'
       UNION ALL SELECT relid FROM pg_partition_tree(c.oid) WHERE c.relkind = 'p' AND isleaf) AS leaf (oid)
  JOIN pg_class AS p ON p.oid = leaf.oid
 WHERE n.nspname = :schema AND c.relname = :name
""")


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen."""

    keys: Sequence[Key]
    #: In all; those that a condition leaves without document among them.
    rows: int
    #: All rows were seen, so that they are counted, not estimated.
    whole: bool
    #: On disk, without indices; None: it is no table.
    bytes: int | None


def sample(session: Session, table: Table, rows: int, seconds: float) -> Sample:
    """Return about so many rows, from pages at random where it is a table that is large. From now on no statement of
    the session takes longer than that: SourceUnavailable."""
    with session.use() as connection:
        connection.execute(text("SELECT set_config('statement_timeout', :limit, false)"), {"limit": f"{seconds}s"})
        on_disk = None
        if not table.derived:
            on_disk = connection.execute(_SIZE, {"schema": table.schema, "name": table.name}).one()
    size = on_disk.bytes if on_disk else None
    keys = PostgresKeyFeed(session, table).read(None, None, rows + 1)
    if len(keys) <= rows:
        return Sample(keys, len(keys), True, size)
    with session.use() as connection:
        planned = _planned(connection, table)
        if on_disk is None:
            return Sample(keys[:rows], max(planned, rows), False, size)
        spread, counted = _spread(connection, table, rows, min(1.0, _PAGES / max(on_disk.pages, 1)))
    # Of a table that was never analysed the planner knows how large it is, and guesses how long its rows are.
    found = planned if on_disk.analysed or not spread else counted
    return Sample(spread or keys[:rows], max(found, rows), False, size)


def _planned(connection: Connection, table: Table) -> int:
    """Return how many rows the planner takes it to have: by the last ANALYZE, and how the files grew since."""
    rows = written_out(select(number(1)).select_from(relation(table)))
    # Without parameters a percent sign is one.
    explained = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {rows}", execution_options={"no_parameters": True})
    return int(explained.scalar_one()[0]["Plan"]["Plan Rows"])


def _spread(connection: Connection, table: Table, rows: int, share: float) -> tuple[Sequence[Key], int]:
    """Return rows from a share of the pages at random, and how many rows that share comes to in all.

    The first by key would be the oldest, which are often not like the others.
    """
    some = tablesample(relation(table), func.system(literal_column(f"{100 * share:.6f}")), name="some")
    columns = named(table, some)
    keys = select(*key_texts(table, columns), func.count().over()).select_from(some).where(*has_key(table, columns))
    found = connection.execute(keys.order_by(func.random()).limit(number(rows))).all()
    return [key_of(row, table) for row in found], round(int(found[0][-1]) / share) if found else 0

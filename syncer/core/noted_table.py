"""Which tables triggers note the rows of, and which of their columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from syncer.core.relation import Join
from syncer.core.table import Table


@dataclass(frozen=True, slots=True)
class NotedTable:
    """A table, with the key and the routing that are noted of it."""

    table: Table
    #: By which documents reach its rows, and rows beyond: what is noted besides.
    columns: frozenset[str]


#: The tables that a pipeline's documents are made of: the root, and the ways from it to the others (`core.way`).
Documents = tuple[Table, Sequence[Sequence[Join]]]


def noted_tables(of: Documents, others: Sequence[Documents] = ()) -> Sequence[NotedTable]:
    """Return the tables of a pipeline, the root first, with what it and other pipelines need noted of them.

    A table has one set of triggers: where one pipeline goes without its watermark, they note every change of it. A root
    is noted by its pipeline's key and routing, by this pipeline's where it is the root of several.
    """
    roots = {str(root): root for root, _ in (*reversed(others), of)}
    joined = [each for documents in (of, *others) for each in _joined(documents)]
    tables: dict[str, Table] = {}
    for table in (of[0], *(table for table, _ in _joined(of))):
        every_change = any(each.watermark is None for each, _ in joined if str(each) == str(table))
        noted = roots.get(str(table), table)
        tables.setdefault(str(table), replace(noted, watermark=None) if every_change else noted)
    columns = {name: frozenset(column for each, column in joined if str(each) == name) for name in tables}
    return [NotedTable(table, columns[name]) for name, table in tables.items()]


def _joined(documents: Documents) -> Iterator[tuple[Table, str]]:
    """Yield every column that a join compares, on either side, with its table.

    On the side before too: ON DELETE SET NULL changes a foreign key and leaves the watermark as it was.
    """
    root, ways = documents
    for way in ways:
        before = root
        for join in way:
            for column_before, column in join.on:
                yield before, column_before
                yield join.table, column
            before = join.table

"""Which tables triggers note the rows of, and which of their columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from syncer.core.feed import Feed
from syncer.core.table import Table


@dataclass(frozen=True, slots=True)
class NotedTable:
    """A table, with the key and the routing that are noted of it."""

    table: Table
    #: By which documents reach its rows, and rows beyond: what is noted besides.
    columns: frozenset[str]


def noted_tables(of: Sequence[Feed], others: Sequence[Feed] = ()) -> Sequence[NotedTable]:
    """Return the tables of a pipeline's feeds, first those with the key, with what it and others need noted of them.

    A table has one set of triggers: where one pipeline goes without its watermark, they note every change of it. The
    table of a pipeline is noted by its key and routing, by this pipeline's where it is the table of several.
    """
    feeds = (*of, *others)
    # Those of queries in an order that is the same for all pipelines, then the tables of pipelines, this one's last.
    of_queries = sorted((feed for feed in feeds if feed.of_query), key=lambda feed: feed.table.key)
    last = [*of_queries, *(feed for feed in (*reversed(others), *of) if not feed.of_query)]
    roots = {str(feed.table): feed.table for feed in last}
    joined = [each for feed in feeds for each in _joined(feed)]
    unstamped = {
        str(table)
        for table in (*(feed.table for feed in feeds), *(table for table, _ in joined))
        if not table.watermark
    }
    tables: dict[str, Table] = {}
    for table in (*(feed.table for feed in of), *(table for feed in of for table, _ in _joined(feed))):
        noted = roots.get(str(table), table)
        tables.setdefault(str(table), replace(noted, watermark=None) if str(table) in unstamped else noted)
    columns = {name: frozenset(column for each, column in joined if str(each) == name) for name in tables}
    return [NotedTable(table, columns[name]) for name, table in tables.items()]


def _joined(feed: Feed) -> Iterator[tuple[Table, str]]:
    """Yield every column that a join compares, on either side, with its table; and those that are a query's key.

    On the side before too: ON DELETE SET NULL changes a foreign key and leaves the watermark as it was.
    """
    if feed.of_query:
        yield from ((feed.table, name) for name in feed.table.key)
    for way in feed.ways:
        before = feed.table
        for join in way:
            for column_before, column in join.on:
                yield before, column_before
                yield join.table, column
            before = join.table

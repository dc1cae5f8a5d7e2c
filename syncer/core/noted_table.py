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
    #: Several pipelines have it as their table, with different keys or routings: triggers note one of each.
    contested: bool = False
    #: Some pipeline is to be woken when it changes.
    wakes: bool = False


def noted_tables(of: Sequence[Feed], others: Sequence[Feed] = ()) -> Sequence[NotedTable]:
    """Return the tables of a pipeline's feeds, first those with the key, with what it and others need noted of them.

    A table has one set of triggers, the same whichever pipeline they are installed for: else each installation would
    undo the last one. Where one pipeline goes without its watermark, they note every change of it. The table of a
    pipeline is noted by its key and routing, unless it is contested.
    """
    feeds = (*of, *others)
    roots = [feed.table for feed in (*others, *of) if not feed.of_query]
    # By tables of pipelines; else by feeds of queries, which need no certain key, nor do related tables.
    of_queries = [feed.table for feed in feeds if feed.of_query]
    related = [join.table for feed in feeds for way in feed.ways for join in way]
    noted = {str(table): table for table in (*_by_key(related), *_by_key(of_queries), *roots)}
    joined = [each for feed in feeds for each in _joined(feed)]
    unstamped = {
        str(table)
        for table in (*(feed.table for feed in feeds), *(table for table, _ in joined))
        if not table.watermark
    }
    wakes = {str(table) for feed in feeds if feed.wakes for table in feed.tables}
    names = dict.fromkeys(
        str(table) for table in (*(feed.table for feed in of), *(table for feed in of for table, _ in _joined(feed)))
    )
    found = []
    for name in names:
        table, of_pipelines = noted[name], [each for each in roots if str(each) == name]
        routings = sorted({each.routing for each in of_pipelines if each.routing})
        if routings and table.routing is None:
            table = replace(table, routing=routings[0])
        if name in unstamped:
            table = replace(table, watermark=None)
        contested = len({each.key for each in of_pipelines}) > 1 or len(routings) > 1
        columns = frozenset(column for each, column in joined if str(each) == name)
        found.append(NotedTable(table, columns, contested, name in wakes))
    return found


def _by_key(tables: Sequence[Table]) -> Sequence[Table]:
    """Return them in an order that is the same for all pipelines."""
    return sorted(tables, key=lambda table: table.key)


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

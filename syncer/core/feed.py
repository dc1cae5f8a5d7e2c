"""What tells which documents change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncer.core.relation import Join
from syncer.core.table import Table


@dataclass(frozen=True, slots=True)
class Feed:
    """A table that has the key of documents, and the ways from it to others that they are made of (`core.way`).

    A pipeline's own table is its only feed; a query or a view has some in its place.
    """

    table: Table
    ways: Sequence[Sequence[Join]] = ()
    #: Of a query or a view. What triggers note of its rows leads to documents by columns: their key may be another one.
    of_query: bool = False
    #: Triggers are to tell of each commit that changes one of these tables, so that no poll need wait for its time.
    wakes: bool = False

    @property
    def tables(self) -> Sequence[Table]:
        """All of them, some perhaps more than once."""
        return (self.table, *(join.table for way in self.ways for join in way))

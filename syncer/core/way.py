"""The ways from a root table to the tables whose rows are in its documents: each is followed by a feed of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from syncer.core.field import Field
from syncer.core.relation import Join


def ways(fields: Sequence[Field]) -> Sequence[Sequence[Join]]:
    """Return every way once, as the joins from the root to a table, which is the last one's; to tables between as well.

    Two that lead over the same columns are one, with a watermark where one of them has it.
    """
    found: dict[tuple[object, ...], Sequence[Join]] = {}
    for way in _ways(fields, ()):
        steps = tuple((str(join.table), join.on) for join in way)
        if steps not in found or found[steps][-1].table.watermark is None:
            found[steps] = way
    return list(found.values())


def _ways(fields: Sequence[Field], before: tuple[Join, ...]) -> Iterator[Sequence[Join]]:
    for field in fields:
        if field.related is None:
            continue
        joins = before + field.related.relation.joins
        for length in range(len(before) + 1, len(joins) + 1):
            yield joins[:length]
        yield from _ways(field.related.fields, joins)

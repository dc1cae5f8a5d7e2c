"""The ways from a root table to the tables whose rows are in its documents: each is followed by a feed of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from syncer.core.field import Field
from syncer.core.relation import Join, Relation


def ways(fields: Sequence[Field]) -> Sequence[Sequence[Join]]:
    """Return every way once, as the joins from the root to a table, which is the last one's; to tables between as well.

    Two that lead over the same columns are one, with a watermark where one of them has it.
    """
    return _once(_ways(fields, ()))


def ways_over(relations: Mapping[str, Relation]) -> Sequence[Sequence[Join]]:
    """Return every way that relations lead, like `ways`, whatever is taken from them."""
    return _once(_ways_over(relations, ()))


def _once(ways: Iterable[Sequence[Join]]) -> Sequence[Sequence[Join]]:
    found: dict[tuple[object, ...], Sequence[Join]] = {}
    for way in ways:
        steps = tuple((str(join.table), join.on) for join in way)
        if steps not in found or found[steps][-1].table.watermark is None:
            found[steps] = way
    return list(found.values())


def _ways(fields: Sequence[Field], before: tuple[Join, ...]) -> Iterator[Sequence[Join]]:
    for field in fields:
        if field.related is None:
            continue
        joins = before + field.related.relation.joins
        yield from _steps(before, joins)
        yield from _ways(field.related.fields, joins)


def _ways_over(relations: Mapping[str, Relation], before: tuple[Join, ...]) -> Iterator[Sequence[Join]]:
    for relation in relations.values():
        joins = before + relation.joins
        yield from _steps(before, joins)
        yield from _ways_over(relation.relations, joins)


def _steps(before: Sequence[Join], joins: Sequence[Join]) -> Iterator[Sequence[Join]]:
    for length in range(len(before) + 1, len(joins) + 1):
        yield joins[:length]

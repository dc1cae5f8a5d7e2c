"""The fields of a document, as they come out of the columns of tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from syncer.core.relation import Aggregate, Relation
from syncer.core.vector import PIECE_FIELD, Chunks

#: What syncer keeps in each document: its key and its hash, so that an index can be compared without moving documents.
OWN_FIELD = "_syncer"


@dataclass(frozen=True, slots=True)
class Related:
    """What a field takes from related rows, in place of a column of its own."""

    relation: Relation
    #: Each row is an object of these; none: it is the value of the field's column.
    fields: tuple[Field, ...] = ()
    #: One value of all rows, each row having that of the field's column.
    aggregate: Aggregate | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the document, filled from one column, or from related rows."""

    name: str
    #: Of the table, or of the related one; empty where whole rows are taken, or counted.
    column: str
    #: Elasticsearch's name of the type.
    type: str
    analyzer: str | None = None
    #: With a `keyword` sub-field, for exact matches, sorting and facets.
    keyword: bool = False
    #: With an `autocomplete` sub-field of edge n-grams.
    autocomplete: bool = False
    #: Weight in keyword search.
    boost: float = 1.0
    #: Further mapping parameters, as Elasticsearch names them.
    options: Mapping[str, Any] = field(default_factory=dict)
    #: None: the column is the table's own.
    related: Related | None = None


@dataclass(frozen=True, slots=True)
class VectorField:
    """A field that holds the embedding of a text made of other fields."""

    name: str
    #: Field names in braces; doubled braces stand for themselves: `{title}\n\n{body}`.
    template: str
    dims: int
    #: Elasticsearch's name for how near two vectors are.
    similarity: str = "cosine"
    #: How the index searches it: a graph (`hnsw`), of vectors as they are or of shorter ones, or one by one (`flat`).
    index: str = "int8_hnsw"
    #: None: what the model does not read of a text is lost.
    chunks: Chunks | None = None
    #: What the configuration calls it, for messages.
    setting: str = field(default="embedding", compare=False)

    @property
    def nested(self) -> bool:
        """Tell whether it holds objects, one for each piece of the text."""
        return self.chunks is not None and not self.chunks.mean

    @property
    def path(self) -> str:
        """The field that a search for vectors names."""
        return f"{self.name}.{PIECE_FIELD}" if self.nested else self.name


def field_at(fields: Sequence[Field], path: str) -> Field | None:
    """Return the field that a dotted path leads to: one in an object as if the document had it, values of many rows as
    an array."""
    for each in fields:
        if each.name == path:
            return each
        if each.related and path.startswith(f"{each.name}."):
            inner = field_at(each.related.fields, path.removeprefix(f"{each.name}."))
            if inner is not None:
                outer, further = each.related.relation, inner.related or Related(each.related.relation)
                way = further if inner.related is None else replace(further, relation=outer.then(further.relation))
                return replace(inner, related=way)
    return None


def value_paths(fields: Sequence[Field], prefix: str = "") -> Iterator[str]:
    """Yield the dotted paths of all fields that hold values."""
    for each in fields:
        if each.related and each.related.fields:
            yield from value_paths(each.related.fields, f"{prefix}{each.name}.")
        else:
            yield f"{prefix}{each.name}"

"""What a pipeline's settings come to on the database that is there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncer.adapters.elastic.mapping import IndexSettings, index_settings, kept_settings, mapping
from syncer.adapters.postgres.documents import field_values, hydration_statement
from syncer.adapters.postgres.session import OUTPUT_SETTINGS
from syncer.app.pipeline_settings import PipelineSettings
from syncer.core.definition import FURTHER, only_adds
from syncer.core.feed import Feed
from syncer.core.field import Field, VectorField
from syncer.core.fingerprint import fingerprint
from syncer.core.relation import Join
from syncer.core.table import Table
from syncer.core.vector import Chunks


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A pipeline before anything is connected: no index is touched to know it."""

    name: str
    settings: PipelineSettings
    table: Table
    #: What tells which documents change.
    feeds: Sequence[Feed]
    fields: Sequence[Field]
    vectors: Sequence[VectorField]
    #: What of related rows decides on the shards of documents, if it does.
    routing: Field | None
    mapping: Mapping[str, Any]
    index: IndexSettings
    #: All that decides on what an index holds, by part, as JSON gives it back.
    definition: Mapping[str, Any]

    @property
    def fingerprint(self) -> Mapping[str, str]:
        return fingerprint(self.definition)

    def grows_from(self, built: Mapping[str, Any]) -> bool:
        """Tell whether this only adds fields, sub-fields or embeddings to what an index was built from."""
        if not only_adds(built, self.definition):
            return False
        hydration = built["hydration"]
        fields = {field.name: field for field in self.fields}
        vectors = {vector.name: vector for vector in self.vectors}
        # Not by comparing what the statement is made of: what is forgotten there would pass for equal.
        of_built = hydration_statement(
            self.table,
            [fields[name] for name, _ in hydration["fields"] if name in fields],
            [vectors[name] for name in hydration["vectors"] if name in vectors],
            self.routing,
        )
        return bool(of_built == hydration["statement"])


def draw_up(
    name: str,
    settings: PipelineSettings,
    alias: str,
    table: Table,
    feeds: Sequence[Feed],
    fields: Sequence[Field],
    vectors: Sequence[VectorField],
    model: Mapping[str, str] | None,
    transform: Mapping[str, Any] | None = None,
    routing: Field | None = None,
) -> Blueprint:
    """Return the blueprint of a pipeline; model: what tells the vectors of one from those of another, if there are any.
    transform: likewise of documents. routing: of related rows.

    Raises ConfigurationError where a template names no field, or Elasticsearch could not have such an index.
    """
    index = IndexSettings(
        settings.index.shards, settings.index.replicas, settings.index.refresh_interval, settings.index.settings
    )
    body = mapping(fields, vectors)
    # What loading leaves out can change in place; all other settings are given at creation.
    changeable = kept_settings(index).keys()
    parts: dict[str, Any] = {
        "alias": alias,
        "mapping": body,
        "settings": {key: value for key, value in index_settings(index).items() if key not in changeable},
        "hydration": _hydration(table, fields, vectors, routing),
    }
    if vectors and model:
        parts["embedding"] = {**model, **_embedding(vectors)}
    if transform:
        parts["transform"] = transform
    definition = json.loads(json.dumps(parts))
    return Blueprint(name, settings, table, feeds, fields, vectors, routing, body, index, definition)


def _embedding(vectors: Sequence[VectorField]) -> Mapping[str, Any]:
    """Return what decides on the vectors besides the model; how they are indexed stands in the mapping."""
    first, *further = ({"template": vector.template, **_cut(vector.chunks)} for vector in vectors)
    named = dict(zip([vector.name for vector in vectors[1:]], further, strict=True))
    return {**first, FURTHER: named} if named else first


def _cut(chunks: Chunks | None) -> Mapping[str, Any]:
    if chunks is None:
        return {}
    return {"chunk": {"tokens": chunks.tokens, "overlap": chunks.overlap, "pool": "mean" if chunks.mean else None}}


def _hydration(
    table: Table, fields: Sequence[Field], vectors: Sequence[VectorField], routing: Field | None
) -> Mapping[str, Any]:
    """Return the statement with its session's settings, and beside them what it is made of, so that people are told."""
    made_of = {
        "table": None if table.query else str(table),
        "query": table.query,
        "key": ", ".join(table.key),
        "soft_delete": table.soft_delete,
        "where": table.where,
        "routing": table.routing or (routing.name if routing else None),
        "relations": {**(_relations([routing]) if routing else {}), **_relations(fields)} or None,
    }
    return {
        **{name: value for name, value in made_of.items() if value is not None},
        "statement": hydration_statement(table, fields, vectors, routing),
        "session": dict(OUTPUT_SETTINGS),
        # In the order of the document.
        "fields": [[name, value] for name, value in field_values(table, fields).items()],
        "vectors": [vector.name for vector in vectors],
    }


def _relations(fields: Sequence[Field], prefix: str = "") -> Mapping[str, Any]:
    """Return what decides on the rows of each relation, by its path."""
    found: dict[str, Any] = {}
    for field in fields:
        if field.related is None:
            continue
        of, path = field.related.relation, f"{prefix}{field.related.relation.name}"
        # Of a way over several relations the last one's table: where more of them changes, the statement does.
        joins, many = (of.joins, of.many) if "." not in of.name else (of.joins[-1:], False)
        made_of = {
            "on": ", ".join(f"{join.table} on {_equal(join)}" for join in joins),
            "key": ", ".join(of.table.key),
            "soft_delete": {str(join.table): join.table.soft_delete for join in joins if join.table.soft_delete},
            "where": {str(join.table): join.table.where for join in joins if join.table.where},
            "many": many,
            "order_by": ", ".join(f"{'-' if order.descending else ''}{order.column}" for order in of.order),
            "limit": of.limit,
        }
        told = {name: value for name, value in made_of.items() if value}
        found[path] = found.get(path, told) if "." in of.name else told
        found |= _relations(field.related.fields, f"{path}.")
    return found


def _equal(join: Join) -> str:
    return " and ".join(f"{other} = {column}" for other, column in join.on)

"""The body of an index: the mapping of its fields, and its settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncer.core.error import ConfigurationError
from syncer.core.field import OWN_FIELD, Field, VectorField
from syncer.core.vector import PIECE_FIELD

#: Longer values are stored, not indexed: Lucene refuses terms above 32,766 bytes, and a character takes up to four.
IGNORE_ABOVE = 8191

_AUTOCOMPLETE = "syncer_autocomplete"
_TYPED = "syncer_typed"
_GRAM_MIN, _GRAM_MAX = 2, 15
_GRAPHS = frozenset({"hnsw", "int8_hnsw", "int4_hnsw", "bbq_hnsw"})
#: Vectors of fewer dimensions cannot be made so short.
_BBQ_DIMS_MIN = 64

_ANALYSIS: Mapping[str, Any] = {
    f"analysis.tokenizer.{_AUTOCOMPLETE}.type": "edge_ngram",
    f"analysis.tokenizer.{_AUTOCOMPLETE}.min_gram": _GRAM_MIN,
    f"analysis.tokenizer.{_AUTOCOMPLETE}.max_gram": _GRAM_MAX,
    f"analysis.tokenizer.{_AUTOCOMPLETE}.token_chars": ["letter", "digit"],
    f"analysis.analyzer.{_AUTOCOMPLETE}.type": "custom",
    f"analysis.analyzer.{_AUTOCOMPLETE}.tokenizer": _AUTOCOMPLETE,
    f"analysis.analyzer.{_AUTOCOMPLETE}.filter": ["lowercase"],
    # What is typed is cut where the index was: by the standard tokenizer "foo_bar" would be one word there, two here.
    f"analysis.tokenizer.{_TYPED}.type": "pattern",
    f"analysis.tokenizer.{_TYPED}.pattern": r"[^\p{L}\p{Nd}]+",
    # And a word shorter or longer than every gram would match nothing.
    f"analysis.filter.{_TYPED}_long.type": "truncate",
    f"analysis.filter.{_TYPED}_long.length": _GRAM_MAX,
    f"analysis.filter.{_TYPED}_short.type": "length",
    f"analysis.filter.{_TYPED}_short.min": _GRAM_MIN,
    f"analysis.analyzer.{_TYPED}.type": "custom",
    f"analysis.analyzer.{_TYPED}.tokenizer": _TYPED,
    f"analysis.analyzer.{_TYPED}.filter": ["lowercase", f"{_TYPED}_long", f"{_TYPED}_short"],
}

#: Settings that `index.settings` may not hold, and what to do instead.
_REFUSED: Mapping[str, str] = {
    "translog.durability": "leave it out: acknowledged must mean durable, or a crash loses rows that nobody misses",
    "number_of_shards": "use index.shards",
    "number_of_replicas": "use index.replicas",
    "refresh_interval": "use index.refresh_interval",
}


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """How an index is kept once it is loaded."""

    shards: int = 1
    replicas: int = 1
    refresh_interval: str = "1s"
    #: Further settings as Elasticsearch names them, nested or dotted, with or without the leading `index.`.
    settings: Mapping[str, Any] = field(default_factory=dict)


def mapping(fields: Sequence[Field], vectors: Sequence[VectorField]) -> dict[str, Any]:
    """Return the mapping: what is not declared is refused, at every level.

    Raises ConfigurationError for a nested field without `properties`, which could hold nothing, and for vectors of a
    length that their index does not take.
    """
    properties = {field_.name: field_mapping(field_) for field_ in fields}
    properties |= {vector.name: _vector(vector) for vector in vectors}
    properties[OWN_FIELD] = {
        "dynamic": "strict",
        "properties": {
            "key": {"type": "keyword", "index": False, "doc_values": True},
            "hash": {"type": "long", "index": False, "doc_values": True},
        },
    }
    # Without `_routing: {required: true}` also where documents are routed: the removal of a key whose routing nobody
    # knows, and of a row whose routing is NULL, would be refused with 400.
    return {"dynamic": "strict", "properties": properties}


def index_settings(settings: IndexSettings) -> dict[str, Any]:
    """Return all settings, flat. Raises ConfigurationError where `index.settings` holds one that is not its to hold."""
    extra = dict(_flat(settings.settings))
    for name, remedy in _REFUSED.items():
        if name in extra:
            raise ConfigurationError(f"index.settings may not hold {name}", hint=remedy)
    return {
        "number_of_shards": settings.shards,
        **kept_settings(settings),
        "translog.durability": "request",
        # Versions of deleted documents are remembered longer than any bulk is under way.
        "gc_deletes": "1h",
        **_ANALYSIS,
        **extra,
    }


def while_loading(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mapping for a load: as it is, but vectors are only stored, and searched one by one."""
    return {**body, "properties": {name: _without_graph(field_) for name, field_ in body.get("properties", {}).items()}}


def graphs(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that `while_loading` changes, as they are to be for searches."""
    return {name: field_ for name, field_ in body.get("properties", {}).items() if _without_graph(field_) != field_}


def _without_graph(declared: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a field without the graph of its vectors, or of those in its objects."""
    if _has_graph(declared):
        return {**declared, "index_options": {"type": "flat"}}
    if declared.get("type") == "nested":
        return {
            **declared,
            "properties": {name: _without_graph(field_) for name, field_ in declared["properties"].items()},
        }
    return declared


def _has_graph(declared: Mapping[str, Any]) -> bool:
    # Without `dims` the server adds them to the mapping, which could not be put again.
    graph = declared.get("index_options", {}).get("type") in _GRAPHS
    return declared.get("type") == "dense_vector" and graph and "dims" in declared


def kept_settings(settings: IndexSettings) -> dict[str, Any]:
    """Return the settings that loading leaves out and publishing restores."""
    return {"number_of_replicas": settings.replicas, "refresh_interval": settings.refresh_interval}


#: While an index is loaded nobody searches it, and every replica would index each document again.
LOADING: Mapping[str, Any] = {"number_of_replicas": 0, "refresh_interval": "-1"}


def field_mapping(field_: Field) -> dict[str, Any]:
    """Return the mapping of one field; raises like `mapping`."""
    declared: dict[str, Any] = {"type": field_.type}
    inner = field_.related.fields if field_.related else ()
    if inner and field_.type != "flattened":
        declared["properties"] = {each.name: field_mapping(each) for each in inner}
        return _strict({**declared, **field_.options})
    if field_.type in {"keyword", "flattened"}:
        declared["ignore_above"] = IGNORE_ABOVE
    if field_.type == "object" and "properties" not in field_.options:
        declared["enabled"] = False
    if field_.type == "nested" and "properties" not in field_.options:
        raise ConfigurationError(
            f"field {field_.name!r}: a nested field needs `properties`",
            hint="declare them, or use type flattened or object",
        )
    if field_.analyzer:
        declared["analyzer"] = field_.analyzer
    sub_fields: dict[str, Any] = {}
    if field_.keyword:
        sub_fields["keyword"] = {"type": "keyword", "ignore_above": IGNORE_ABOVE}
    if field_.autocomplete:
        sub_fields["autocomplete"] = {"type": "text", "analyzer": _AUTOCOMPLETE, "search_analyzer": _TYPED}
    if sub_fields:
        declared["fields"] = sub_fields
    return _strict({**declared, **field_.options})


def _strict(declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return it with `dynamic: strict` at every level that has properties and does not say otherwise."""
    if "properties" not in declared:
        return dict(declared)
    properties = {name: _strict(inner) for name, inner in declared["properties"].items()}
    return {"dynamic": "strict", **declared, "properties": properties}


def _vector(vector: VectorField) -> dict[str, Any]:
    """Pinned to the last option: the server's default changes with its version and with the number of dimensions."""
    if vector.index == "int4_hnsw" and vector.dims % 2:
        raise ConfigurationError(
            f"{vector.setting}.index: int4_hnsw takes vectors of even length, and those of {vector.name} have "
            f"{vector.dims}",
            hint="choose int8_hnsw",
        )
    if vector.index == "bbq_hnsw" and vector.dims < _BBQ_DIMS_MIN:
        raise ConfigurationError(
            f"{vector.setting}.index: bbq_hnsw takes vectors of {_BBQ_DIMS_MIN} dimensions or more, and those of "
            f"{vector.name} have {vector.dims}",
            hint="choose int8_hnsw",
        )
    options = {"m": 16, "ef_construction": 100} if vector.index in _GRAPHS else {}
    declared = {
        "type": "dense_vector",
        "dims": vector.dims,
        "index": True,
        "similarity": vector.similarity,
        "index_options": {"type": vector.index, **options},
    }
    return _strict({"type": "nested", "properties": {PIECE_FIELD: declared}}) if vector.nested else declared


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}.")
        else:
            yield path.removeprefix("index."), value

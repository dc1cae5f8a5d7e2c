"""Documents to write, and indices for them."""

from __future__ import annotations

import struct
from typing import Any

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.core.change import Document, Draft
from syncer.core.field import Field, VectorField
from tests.conftest import Elastic

META = {"pipeline": "articles", "fingerprint": {"mapping": "1"}}
FIELDS = [Field("title", "title", "text", analyzer="english", keyword=True, autocomplete=True)]
_NUMBERS = ["long", "integer", "short", "byte", "double", "float", "half_float"]
_RANGES = ["integer_range", "long_range", "double_range", "date_range", "ip_range"]
_OTHERS = ["keyword", "boolean", "date", "date_nanos", "ip", "binary", "object", "flattened", "geo_point"]
_NESTED = {"properties": {"name": {"type": "keyword"}}}
#: One of each type that a column can become.
KINDS = [*FIELDS, *(Field(kind, kind, kind) for kind in _NUMBERS + _RANGES + _OTHERS)]
KINDS += [Field("tags", "tags", "nested", options=_NESTED)]


def a_document(key: str, body: str = "{}", *, version: int = 100, vector: list[float] | None = None) -> Document:
    vectors = {"v": struct.pack("<3f", *vector)} if vector else {}
    return Document(Draft((key,), body, -7, {}), vectors, version)


def indices_of(elastic: Elastic, fields: list[Field] = FIELDS, **settings: Any) -> ElasticIndices:
    vectors = [VectorField("v", "{title}", 3)]
    return ElasticIndices(elastic.client, mapping(fields, vectors), IndexSettings(**settings))


def behind(elastic: Elastic, alias: str) -> set[str]:
    return set(elastic.client.indices.get_alias(name=alias))


def versions_of(elastic: Elastic, index: str) -> dict[str, Any]:
    """Return how often the settings and the mapping were changed."""
    state = elastic.client.cluster.state(metric="metadata", index=index, filter_path="metadata.indices.*")
    found = state["metadata"]["indices"][index]
    return {part: found[f"{part}_version"] for part in ("settings", "mapping")}

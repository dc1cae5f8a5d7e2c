"""A small index for searches, and what stands in for a model."""

from __future__ import annotations

import json
import struct
from typing import Any

from syncer.adapters.elastic.indices import ElasticIndices
from syncer.adapters.elastic.mapping import IndexSettings, mapping
from syncer.adapters.elastic.search.searched import Searched
from syncer.adapters.elastic.sink import ElasticSink
from syncer.core.change import Document, Draft
from syncer.core.field import Field, Related, VectorField
from syncer.core.index import write_alias
from syncer.core.outcome import Applied
from syncer.core.relation import Join, Relation
from syncer.core.table import Table
from tests.conftest import Elastic

AUTHORS = Relation("author", (Join(Table("public", "author", {}, ("id",), None), (("author_id", "id"),)),))
AUTHOR = Related(
    AUTHORS,
    (Field("name", "name", "text", boost=2, autocomplete=True), Field("country", "country", "keyword")),
)
COMMENTS = Related(AUTHORS, (Field("body", "body", "text"), Field("stars", "stars", "integer")))
FIELDS = [
    Field("title", "title", "text", analyzer="english", keyword=True, autocomplete=True, boost=3),
    Field("body", "body", "text"),
    Field("tags", "tags", "keyword"),
    Field("year", "year", "integer"),
    Field("seen", "seen", "date"),
    Field("place", "place", "geo_point"),
    Field("free", "free", "boolean"),
    Field("address", "address", "ip"),
    Field("span", "span", "integer_range"),
    Field("attributes", "attributes", "flattened"),
    Field("author", "", "object", related=AUTHOR),
    Field("comments", "", "nested", related=COMMENTS),
    Field("notes", "notes", "nested", options={"properties": {"text": {"type": "text"}}}),
    Field("raw", "raw", "object"),
    Field("town.name", "town", "text", boost=2),
]
VECTORS = [VectorField("embedding", "{title}", 2)]

#: Key, document, direction of its vector.
DOCUMENTS: list[tuple[str, dict[str, Any], tuple[float, float]]] = [
    (
        "river",
        {
            "title": "Rivers",
            "body": "Water flows to the sea.",
            "tags": ["water"],
            "year": 2001,
            "seen": "2024-01-31T10:00:00Z",
            "place": {"lat": 50.0, "lon": 8.0},
            "free": True,
            "comments": [{"body": "wet", "stars": 2}, {"body": "long", "stars": 5}],
        },
        (1.0, 0.0),
    ),
    (
        "canal",
        {
            "title": "Canals",
            "body": "Like rivers, but dug.",
            "tags": ["water", "works"],
            "year": 2002,
            "seen": "2024-02-01T00:00:00Z",
            "place": {"lat": 54.3, "lon": 10.1},
            "free": False,
            "address": "192.168.0.7",
            "town.name": "Kiel",
        },
        (0.8, 0.5),
    ),
    (
        "bridge",
        {
            "title": "Bridges",
            "body": "They cross rivers & <b>more</b>.",
            "tags": ["works"],
            "year": 2002,
            "seen": "2024-02-20T00:00:00Z",
            "span": {"gte": 10, "lte": 20},
            "comments": [{"body": "high", "stars": 4}],
        },
        (0.5, 0.8),
    ),
    (
        "poem",
        {
            "title": "A poem",
            "author": {"name": "Rilke", "country": "AT"},
            "comments": [{"body": "marvellous", "stars": 5}],
        },
        (0.0, 1.0),
    ),
    ("oak", {"title": "Oak", "attributes": {"wood": "hard"}, "raw": {"x": 1}}, (-1.0, 0.2)),
    ("gravel", {"title": "Gravel", "body": "Granite, granite, granite."}, (-1.0, 0.1)),
    ("rock", {"title": "Kinds of rock, such as granite, and where they are", "body": "Many."}, (-1.0, 0.0)),
]


def direction(_text: str) -> bytes:
    """Stand in for a model: whatever is asked, the sea is meant."""
    return struct.pack("<2f", 1.0, 0.05)


def filled(elastic: Elastic, prefix: str, *, shards: int = 1, embedding: str | None = None) -> Searched:
    """Return what searches an index with the documents, made for this."""
    name, alias = f"{prefix}-1", f"{prefix}-all"
    indices = ElasticIndices(elastic.client, mapping(FIELDS, VECTORS), IndexSettings(shards=shards, replicas=0))
    indices.create(name, {"pipeline": "p", "fingerprint": {"embedding": embedding}})
    writes = [
        Document(Draft((key,), json.dumps(body), 1, {}), {"embedding": struct.pack("<2f", *vector)}, 1)
        for key, body, vector in DOCUMENTS
    ]
    assert ElasticSink(elastic.client, write_alias(name)).write(writes) == [Applied(created=True)] * len(writes)
    indices.publish(name, alias)
    return Searched(alias, FIELDS, VECTORS, embedding)

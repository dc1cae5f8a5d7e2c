"""The body of an index."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncer.adapters.elastic.mapping import IndexSettings, graphs, index_settings, mapping, while_loading
from syncer.core.error import ConfigurationError
from syncer.core.field import Field, VectorField
from syncer.core.vector import Chunks


def the_property(field: Field) -> dict[str, Any]:
    declared: dict[str, Any] = mapping([field], [])["properties"][field.name]
    return declared


def test_what_is_not_declared_is_refused_at_every_level() -> None:
    """`dynamic` is strict in the root and in every object that has properties, however deep."""
    inner = {"properties": {"first": {"type": "keyword"}, "home": {"properties": {"town": {"type": "keyword"}}}}}
    made = mapping([Field("author", "author", "object", options=inner), Field("n", "n", "nested", options=inner)], [])
    assert made["dynamic"] == "strict"
    for name in ("author", "n"):
        assert made["properties"][name]["dynamic"] == "strict"
        assert made["properties"][name]["properties"]["home"]["dynamic"] == "strict"
        assert "dynamic" not in made["properties"][name]["properties"]["first"]
    assert made["properties"]["_syncer"]["dynamic"] == "strict"


def test_every_document_carries_its_key_and_hash_as_doc_values_only() -> None:
    """`_syncer` is there without any field, and is not indexed."""
    assert mapping([], [])["properties"]["_syncer"]["properties"] == {
        "key": {"type": "keyword", "index": False, "doc_values": True},
        "hash": {"type": "long", "index": False, "doc_values": True},
    }


def test_vector_options_are_pinned() -> None:
    """No option of a vector is left to the server, whose defaults depend on its version and the dimensions."""
    made = mapping([], [VectorField("embedding", "{title}", 384)])
    assert made["properties"]["embedding"] == {
        "type": "dense_vector",
        "dims": 384,
        "index": True,
        "similarity": "cosine",
        "index_options": {"type": "int8_hnsw", "m": 16, "ef_construction": 100},
    }


@pytest.mark.parametrize("index", ["hnsw", "int4_hnsw", "bbq_hnsw", "flat"])
def test_vectors_are_indexed_as_asked_for(index: str) -> None:
    """And a load leaves out every graph, which is built at its end."""
    made = mapping([], [VectorField("embedding", "{title}", 64, index=index)])
    graph = {"m": 16, "ef_construction": 100} if index != "flat" else {}
    assert made["properties"]["embedding"]["index_options"] == {"type": index, **graph}
    assert while_loading(made)["properties"]["embedding"]["index_options"] == {"type": "flat"}
    assert bool(graphs(made)) is bool(graph)


def test_pieces_of_a_text_are_nested() -> None:
    """With the options that one vector would have; their mean is one vector."""
    each = VectorField("v", "{title}", 3, "max_inner_product", chunks=Chunks(256, 32))
    made = mapping([], [each, replace(each, name="m", chunks=Chunks(256, 32, mean=True))])["properties"]
    assert made["v"] == {"type": "nested", "dynamic": "strict", "properties": {"vector": made["m"]}}
    assert (made["m"]["type"], made["m"]["similarity"]) == ("dense_vector", "max_inner_product")


@pytest.mark.parametrize(("index", "dims"), [("int4_hnsw", 383), ("bbq_hnsw", 63)])
def test_vectors_that_an_index_does_not_take_are_refused(index: str, dims: int) -> None:
    """Before the index is created, in words that name the setting."""
    with pytest.raises(ConfigurationError, match=rf"embedding.index: {index} takes .* have {dims}"):
        mapping([], [VectorField("embedding", "{title}", dims, index=index)])


def test_text_has_the_sub_fields_it_asks_for() -> None:
    """`keyword` and `autocomplete` become sub-fields, and nothing does unasked."""
    plain = the_property(Field("title", "title", "text", analyzer="english"))
    assert plain == {"type": "text", "analyzer": "english"}
    full = the_property(Field("title", "title", "text", keyword=True, autocomplete=True))
    assert full["fields"]["keyword"] == {"type": "keyword", "ignore_above": 8191}
    assert full["fields"]["autocomplete"]["analyzer"] != full["fields"]["autocomplete"]["search_analyzer"]


@pytest.mark.parametrize("kind", ["keyword", "flattened"])
def test_values_too_long_for_a_term_are_not_indexed(kind: str) -> None:
    """A value of more than 8191 characters may be longer than a term can be: stored, not indexed, not rejected."""
    assert the_property(Field("tag", "tag", kind)) == {"type": kind, "ignore_above": 8191}


def test_an_object_without_properties_is_stored_and_not_searched() -> None:
    """Its values may be of any shape, which a strict mapping would refuse."""
    assert the_property(Field("extra", "extra", "object")) == {"type": "object", "enabled": False}


def test_a_nested_field_without_properties_is_refused() -> None:
    """It could hold nothing under a strict mapping; the message names the field."""
    with pytest.raises(ConfigurationError, match="'parts'"):
        mapping([Field("parts", "parts", "nested")], [])


def test_options_have_the_last_word() -> None:
    """What the field's options say replaces what syncer would say."""
    made = the_property(Field("tag", "tag", "keyword", options={"ignore_above": 10, "doc_values": False}))
    assert made == {"type": "keyword", "ignore_above": 10, "doc_values": False}


@pytest.mark.parametrize(
    "settings",
    [
        {"translog.durability": "async"},
        {"index.translog.durability": "async"},
        {"translog": {"durability": "async"}},
        {"index": {"translog": {"durability": "async"}}},
        {"index": {"translog.durability": "async"}},
    ],
)
def test_durability_cannot_be_changed(settings: dict[str, Any]) -> None:
    """However it is spelled: under `async` acknowledged writes can be lost unseen."""
    with pytest.raises(ConfigurationError, match=r"translog\.durability"):
        index_settings(IndexSettings(settings=settings))


@pytest.mark.parametrize("name", ["number_of_shards", "number_of_replicas", "refresh_interval"])
def test_a_setting_with_a_key_of_its_own_is_refused_among_the_others(name: str) -> None:
    """Two places for one setting would contradict each other; the hint names the right one."""
    with pytest.raises(ConfigurationError, match=r"use index\."):
        index_settings(IndexSettings(settings={"index": {name: "3"}}))


def test_settings_are_merged_in_either_spelling() -> None:
    """The user's analyzers stand beside syncer's own, and his values replace syncer's where they may."""
    made = index_settings(
        IndexSettings(
            shards=3,
            settings={"analysis": {"analyzer": {"mine": {"type": "standard"}}}, "index.gc_deletes": "2h"},
        )
    )
    assert made["analysis.analyzer.mine.type"] == "standard"
    assert made["gc_deletes"] == "2h"
    assert made["number_of_shards"] == 3
    assert made["translog.durability"] == "request"
    assert sum(name.startswith("analysis.analyzer.") for name in made) > 1

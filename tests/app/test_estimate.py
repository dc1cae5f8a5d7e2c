"""What `check` says a first load will take."""

from __future__ import annotations

import json
from typing import Any

import pytest

from syncer.app.check.estimate import Seen, VectorsSeen, estimate
from syncer.app.check.value_bytes import autocomplete_bytes, keyword_bytes
from tests.app.deployment import Deployment


def seen(**changes: object) -> Seen:
    values = {
        "rows": 1_200_000,
        "counted": False,
        "bytes": 1_100_000_000,
        "sampled": 300,
        "documents": 300,
        "document_bytes": 300_000,
        "id_bytes": 2_000,
        "keyword_bytes": 0,
        "autocomplete_bytes": 0,
        "seconds": 0.01,
    }
    return Seen(**{**values, **changes})  # type: ignore[arg-type]


def test_all_is_in_proportion_to_the_rows() -> None:
    """Twice the rows, twice the index and the time."""
    one, two = estimate(seen()), estimate(seen(rows=2_400_000))
    assert one.document_bytes == 1000
    assert two.index_bytes == pytest.approx(2 * one.index_bytes, rel=0.01)
    assert two.load_seconds == pytest.approx(2 * one.load_seconds)


def test_the_line_says_rows_sizes_and_times() -> None:
    """As people say them; the model's speed is told, for it decides."""
    vectors = [VectorsSeen("int8_hnsw", 384, 1.0)]
    text = str(estimate(seen(vectors=vectors, texts_per_second=95.0)))
    assert text.startswith("about 1,200,000 rows (1.1 GB); index about ")
    assert "load about 1.9 min, about 3.5 h with embedding (95 texts/s here)" in text
    assert "about" not in str(estimate(seen(rows=3, counted=True))).partition(";")[0]


def test_rows_without_document_take_no_place() -> None:
    """A soft delete or a condition leaves them out: as many of all as of the sample."""
    found = estimate(seen(documents=150, document_bytes=150_000, id_bytes=1_000))
    assert found.documents == 600_000
    assert found.index_bytes < estimate(seen()).index_bytes / 1.9


def test_a_slow_query_holds_up_the_load() -> None:
    """Rows are read while others are written: the slower of both decides."""
    assert estimate(seen(seconds=3.0)).load_seconds == pytest.approx(12_000)


def test_vectors_are_counted_by_what_their_index_keeps() -> None:
    """A text in pieces has several."""
    plain = estimate(seen()).index_bytes
    one, four = (
        estimate(seen(vectors=[VectorsSeen("flat", 384, count)], texts_per_second=50.0)) for count in (1.0, 4.0)
    )
    assert one.index_bytes - plain == pytest.approx(1_200_000 * 384 * 4, rel=0.05)
    assert four.index_bytes - plain == pytest.approx(4 * (one.index_bytes - plain), rel=0.01)
    assert four.embedding_seconds == pytest.approx(4 * 24_000)


def test_values_for_exact_matches_count_once() -> None:
    """In objects and arrays too; what is not indexed whole does not count."""
    exact = {"type": "keyword"}
    typed = {"type": "text", "fields": {"keyword": exact, "autocomplete": {"type": "text"}}}
    properties = {
        "kind": exact,
        "title": typed,
        "body": {"type": "text"},
        "tags": exact,
        "author": {"type": "nested", "properties": {"name": exact}},
    }
    documents: list[dict[str, Any]] = [
        {"kind": "abcd", "title": "ä", "body": "x" * 100, "tags": ["aa", "bb"], "author": [{"name": "Ann"}]},
        {"kind": "abcd", "title": "ä", "body": "x" * 100, "tags": ["aa", None], "author": [{"name": "Bob"}]},
        {"kind": None, "title": "c", "author": None},
    ]
    assert keyword_bytes(properties, documents) == 4 + 3 + 4 + 6
    assert autocomplete_bytes(properties, documents) == 5
    assert estimate(seen(keyword_bytes=30_000)).index_bytes > estimate(seen()).index_bytes


def test_an_empty_table_takes_nothing() -> None:
    """Nor does its estimate divide by it."""
    found = estimate(seen(rows=0, counted=True, sampled=0, documents=0, document_bytes=0, id_bytes=0))
    assert (found.index_bytes, found.load_seconds) == (0, 0)


ROWS = """
INSERT INTO articles (id, title, price, updated_at)
    SELECT n, 'title ' || md5(n::text), string_agg(left(md5((n * 31 + i * i) % 3000 || ''), 7), ' '),
           now() - interval '1 hour'
      FROM generate_series(1, {rows}) AS n, generate_series(1, 40) AS i GROUP BY n;
ANALYZE articles
"""


def test_rows_are_estimated_and_documents_sampled(deployment: Deployment) -> None:
    """By the server's statistics; few rows are counted. What a condition leaves out is not loaded."""
    assert deployment.run("migrate")[0] == 0
    deployment.sql(ROWS.format(rows=20_000))
    deployment.configure(where="id % 2 = 0")
    _, document = deployment.json("check")
    found = document["estimates"]["articles"]
    assert found["counted"] is False
    assert found["rows"] == pytest.approx(20_000, rel=0.1)
    assert found["documents"] == pytest.approx(10_000, rel=0.3)
    assert 300 < found["document_bytes"] < 800
    assert found["sampled_rows"] == 300
    assert any("rows (" in finding["what"] for finding in document["findings"])
    deployment.sql("DELETE FROM articles WHERE id > 7")
    _, document = deployment.json("check")
    assert (document["estimates"]["articles"]["rows"], document["estimates"]["articles"]["counted"]) == (7, True)


def test_a_table_that_grew_since_it_was_analysed_is_not_taken_for_small(deployment: Deployment) -> None:
    """Of one that was never analysed pages are counted; of a partitioned one those of its parts."""
    deployment.sql(
        """
        ALTER TABLE articles RENAME TO plain;
        CREATE TABLE articles (LIKE plain INCLUDING DEFAULTS, PRIMARY KEY (id)) PARTITION BY HASH (id);
        CREATE TABLE part_0 PARTITION OF articles FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE part_1 PARTITION OF articles FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        """
    )
    deployment.sql(ROWS.format(rows=20_000).replace("ANALYZE articles", ""))
    found = deployment.json("check")[1]["estimates"]["articles"]
    assert found["rows"] == pytest.approx(20_000, rel=0.5)
    assert found["source_bytes"] > 20_000 * 200


def test_the_index_is_about_as_large_as_was_said(deployment: Deployment) -> None:
    """Against a load of the same rows, on a real Elasticsearch."""
    if not deployment.elastic.real:
        pytest.skip("the embedded engine keeps no files of its own size")
    assert deployment.run("migrate")[0] == 0
    deployment.sql(ROWS.format(rows=5_000))
    said = deployment.json("check")[1]["estimates"]["articles"]["index_bytes"]
    assert deployment.run("run", "--once")[0] == 0
    alias = f"{deployment.prefix}-articles"
    deployment.elastic.client.indices.flush(index=alias)
    stats = deployment.elastic.client.indices.stats(index=alias, metric="store")
    assert said == pytest.approx(stats["_all"]["primaries"]["store"]["size_in_bytes"], rel=0.6)


def test_no_estimate_is_made_of_what_is_wrong(deployment: Deployment) -> None:
    """The finding stands alone."""
    deployment.configure(table="nowhere")
    assert deployment.json("check")[1]["estimates"] == {}


def test_the_mapping_is_shown_as_the_index_is_created(deployment: Deployment) -> None:
    """As JSON among text, and as a part of the document."""
    assert deployment.run("migrate")[0] == 0
    _, document = deployment.json("check", "--show-mapping")
    shown = document["indices"]["articles"]
    assert deployment.run("run", "--once")[0] == 0
    alias = f"{deployment.prefix}-articles"
    (index,) = deployment.elastic.client.indices.get_mapping(index=alias).values()
    created = index["mappings"]["properties"]
    assert shown["mappings"]["properties"].keys() == created.keys()
    assert shown["mappings"]["properties"]["title"] == created["title"]
    assert shown["settings"]["number_of_replicas"] == 0
    _, out, _ = deployment.run("check", "--show-mapping")
    assert json.loads(out.partition("# articles\n")[2]) == shown
    assert "indices" not in deployment.json("check")[1]

"""How two definitions differ, in words, and whether one only adds to the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest

from syncer.core.definition import LINES_MAX, changes, differences_between, only_adds
from syncer.core.fingerprint import fingerprint
from syncer.core.index import IndexRecord, Phase

BUILT: Mapping[str, Any] = {
    "alias": "articles",
    "mapping": {
        "dynamic": "strict",
        "properties": {
            "title": {"type": "text", "analyzer": "english"},
            "body": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 8191}}},
            "author": {"dynamic": "strict", "properties": {"name": {"type": "keyword"}}},
            "vector": {"type": "dense_vector", "index_options": {"type": "int8_hnsw", "m": 16}},
        },
    },
    "settings": {"number_of_shards": 1, "gc_deletes": "1h"},
    "hydration": {
        "table": "public.articles",
        "key": "id",
        "where": "status = 'published'",
        "statement": "SELECT a",
        "session": {"TimeZone": "UTC"},
        "fields": [["title", '"title"'], ["body", '"content"']],
        "vectors": ["vector"],
    },
    "embedding": {"model": "A", "revision": "1", "backend": "torch", "quantisation": "float32", "template": "{title}"},
}

Change = Callable[[dict[str, Any]], Any]


def changed(change: Change) -> dict[str, Any]:
    """Return the definition, changed; a change of hydration changes its statement, too."""
    configured = deepcopy(dict(BUILT))
    change(configured)
    if configured["hydration"] != BUILT["hydration"]:
        configured["hydration"]["statement"] = "SELECT b"
    return configured


def properties(definition: Mapping[str, Any]) -> Any:
    return definition["mapping"]["properties"]


def hydration(definition: Mapping[str, Any], **values: Any) -> Any:
    return definition["hydration"].update(values)


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (dict.copy, []),
        (lambda d: d.update(alias="papers"), ["alias is articles, configured papers"]),
        (
            lambda d: properties(d)["title"].update(analyzer="german"),
            ["mapping: title.analyzer is english, configured german"],
        ),
        (
            lambda d: properties(d)["title"].pop("analyzer"),
            ["mapping: title.analyzer is english, not configured"],
        ),
        (
            lambda d: properties(d)["title"].update(norms=False),
            ["mapping: title.norms is not set, configured false"],
        ),
        (lambda d: properties(d).update(isbn={"type": "keyword"}), ["mapping: isbn is new"]),
        (lambda d: properties(d).pop("vector"), ["mapping: vector was removed"]),
        (lambda d: properties(d)["body"].pop("fields"), ["mapping: body.keyword was removed"]),
        (
            lambda d: properties(d)["body"]["fields"]["keyword"].update(ignore_above=10),
            ["mapping: body.keyword.ignore_above is 8191, configured 10"],
        ),
        (
            lambda d: properties(d)["author"]["properties"].update(born={"type": "date"}),
            ["mapping: author.born is new"],
        ),
        (
            lambda d: properties(d)["vector"]["index_options"].update(m=32),
            ["mapping: vector.index_options.m is 16, configured 32"],
        ),
        (lambda d: d["settings"].update(number_of_shards=3), ["settings: number_of_shards is 1, configured 3"]),
        (lambda d: d["embedding"].update(model="B"), ["embedding: model is A, configured B"]),
        (lambda d: d.pop("embedding"), ["embedding was removed"]),
        (
            lambda d: (d["embedding"].update(template="{title}\n{body}"), hydration(d)),
            ["embedding: template is `{title}`, configured `{title}\\n{body}`"],
        ),
        (
            lambda d: hydration(d, where="status = 'public'\nOR draft"),
            ["hydration: where is `status = 'published'`, configured `status = 'public'\\nOR draft`"],
        ),
        (lambda d: d["hydration"].pop("where"), ["hydration: where is `status = 'published'`, not configured"]),
        (lambda d: hydration(d, routing="tenant"), ["hydration: routing is not set, configured tenant"]),
        (
            lambda d: hydration(d, session={"TimeZone": "PRC"}),
            ["hydration: session.TimeZone is UTC, configured PRC"],
        ),
        (
            lambda d: hydration(d, fields=[["title", '"headline"'], ["body", '"content"']]),
            ['hydration: the value of title is `"title"`, configured `"headline"`'],
        ),
        (
            lambda d: hydration(d, fields=[["body", '"content"'], ["title", '"title"']]),
            ["hydration: the fields stand in another order"],
        ),
        (
            lambda d: hydration(d, statement="SELECT b"),
            ["hydration: the statement is `SELECT a`, configured `SELECT b`"],
        ),
        (
            lambda d: (
                properties(d).update(isbn={"type": "keyword"}),
                hydration(d, fields=[*d["hydration"]["fields"], ["isbn", '"isbn"']]),
            ),
            ["mapping: isbn is new"],
        ),
    ],
)
def test_each_difference_is_a_line(change: Change, lines: list[str]) -> None:
    """What is, and what is configured; what follows from another difference is not told twice."""
    assert differences_between(BUILT, changed(change)) == lines


def test_all_that_differs_is_told() -> None:
    """Part by part, and of fields in the order of the mapping."""

    def change(definition: dict[str, Any]) -> None:
        properties(definition).pop("title")
        properties(definition).update(isbn={"type": "keyword"})
        definition["settings"].update(number_of_shards=2)
        definition.pop("embedding")

    assert differences_between(BUILT, changed(change)) == [
        "mapping: title was removed",
        "mapping: isbn is new",
        "settings: number_of_shards is 1, configured 2",
        "embedding was removed",
    ]


def test_long_values_are_shown_where_they_differ() -> None:
    """Their beginnings may be alike; and a line stays readable."""
    condition = " OR ".join(f"kind = {i}" for i in range(100))
    (line,) = differences_between(
        changed(lambda d: hydration(d, where=f"{condition} OR title = 'a'")),
        changed(lambda d: hydration(d, where=f"{condition} OR title = 'b'")),
    )
    assert line == "hydration: where is `…nd = 99 OR title = 'a'`, configured `…nd = 99 OR title = 'b'`"
    (line,) = differences_between(BUILT, changed(lambda d: hydration(d, where=condition)))
    assert len(line) < 300
    assert line.endswith("…`")


def test_many_differences_are_counted() -> None:
    """A message of thousands of lines says nothing."""
    configured = changed(lambda d: properties(d).update({f"f{i}": {"type": "long"} for i in range(1500)}))
    lines = differences_between(BUILT, configured)
    assert lines[:2] == ["mapping: f0 is new", "mapping: f1 is new"]
    assert lines[LINES_MAX:] == ["and 1,480 more"]


def test_of_an_older_index_the_parts_are_told() -> None:
    """It holds digests alone; of one that holds its definition, everything."""
    configured = changed(lambda d: (d.update(alias="papers"), d["settings"].update(gc_deletes="2h")))
    record = IndexRecord("articles-1", "articles", "articles", Phase.LIVE, 1, fingerprint(BUILT))
    told = changes(record, fingerprint(configured), configured)
    assert told == ["alias changed", "settings changed"]
    assert changes(record, fingerprint(BUILT), BUILT) == []
    whole = IndexRecord("articles-1", "articles", "articles", Phase.LIVE, 1, fingerprint(BUILT), definition=BUILT)
    assert changes(whole, fingerprint(configured), configured) == differences_between(BUILT, configured)


@pytest.mark.parametrize(
    "change",
    [
        dict.copy,
        lambda d: properties(d).update(isbn={"type": "keyword"}),
        lambda d: properties(d)["title"].update(fields={"keyword": {"type": "keyword"}}),
        lambda d: properties(d)["body"]["fields"].update(autocomplete={"type": "text"}),
        lambda d: properties(d)["author"]["properties"].update(born={"type": "date"}),
    ],
)
def test_additions(change: Change) -> None:
    """A field, a sub-field, a property inside: all that Elasticsearch adds to an index that is open."""
    assert only_adds(BUILT, changed(change))


def test_the_first_embedding_is_an_addition() -> None:
    """With the field that holds it; another one in place of it is not, nor its end."""
    without = deepcopy(dict(BUILT))
    without.pop("embedding")
    properties(without).pop("vector")
    assert only_adds(without, BUILT)
    assert not only_adds(BUILT, without)


def test_a_further_embedding_is_an_addition() -> None:
    """Behind the first one, whatever it is made of; not where another one goes or changes."""
    one = changed(lambda d: d["embedding"].update(further={"summary": {"template": "{body}"}}))
    properties(one).update(summary={"type": "dense_vector"})
    assert only_adds(BUILT, one)
    assert not only_adds(one, BUILT)
    other = deepcopy(dict(one))
    other["embedding"]["further"]["summary"].update(chunk={"tokens": 64})
    assert not only_adds(one, other)
    other["embedding"]["further"] = {**one["embedding"]["further"], "more": {"template": "{isbn}"}}
    assert only_adds(one, other)
    assert not only_adds(one, {**other, "embedding": {**other["embedding"], "template": "{body}"}})


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(alias="papers"),
        lambda d: properties(d).pop("author"),
        lambda d: properties(d)["title"].update(analyzer="german"),
        lambda d: properties(d)["title"].update(norms=False),
        lambda d: properties(d)["body"].pop("fields"),
        lambda d: properties(d)["body"]["fields"]["keyword"].update(ignore_above=10),
        lambda d: properties(d)["author"].update(dynamic="true"),
        lambda d: properties(d)["author"]["properties"]["name"].update(type="text"),
        lambda d: d["mapping"].update(dynamic="true"),
        lambda d: d["settings"].update({"analysis.analyzer.mine.type": "custom"}),
        lambda d: d["embedding"].update(model="B"),
        lambda d: d.pop("embedding"),
        lambda d: d.update(transform="mine"),
        lambda d: hydration(d, session={}),
    ],
)
def test_changes_are_no_additions(change: Change) -> None:
    """Also where a field is added beside them: an analyzer cannot be added to an index that is open."""
    configured = changed(change)
    assert not only_adds(BUILT, configured)
    properties(configured).update(isbn={"type": "keyword"})
    assert not only_adds(BUILT, configured)


def test_nothing_is_added_to_what_is_not_known() -> None:
    """An older index holds no definition."""
    assert not only_adds({}, BUILT)

"""Two sorted streams merged into suspects, and single documents judged."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.core.change import Draft
from syncer.core.comparison import (
    Difference,
    Digest,
    Entry,
    Found,
    same_digest,
    same_document,
    same_json,
    suspects,
    verdict,
)
from syncer.core.error import FatalError

HASHES = st.dictionaries(st.text(max_size=3), st.integers(0, 2))
TEXTS: dict[str, str] = {}


def digests(hashes: dict[str, int]) -> list[Digest]:
    return [(id_, hash_, "") for id_, hash_ in sorted(hashes.items())]


def entries(hashes: dict[str, int]) -> list[Entry]:
    return [(key, hash_, "", "") for key, hash_ in sorted(hashes.items())]


def a_draft(key: str = "1", body: str = "{}", hash_: int = 7, **other: Any) -> Draft:
    return Draft((key,), body, hash_, other.pop("texts", TEXTS), **other)


def a_document(key: str | None = "1", hash_: int | None = 7, routing: str = "", **source: Any) -> Found:
    return Found(routing, 100, key, hash_, source)


@given(HASHES, HASHES)
def test_suspects_are_what_the_streams_do_not_agree_on(rows: dict[str, int], documents: dict[str, int]) -> None:
    """Each id that one of them lacks, or has with another hash; in order."""
    found = suspects(digests(rows), entries(documents))
    assert list(found) == sorted(id_ for id_ in {*rows, *documents} if rows.get(id_) != documents.get(id_))


@given(HASHES, HASHES)
def test_every_id_can_be_asked_for(rows: dict[str, int], documents: dict[str, int]) -> None:
    """Those that agree too."""
    assert list(suspects(digests(rows), entries(documents), every=True)) == sorted({*rows, *documents})


@pytest.mark.parametrize(
    ("rows", "documents", "expected"),
    [
        ([("1", 7, "a")], [("1", 7, "b", "")], ["1"]),
        ([("1", 7, "a"), ("2", 7, "")], [("1", 7, "a", ""), ("1", 7, "b", ""), ("2", 7, "", "")], ["1"]),
        ([("1", 7, "a")], [("1", 7, "a", ""), ("1", 8, "b", "")], ["1"]),
        ([("1", 7, "")], [("1", 7, "", ""), ("1", 7, "", "x")], ["x"]),
        ([("1", 7, "")], [("1", 7, "", "x")], ["x", "1"]),
        ([], [("1", 7, "", "x")], ["x"]),
        ([("1", None, "")], [("1", 7, "", "")], ["1"]),
        ([("1", None, "")], [], ["1"]),
    ],
    ids=[
        "elsewhere",
        "twice",
        "twice-last",
        "twice-by-id",
        "other-id",
        "other-id-alone",
        "unreadable",
        "unreadable-alone",
    ],
)
def test_another_place_a_second_document_another_id_and_an_unreadable_row_are_suspects(
    rows: list[Digest], documents: list[Entry], expected: list[str]
) -> None:
    """Wherever in the streams they are."""
    assert list(suspects(rows, documents)) == expected


@pytest.mark.parametrize(
    ("rows", "documents"),
    [
        ([("b", 1, ""), ("a", 1, "")], []),
        ([("a", 1, ""), ("a", 1, "")], []),
        ([], [("b", 1, "", ""), ("a", 1, "", "")]),
        ([("\U0001f511", 1, ""), ("\uffff", 1, "")], []),
    ],
    ids=["rows", "row-twice", "documents", "by-utf-16"],
)
def test_a_stream_out_of_order_is_an_error(rows: Iterable[Digest], documents: Iterable[Entry]) -> None:
    """It would make a row look like one that is gone."""
    with pytest.raises(FatalError, match="out of order"):
        list(suspects(rows, documents))


@pytest.mark.parametrize(
    ("draft", "found", "expected"),
    [
        (None, [], None),
        (None, [a_document()], Difference.EXTRA),
        (None, [a_document(None)], Difference.EXTRA),
        (a_draft(), [], Difference.MISSING),
        (a_draft(), [a_document()], None),
        (a_draft(), [a_document(hash_=8)], Difference.STALE),
        (a_draft(), [a_document(None, None)], Difference.STALE),
        (a_draft(), [a_document("2")], Difference.STALE),
        (a_draft(), [a_document(routing="a")], Difference.MISSING),
        (a_draft(routing="a"), [a_document()], Difference.MISSING),
        (a_draft(routing="a"), [a_document(routing="a")], None),
        (a_draft(routing=""), [a_document()], None),
        (a_draft(routing="a"), [a_document(routing="b"), a_document(routing="a")], Difference.DUPLICATE),
        (a_draft(routing="a"), [a_document(routing="b"), a_document(routing="a", hash_=8)], Difference.STALE),
    ],
)
def test_verdict(draft: Draft | None, found: list[Found], expected: Difference | None) -> None:
    """By where the row belongs, its key and its hash."""
    assert verdict(draft, found, same_digest) is expected


@pytest.mark.parametrize(
    ("body", "source", "same"),
    [
        ('{"n": 1}', {"n": 1.0}, True),
        ('{"n": 1}', {"n": 2}, False),
        ('{"n": 1}', {"n": "1"}, False),
        ('{"n": 1}', {"n": True}, False),
        ('{"n": 0}', {"n": False}, False),
        ('{"n": null}', {}, False),
        ('{"n": null}', {"n": None}, True),
        ('{"n": 9007199254740993}', {"n": 9007199254740993}, True),
        ('{"n": 12345678901234567890.12345678901234567890}', {"n": 12345678901234567000.0}, True),
        ('{"n": 1234567890123456789012345678901234567890}', {"n": 1.2345678901234568e39}, True),
        (f'{{"n": 1{"0" * 400}}}', {"n": 1.0}, False),
        ('{"a": [1, {"b": 2}]}', {"a": [1, {"b": 2.0}]}, True),
        ('{"a": [1, 2]}', {"a": [1]}, False),
        ('{"a": [1, {"b": 2}]}', {"a": [1, {"b": 3}]}, False),
        ('{"t": "x"}', {"t": "x", "more": 1}, False),
    ],
)
def test_documents_are_compared_by_value(body: str, source: dict[str, Any], same: bool) -> None:
    """Numbers as doubles, whatever way they are written; everything else as it is."""
    assert same_document(a_draft(body=body), {}, a_document(**source)) is same


@pytest.mark.parametrize(
    ("there", "same"),
    [
        ([0.6, -0.8], True),
        ([0.6000001, -0.8], True),
        ([0.61, -0.8], False),
        ([0.6, -0.8, 0.0], False),
        ([0.6, None], False),
        (None, False),
    ],
)
def test_vectors_are_compared_to_within_what_servers_round(there: list[float] | None, same: bool) -> None:
    """One that is not there, or of another length, differs."""
    draft = a_draft(texts={"v": "text"})
    source: dict[str, Any] = {} if there is None else {"v": there}
    assert same_document(draft, {"v": struct.pack("<2f", 0.6, -0.8)}, a_document(**source)) is same
    assert same_document(draft, {}, a_document(**source)) is (there is None)


@pytest.mark.parametrize(
    ("there", "same"),
    [
        ([{"vector": [0.6, -0.8]}, {"vector": [0.0, 1.0000001]}], True),
        ([{"vector": [0.0, 1.0]}, {"vector": [0.6, -0.8]}], False),
        ([{"vector": [0.6, -0.8]}], False),
        ([{"vector": [0.6, -0.8]}, {}], False),
        ([{"vector": [0.6, -0.8]}, {"vector": [0.0, 1.0], "text": "x"}], False),
        ([[0.6, -0.8], [0.0, 1.0]], False),
        ([0.6, -0.8], False),
        (None, False),
    ],
)
def test_vectors_of_pieces_are_compared_one_by_one(there: list[Any] | None, same: bool) -> None:
    """In their order, and nothing beside them."""
    vectors = {"v": (struct.pack("<2f", 0.6, -0.8), struct.pack("<2f", 0.0, 1.0))}
    source: dict[str, Any] = {} if there is None else {"v": there}
    assert same_document(a_draft(texts={"v": "text"}), vectors, a_document(**source)) is same


@pytest.mark.parametrize(
    ("body", "source", "same"),
    [
        ('{"v": [0.123456789123, 3e3]}', {"v": [0.12345679, 3000.0]}, True),
        ('{"v": [0.123456789123, 3e3]}', {"v": [0.22345679, 3000.0]}, False),
        ('{"v": [0.1, 0.2]}', {"v": [0.1]}, False),
        ('{"v": [0.1]}', {"v": [None]}, False),
        ('{"v": "0a"}', {"v": "0b"}, False),
        ('{"v": null}', {}, True),
        ('{"v": [0.1]}', {}, False),
        ("{}", {"v": [0.1]}, False),
        ('{"w": [0.123456789123]}', {"w": [0.12345679]}, False),
        ('{"n": [{"v": [0.123456789123]}, {"v": null}]}', {"n": [{"v": [0.12345679]}, {}]}, True),
        ('{"n": [{"v": [0.1]}]}', {"n": [{"v": [0.2]}]}, False),
    ],
)
def test_columns_that_hold_vectors_are_compared_to_within_what_servers_round(
    body: str, source: dict[str, Any], same: bool
) -> None:
    """Inside of objects too; one that is null may be left out."""
    document = Found("", 100, "1", 7, source, frozenset({"v", "n.v"}))
    assert same_document(a_draft(body=body), {}, document) is same


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")], ids=["list", "object"])
def test_values_are_compared_however_deep_they_are(opening: str, closing: str) -> None:
    """As deep as they can be parsed; they differ at the bottom."""
    one, other = (json.loads(opening * 800 + inner + closing * 800) for inner in ("1", "2"))
    assert same_json(one, json.loads(json.dumps(one)))
    assert not same_json(one, other)


def test_a_document_that_says_it_is_of_another_row_is_another_one() -> None:
    """Though all its fields are right."""
    assert not same_document(a_draft(), {}, a_document("2"))
    assert not same_document(a_draft(), {}, a_document(hash_=8))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), st.lists))
def test_a_value_is_equal_to_itself(value: Any) -> None:
    """Whatever it is."""
    assert same_json(value, value)

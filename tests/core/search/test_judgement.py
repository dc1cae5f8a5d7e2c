"""The files of test collections, and what is wrong with them."""

from __future__ import annotations

import pytest

from syncer.core.error import ConfigurationError
from syncer.core.search.judgement import read_judgements, read_queries


def test_queries_are_lines_of_json() -> None:
    """With BEIR's name of the id too, numbers for ids, and blank lines."""
    lines = [
        '{"id": "1", "text": "sea"}\n',
        "\n",
        '{"_id": "q2", "text": "a river", "metadata": {}}\n',
        '{"id": 3, "text": "x"}',
    ]
    assert read_queries(lines, "q") == {"1": "sea", "q2": "a river", "3": "x"}


@pytest.mark.parametrize(
    "lines",
    [
        ["1\td1\t1\n", "1\td2\t0\n", "\n", "2\td1\t2"],
        ["query-id\tcorpus-id\tscore\n", "1\td1\t1\r\n", "1\td2\t0\r\n", "2\td1\t2\r\n"],
        ["1\t0\td1\t1", "1\t0\td2\t0", "2\t0\td1\t2"],
        ["1 0 d1 1", "1 Q0 d2 0", "2 0  d1 2", "2 0 d1 2"],
    ],
    ids=["three columns", "with BEIR's header", "four columns", "as TREC has it"],
)
def test_judgements_are_read_in_all_their_forms(lines: list[str]) -> None:
    """A document that is judged twice alike is judged."""
    assert read_judgements(lines, "j") == {"1": {"d1": 1, "d2": 0}, "2": {"d1": 2}}


def test_ids_may_hold_spaces_between_tabs() -> None:
    """Keys of documents may be any text."""
    assert read_judgements(["1\ta key\t1"], "j") == {"1": {"a key": 1}}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("id: 1", "not JSON"),
        ("[1]", "a query is"),
        ('{"id": "2"}', "a query is"),
        ('{"id": "2", "text": " "}', "a query is"),
        ('{"id": null, "text": "x"}', "a query is"),
        ('{"id": "1", "text": "x"}', "there is a query '1' already"),
    ],
)
def test_a_wrong_query_is_told_with_its_line(line: str, message: str) -> None:
    """By the file's name and the line's number, blank ones counted."""
    with pytest.raises(ConfigurationError, match=f"^queries.jsonl:3: {message}"):
        read_queries(['{"id": "1", "text": "sea"}', "", line], "queries.jsonl")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1\td1", "a judgement is"),
        ("1\t\t1", "a judgement is"),
        ("1 0 d1 1 x", "a judgement is"),
        ("1\td9\t0.5", "the grade '0.5' is not a whole number"),
        ("query-id\tcorpus-id\tscore", "the grade 'score' is not"),
        ("1\td9\t5000", "the grade 5000 is above"),
        ("1\td1\t2", "query '1' has another grade for 'd1' already"),
    ],
)
def test_a_wrong_judgement_is_told_with_its_line(line: str, message: str) -> None:
    """And what it reads, shortened."""
    with pytest.raises(ConfigurationError, match=f"^qrels.tsv:2: {message}") as told:
        read_judgements(["1\td1\t1", line], "qrels.tsv")
    assert told.value.hint == f"it reads {line!r}"
    with pytest.raises(ConfigurationError) as told:
        read_judgements(["x" * 1000], "qrels.tsv")
    assert len(told.value.hint) < 120

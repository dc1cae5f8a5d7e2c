"""Highlights as plain pieces."""

from __future__ import annotations

import pytest

from syncer.app.web.marked import Piece, pieces, shortened, unmarked, whole


def test_a_highlight_is_plain_text_again() -> None:
    """What was escaped is as it was, and what was found is told apart."""
    assert pieces("a &lt;b&gt; <mark>x &amp; y</mark>&#x27;s") == [
        Piece("a <b> "),
        Piece("x & y", found=True),
        Piece("'s"),
    ]


def test_a_mark_in_the_text_is_no_mark() -> None:
    """Servers escape it, and then it is text."""
    assert pieces("&lt;mark&gt;no&lt;/mark&gt;") == [Piece("<mark>no</mark>")]


def test_markup_that_a_server_did_not_escape_is_text() -> None:
    """Templates escape each piece."""
    assert pieces("<script>x</script> <mark>y") == [Piece("<script>x</script> <mark>y")]


def test_a_heading_is_marked_where_all_of_it_is_there() -> None:
    """Of a longer one the server sends a part."""
    assert whole("Late commits", ["<mark>Late</mark> commits"]) == [Piece("Late", found=True), Piece(" commits")]
    assert whole("Late commits, and more", ["<mark>Late</mark> commits"]) == [Piece("Late commits, and more")]


def test_a_text_is_cut_at_a_word() -> None:
    assert shortened("one two  three\nfour", 100) == "one two three four"
    assert shortened("one two three", 10) == "one two …"


@pytest.mark.parametrize(
    ("text", "found", "missing"), [("parse files", ["Parsing", "file"], False), ("laet file", ["file"], True)]
)
def test_a_word_that_was_not_found_is_noticed(text: str, found: list[str], missing: bool) -> None:
    """Whatever its ending."""
    assert unmarked(text, [Piece(each, found=True) for each in found]) is missing

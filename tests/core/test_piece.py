"""Texts are cut into pieces that hold all of them."""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.core.piece import estimated_starts, pieces, spans

#: Texts of words, sentences and paragraphs, and of characters that are none of these.
TEXTS = st.one_of(
    st.text(alphabet="ab .!\n\"'。」é\t", max_size=200),
    st.lists(st.sampled_from(["a", "word", "end. ", "\n\n", " ", "long" * 9, "句。"]), max_size=60).map(" ".join),
)
#: Tokens of an arbitrary tokenizer: some characters have none of their own, some have several.
TOKENS = st.lists(st.integers(0, 3), min_size=1, max_size=30)


def starts_of(text: str, tokens: list[int]) -> list[int]:
    return [place for place, _ in enumerate(text) for _ in range(tokens[place % len(tokens)])]


def counted(starts: list[int], start: int, end: int) -> int:
    return bisect_left(starts, end) - bisect_left(starts, start)


@given(TEXTS, TOKENS, st.integers(1, 40), st.integers(0, 19))
def test_nothing_is_lost_and_no_piece_is_too_long(text: str, numbers: list[int], tokens: int, overlap: int) -> None:
    """Whatever the text and its tokens are; but for a character that alone has more."""
    starts = starts_of(text, numbers)
    found = list(spans(text, starts, tokens, overlap))
    assert (found[0][0], found[-1][1]) == (0, len(text))
    for (start, end), (later, further) in pairwise(found):
        assert start < later <= end < further
        assert counted(starts, later, end) <= max(overlap, 3) + 2
    for start, end in found:
        with_tokens = {place for place in starts if start <= place < end}
        assert counted(starts, start, end) <= tokens or len(with_tokens) == 1


@given(TEXTS, st.integers(1, 40), st.integers(0, 19))
def test_pieces_are_parts_of_the_text(text: str, tokens: int, overlap: int) -> None:
    """Without the spaces around them; there is one at least."""
    found = pieces(text, range(len(text)), tokens, overlap)
    assert found
    assert all(piece in text for piece in found)
    if text.strip():
        assert all(piece == piece.strip() != "" for piece in found)
        assert sum(len(piece) for piece in found) >= sum(not character.isspace() for character in text)


def words(text: str, tokens: int, overlap: int = 0) -> list[str]:
    """Cut a text whose words are its tokens."""
    return pieces(text, [match.start() for match in re.finditer(r"\S+", text)], tokens, overlap)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("a b c d", ["a b c d"]),
        ("a b c d e. f g h", ["a b c d e.", "f g h"]),
        ("a b c d e f. g h", ["a b c d e f.", "g h"]),
        ("a b c d. e. f g h", ["a b c d. e.", "f g h"]),
        ('a b c d "e!" f g h', ['a b c d "e!"', "f g h"]),
        ("a b c d e\n\nf g h", ["a b c d e", "f g h"]),
        ("a b. c d e f g h", ["a b. c d e f", "g h"]),
        ("a b c d e 1.5 f g", ["a b c d e 1.5", "f g"]),
    ],
)
def test_a_piece_ends_with_a_sentence_that_ends_late_in_it(text: str, cut: list[str]) -> None:
    """With the last one of those; else with a word. A sentence that ends early would leave a piece half empty."""
    assert words(text, 6) == cut


def test_a_piece_begins_with_the_end_of_the_one_before() -> None:
    """So many tokens, or those of them that begin with a word."""
    assert words("a b c d e f g h", 4, 1) == ["a b c d", "d e f g", "g h"]
    text = "abc defghij klm"
    assert pieces(text, range(len(text)), 8, 3) == ["abc defg", "efghij", "ij klm"]


def test_scripts_without_spaces_are_cut_at_sentences_and_anywhere() -> None:
    """A word that is too long is cut where it is."""
    assert pieces("一二三四五。六七八九", range(10), 7, 0) == ["一二三四五。", "六七八九"]
    assert pieces("x" * 10, range(10), 4, 0) == ["xxxx", "xxxx", "xx"]


def test_a_text_of_dots_takes_no_longer_than_another() -> None:
    """Looked at from each of them to the end, these would take minutes."""
    text = "." * 200_000
    assert sum(map(len, pieces(text, range(len(text)), 1000, 0))) == len(text)


def test_tokens_are_estimated() -> None:
    """Three ASCII characters have one, any other has its own."""
    assert estimated_starts("abcdefg") == [0, 3, 6]
    assert estimated_starts("ab漢字é") == [0, 2, 3, 4]


def test_a_token_may_begin_where_the_text_ends() -> None:
    """Byte-level tokenizers leave the spaces out of a token's place: of one of spaces nothing is left."""
    assert pieces("a b ", [0, 1, 2, 4], 3, 0) == ["a b"]
    assert pieces("a b   ", [0, 1, 2, 6, 6, 6], 2, 1) == ["a", "b"]

"""Cuts a text into pieces that a model can read.

tokens   ▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏▏
first    ├──────────────┤        ends where a sentence does, in its last third
second               ├───────────────┤        begins some tokens before, with a word
third                             ├───────────┤
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

#: What ends a sentence, with what closes behind it: where a space follows, and in scripts without spaces anyway; and an
#: empty line. Looks behind: a run of dots would be read to its end from each of them.
_SENTENCE_END = re.compile(r"""(?<=[.!?…])["'”’»)\]]*+\s++|(?<=[。！？])[」』”’）]*+\s*+|\n[^\S\n]*+\n\s*+""")
#: How early a piece may end for the sake of a sentence or a word.
_EARLIEST = 2 / 3
#: Three ASCII characters, or one other: no tokenizer that is trained on many languages makes many more tokens.
_ESTIMATED = re.compile(r"[\x00-\x7f]{1,3}|[^\x00-\x7f]")


def pieces(text: str, starts: Sequence[int], tokens: int, overlap: int) -> list[str]:
    """Return a text in pieces of so many tokens at most, without the spaces around them; a blank one is one piece.

    starts: where its tokens begin, rising. A piece begins `overlap` tokens before the end of the one before it, or at
    the next word.
    """
    cut = (text[start:end].strip() for start, end in spans(text, starts, tokens, overlap))
    return [piece for piece in cut if piece] or [text]


def spans(text: str, starts: Sequence[int], tokens: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Yield where the pieces begin and end: rising, and nothing between them is left out.

    A character that has more tokens than a piece may hold is a piece nevertheless.
    """
    sentences = [match.end() for match in _SENTENCE_END.finditer(text)]
    start, end = 0, _end(text, starts, sentences, 0, tokens)
    while end < len(text):
        yield start, end
        last, start = end, _next_start(text, starts, start, end, overlap)
        end = _end(text, starts, sentences, start, tokens)
        if end <= last:  # an overlap of nearly a piece
            start, end = last, _end(text, starts, sentences, last, tokens)
    yield start, end


def estimated_starts(text: str) -> Sequence[int]:
    """Return where tokens may begin, for want of the model's tokenizer: rather too many than too few."""
    return [match.start() for match in _ESTIMATED.finditer(text)]


def _end(text: str, starts: Sequence[int], sentences: Sequence[int], start: int, tokens: int) -> int:
    first = bisect_left(starts, start)
    if len(starts) - first <= tokens:
        return len(text)
    most = starts[first + tokens]
    if most == starts[first]:
        behind = bisect_right(starts, most)
        return starts[behind] if behind < len(starts) else len(text)
    least = max(start, starts[first + int(tokens * _EARLIEST)])
    sentence = bisect_right(sentences, most) - 1
    if sentence >= 0 and sentences[sentence] > least:
        return sentences[sentence]
    return next((place for place in range(most, least, -1) if _begins_word(text, place)), most)


def _next_start(text: str, starts: Sequence[int], start: int, end: int, overlap: int) -> int:
    if not overlap:
        return end
    earliest = starts[max(0, bisect_left(starts, end) - overlap)]
    word = next((place for place in range(earliest, end) if _begins_word(text, place)), earliest)
    return word if start < word < end else end


def _begins_word(text: str, place: int) -> bool:
    return 0 < place < len(text) and text[place - 1].isspace() and not text[place].isspace()

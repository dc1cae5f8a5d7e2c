"""Texts with the words marked that were found in them, taken apart so that templates escape every piece."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Characters of a word that its forms share.
_STEM = 4
_MARK = re.compile(r"<mark>(.*?)</mark>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of plain text."""

    text: str
    found: bool = False


def pieces(marked: str) -> list[Piece]:
    """Return the pieces of a highlight, which is escaped HTML with `<mark>` alone.

    They are plain text again: should a server ever escape less than it says, nothing of that reaches the page.
    """
    # With one group, what lies between stands at even places, and what was found at odd ones.
    parts = _MARK.split(marked)
    return [Piece(html.unescape(part), found=bool(place % 2)) for place, part in enumerate(parts) if part]


def unmarked(text: str, marked: Iterable[Piece]) -> bool:
    """Tell whether a word of a text is not among what was found, whatever its ending."""
    found = {piece.text.lower()[:_STEM] for piece in marked if piece.found}
    return any(word[:_STEM] not in found for word in re.findall(r"\w{3,}", text.lower()))


def plain(marked: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in marked)


def shortened(text: str, characters: int) -> str:
    """Return the beginning of a text on one line, up to a word's end."""
    line = " ".join(text[: characters * 4].split())
    if len(line) <= characters:
        return line
    return line[:characters].rsplit(" ", 1)[0].rstrip(".,;:") + " …"


def whole(text: str, highlights: Iterable[str]) -> list[Piece]:
    """Return a short text with its words marked, where its highlight is all of it."""
    for highlight in highlights:
        found = pieces(highlight)
        if plain(found) == text:
            return found
    return [Piece(text)]

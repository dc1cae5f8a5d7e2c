"""Texts as models take them."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Tokenizers read a text to its end before they cut it: seconds for one of some megabytes. What is behind this many
#: characters is past the window of nearly every model; what is not is lost.
CHARACTERS_MAX = 200_000

#: Half a pair, which no encoding of bytes has.
_SURROGATE = re.compile("[\ud800-\udfff]")


def cut(texts: Sequence[str]) -> int:
    """Return how many of the texts are longer than what is read of any."""
    return sum(len(text) > CHARACTERS_MAX for text in texts)


def readable(text: str) -> str:
    """Return the text without what tokenizers and servers refuse: half surrogate pairs and NUL."""
    text = text[:CHARACTERS_MAX]
    return text if text.isascii() and "\0" not in text else _SURROGATE.sub("\ufffd", text).replace("\0", " ")

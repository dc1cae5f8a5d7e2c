"""Texts as models take them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from syncer.core.error import ConfigurationError
from syncer.core.vector import Chunks

#: Tokenizers read a text to its end before they cut it: seconds for one of some megabytes. What is behind this many
#: characters is past the window of nearly every model; what is not is lost.
CHARACTERS_MAX = 200_000

#: Half a pair, which no encoding of bytes has.
_SURROGATE = re.compile("[\ud800-\udfff]")


def cut(texts: Sequence[str]) -> int:
    """Return how many of the texts are longer than what is read of any."""
    return sum(len(text) > CHARACTERS_MAX for text in texts)


def room_in(chunks: Chunks, *, around: int, window: int | None, named: str) -> int:
    """Return how many tokens of text a piece may hold beside those `around` it: prompt and special ones.

    window: what the model reads at once; None: anything. Raises ConfigurationError where a piece does not fit.
    """
    if window and chunks.tokens > window:
        raise ConfigurationError(
            f"chunk.tokens: {named} reads {window} tokens at once, not {chunks.tokens}",
            hint=f"give chunk.tokens {window} or less; the prompt and special tokens count",
        )
    room = chunks.tokens - around
    if room < max(1, 2 * chunks.overlap):
        raise ConfigurationError(
            f"chunk.tokens: of {chunks.tokens} the prompt and special tokens of {named} take {around}, which leaves "
            f"too few for an overlap of {chunks.overlap}",
            hint="give more tokens, or a smaller overlap",
        )
    return room


def readable(text: str) -> str:
    """Return the text without what tokenizers and servers refuse: half surrogate pairs and NUL."""
    text = text[:CHARACTERS_MAX]
    return text if text.isascii() and "\0" not in text else _SURROGATE.sub("\ufffd", text).replace("\0", " ")

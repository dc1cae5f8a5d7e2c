"""Texts as the tokenizer of a sentence-transformers model sees them. Its callers see to it that one asks at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from syncer.core.piece import estimated_starts, pieces
from syncer.core.vector import Chunks

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def token_counts(model: SentenceTransformer, texts: Sequence[str]) -> Sequence[int]:
    """Return the numbers of tokens, before any is cut off."""
    tokenizer: Any = model.tokenizer
    if not callable(tokenizer):  # that of a model which has no window
        return [len(text) // 4 + 1 for text in texts]
    # verbose: it warns of texts that are too long.
    found = tokenizer(list(texts), truncation=False, padding=False, verbose=False, return_attention_mask=False)
    return [len(ids) for ids in found["input_ids"]]


def in_pieces(model: SentenceTransformer, prompt: str, text: str, room: int, chunks: Chunks) -> Sequence[str]:
    """Return a text in pieces of so many tokens; with the prompt, none has more than `chunks.tokens`.

    Text by text: where its tokens begin takes 100 bytes for each.
    """
    found = pieces(text, _starts(model, text), room, chunks.overlap)
    read = token_counts(model, [prompt + piece for piece in found])
    if room == 1 or max(read) <= chunks.tokens:
        return found
    # Cut inside of a word, a part may have more tokens by itself than it had there.
    return [
        part
        for piece, length in zip(found, read, strict=True)
        for part in ([piece] if length <= chunks.tokens else in_pieces(model, prompt, piece, room // 2, chunks))
    ]


def _starts(model: SentenceTransformer, text: str) -> Sequence[int]:
    """Return where the tokens of a text begin."""
    tokenizer: Any = model.tokenizer
    if not getattr(tokenizer, "is_fast", False):  # it does not tell
        return estimated_starts(text)
    found = tokenizer(
        text,
        add_special_tokens=False,
        truncation=False,
        padding=False,
        verbose=False,
        return_attention_mask=False,
        return_offsets_mapping=True,
    )
    return [start for start, _ in found["offset_mapping"]]

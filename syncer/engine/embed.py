"""Vectors for drafts: from the cache where the text is known, else from the model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncer.core.change import Draft
from syncer.core.key import Key
from syncer.ports import Embedder, VectorCache


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of a batch, by key and field, and where they came from. A blank text has none."""

    of: Mapping[Key, Mapping[str, bytes]]
    embedded: int = 0
    cached: int = 0


class Embedding:
    """Embeds each distinct text of a batch once, and never one whose vector is cached."""

    def __init__(self, embedder: Embedder, cache: VectorCache) -> None:
        self._embedder = embedder
        self._cache = cache

    def vectors(self, drafts: Sequence[Draft]) -> Vectors:
        """Return the vectors of the drafts' texts. Raises EmbedderUnavailable, StateUnavailable."""
        digests = {text: _digest(text) for draft in drafts for text in draft.texts.values() if not _blank(text)}
        texts = {digest: text for text, digest in digests.items()}
        if not texts:
            return Vectors({})
        fingerprint = self._embedder.fingerprint
        known = dict(self._cache.get(fingerprint, list(texts)))
        missing = [digest for digest in texts if digest not in known]
        if missing:
            computed = dict(zip(missing, self._embedder.embed([texts[digest] for digest in missing]), strict=True))
            self._cache.put(fingerprint, computed)
            known |= computed
        return Vectors(
            {
                draft.key: {name: known[digests[text]] for name, text in draft.texts.items() if text in digests}
                for draft in drafts
            },
            embedded=len(missing),
            cached=len(texts) - len(missing),
        )


def _blank(text: str) -> bool:
    return not text or text.isspace()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

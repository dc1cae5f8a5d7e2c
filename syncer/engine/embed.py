"""Vectors for drafts: from the cache where the text is known, else from the model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from syncer.core.change import Draft, Hydration
from syncer.core.key import Key
from syncer.core.outcome import Rejected
from syncer.ports import Embedder, VectorCache


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of a batch, by key and field, and where they came from. A blank text has none."""

    of: Mapping[Key, Mapping[str, bytes]]
    embedded: int = 0
    cached: int = 0
    truncated: int = 0
    #: Rows of whose text the model makes no vector.
    refused: Mapping[Key, Rejected] = field(default_factory=dict)


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
        refused: dict[bytes, Rejected] = {}
        truncated = 0
        if missing:
            embedded = self._embedder.embed([texts[digest] for digest in missing])
            truncated = embedded.truncated
            made = dict(zip(missing, embedded.vectors, strict=True))
            computed = {digest: vector for digest, vector in made.items() if isinstance(vector, bytes)}
            refused = {digest: why for digest, why in made.items() if isinstance(why, Rejected)}
            self._cache.put(fingerprint, computed)
            known |= computed
        rows = {
            draft.key: {name: digests[text] for name, text in draft.texts.items() if text in digests}
            for draft in drafts
        }
        return Vectors(
            {
                key: {name: known[digest] for name, digest in row.items()}
                for key, row in rows.items()
                if refused.keys().isdisjoint(row.values())
            },
            embedded=len(missing) - len(refused),
            cached=len(texts) - len(missing),
            truncated=truncated,
            refused={key: refused[digest] for key, row in rows.items() for digest in row.values() if digest in refused},
        )


def refusing(hydration: Hydration, refused: Mapping[Key, Rejected]) -> Hydration:
    """Return the rows without those that were refused, which it names as such."""
    if not refused:
        return hydration
    places = {draft.key: draft.routing for draft in hydration.drafts if draft.routing is not None}
    return replace(
        hydration,
        drafts=[draft for draft in hydration.drafts if draft.key not in refused],
        routings={**hydration.routings, **{key: place for key, place in places.items() if key in refused}},
        refused={**hydration.refused, **refused},
    )


def _blank(text: str) -> bool:
    return not text or text.isspace()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

"""Vectors for drafts: from the cache where the text is known, else from the model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from syncer.core.change import Draft, Hydration
from syncer.core.key import Key
from syncer.core.outcome import Rejected
from syncer.core.vector import Chunks, Vector, mean
from syncer.ports import Embedder, VectorCache

_Item = TypeVar("_Item")

#: Of the texts that are embedded by one call; more are pieces and vectors that memory has to hold. Batches of short
#: texts are smaller.
_PORTION_CHARACTERS = 4_000_000
#: Of the vectors that are cached by one call: the database has a bound for what it is sent, and for how long it takes.
_CACHED_BYTES = 16_000_000


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of a batch, by key and field, and where they came from. A blank text has none."""

    of: Mapping[Key, Mapping[str, Vector]]
    embedded: int = 0
    cached: int = 0
    truncated: int = 0
    #: Rows of whose text the model makes no vector.
    refused: Mapping[Key, Rejected] = field(default_factory=dict)


class _Task(NamedTuple):
    """A text, and how it is cut. A tuple, for there is one per row and a dataclass takes longer."""

    text: str
    chunks: Chunks | None

    def digest(self) -> bytes:
        """Return what its vectors are cached under. No text of a row holds NUL."""
        of = self.chunks
        known = f"{of.tokens}/{of.overlap}/{'mean' if of.mean else 'each'}\0{self.text}" if of else self.text
        return hashlib.sha256(known.encode("utf-8", "surrogatepass")).digest()


class Embedding:
    """Embeds each distinct text of a batch once, and never one whose vector is cached.

    One value is cached for a text, also for one in pieces: what is known need not be cut.
    """

    def __init__(
        self,
        embedder: Embedder,
        cache: VectorCache,
        chunks: Mapping[str, Chunks] | None = None,
        *,
        unit: bool = True,
        portion_characters: int = _PORTION_CHARACTERS,
    ) -> None:
        """chunks: by field; texts of others are embedded whole. unit: means of vectors are scaled to length one.
        portion_characters: of the texts that one call embeds, about."""
        self._embedder = embedder
        self._cache = cache
        self._chunks = chunks or {}
        self._unit = unit
        self._portion_characters = portion_characters

    def keep(self, drafts: Sequence[Draft]) -> None:
        """Let the cache know that the texts of these drafts are still there. Raises StateUnavailable."""
        if digests := [task.digest() for draft in drafts for task in self._tasks(draft).values()]:
            self._cache.touch(self._embedder.fingerprint, digests)

    def vectors(self, drafts: Sequence[Draft]) -> Vectors:
        """Return the vectors of the drafts' texts. Raises EmbedderUnavailable, StateUnavailable."""
        rows = {draft.key: self._tasks(draft) for draft in drafts}
        digests = {task: task.digest() for row in rows.values() for task in row.values()}
        tasks = {digest: task for task, digest in digests.items()}
        if not tasks:
            return Vectors({})
        known: dict[bytes, bytes] = dict(self._cache.get(self._embedder.fingerprint, list(tasks)))
        missing = {digest: task for digest, task in tasks.items() if digest not in known}
        refused: dict[bytes, Rejected] = {}
        truncated = 0
        for portion in _portions(missing, self._portion_characters, lambda task: len(task.text)):
            made, cut_off = self._made(portion)
            truncated += cut_off
            computed = {digest: vector for digest, vector in made.items() if isinstance(vector, bytes)}
            refused |= {digest: why for digest, why in made.items() if isinstance(why, Rejected)}
            for part in _portions(computed, _CACHED_BYTES, len):
                self._cache.put(self._embedder.fingerprint, part)
            known |= computed
        return Vectors(
            {
                key: {name: self._vector(known[digests[task]], task.chunks) for name, task in row.items()}
                for key, row in rows.items()
                if refused.keys().isdisjoint(digests[task] for task in row.values())
            },
            embedded=len(missing) - len(refused),
            cached=len(tasks) - len(missing),
            truncated=truncated,
            refused={
                key: refused[digests[task]]
                for key, row in rows.items()
                for task in row.values()
                if digests[task] in refused
            },
        )

    def _tasks(self, draft: Draft) -> Mapping[str, _Task]:
        return {name: _Task(text, self._chunks.get(name)) for name, text in draft.texts.items() if not _blank(text)}

    def _made(self, tasks: Mapping[bytes, _Task]) -> tuple[Mapping[bytes, bytes | Rejected], int]:
        """Return what is to be cached of each text, or why it has no vector; and how many were not read to their end.

        Each distinct piece of all of them is embedded once, in one call.
        """
        cut: dict[bytes, Sequence[str]] = {digest: [task.text] for digest, task in tasks.items() if task.chunks is None}
        truncated = 0
        for chunks in {task.chunks for task in tasks.values() if task.chunks}:
            long = [digest for digest, task in tasks.items() if task.chunks == chunks]
            split = self._embedder.split([tasks[digest].text for digest in long], chunks)
            cut |= zip(long, split.pieces, strict=True)
            truncated += split.truncated
        pieces = list({piece: None for digest in tasks for piece in cut[digest]})
        embedded = self._embedder.embed(pieces)
        of = dict(zip(pieces, embedded.vectors, strict=True))
        made = {
            digest: self._joined([of[piece] for piece in cut[digest]], task.chunks) for digest, task in tasks.items()
        }
        return made, truncated + embedded.truncated

    def _joined(self, pieces: Sequence[bytes | Rejected], chunks: Chunks | None) -> bytes | Rejected:
        vectors = [piece for piece in pieces if isinstance(piece, bytes)]
        if len(vectors) < len(pieces):
            return next(piece for piece in pieces if isinstance(piece, Rejected))
        if chunks and chunks.mean and len(vectors) > 1:
            return mean(vectors, unit=self._unit)
        return b"".join(vectors)

    def _vector(self, cached: bytes, chunks: Chunks | None) -> Vector:
        if chunks is None or chunks.mean:
            return cached
        size = 4 * self._embedder.dims
        return tuple(cached[start : start + size] for start in range(0, len(cached), size))


def _portions(of: Mapping[bytes, _Item], most: int, size_of: Callable[[_Item], int]) -> Iterator[Mapping[bytes, _Item]]:
    """Yield them in order, as few together as reach that size."""
    portion: dict[bytes, _Item] = {}
    size = 0
    for digest, each in of.items():
        portion[digest] = each
        size += size_of(each)
        if size >= most:
            yield portion
            portion, size = {}, 0
    if portion:
        yield portion


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

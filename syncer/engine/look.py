"""Looks at single document ids: the row and the documents as they are now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from syncer.core.change import Draft
from syncer.core.comparison import Difference, Found, same_digest, same_document, verdict
from syncer.core.key import Key
from syncer.engine.embed import Embedding, Vectors, refusing
from syncer.engine.pipeline import Sides
from syncer.engine.transform import Transform, transformed


@dataclass(frozen=True, slots=True)
class Seen:
    """An id that is not as it should be."""

    #: None: the row or its document is unreadable or refused, and what the index should hold cannot be told.
    difference: Difference | None
    #: None: no row can have this id.
    key: Key | None
    draft: Draft | None
    found: Sequence[Found]

    @property
    def documents(self) -> Mapping[str, int]:
        """The documents' versions by routing: with another write comes another version."""
        return {document.routing: document.version for document in self.found}

    @property
    def deliverable(self) -> bool:
        """Tell whether delivering the row would mend it."""
        return self.difference in {Difference.MISSING, Difference.STALE}

    @property
    def unwanted(self) -> Sequence[Found]:
        """The documents that have to go, where the row's own is right or there is none."""
        match self.difference:
            case Difference.EXTRA:
                return self.found
            case Difference.DUPLICATE if self.draft is not None:
                return [document for document in self.found if document.routing != (self.draft.routing or "")]
        return ()


class Looker:
    """Hydrates rows and finds their documents, so many at a time."""

    def __init__(
        self, sides: Sides, embedding: Embedding | None, transform: Transform | None, *, deep: bool, rows: int
    ) -> None:
        """deep: compare whole documents, not what they say of themselves."""
        self._sides = sides
        self._embedding = embedding if deep else None
        self._transform = transform
        self._deep = deep
        self._rows = rows
        #: Rows without document that were looked at so far, by decision of the transform.
        self.left_out = 0

    def look(self, ids: Sequence[str]) -> Iterator[dict[str, Seen]]:
        """Yield, of each part of the ids, those that are not as they should be."""
        for start in range(0, len(ids), self._rows):
            yield self._part(ids[start : start + self._rows])

    def _part(self, ids: Sequence[str]) -> dict[str, Seen]:
        """Return a part; of an id whose JSON is nested deeper than Python parses nothing can be told."""
        try:
            return self._seen(ids)
        except RecursionError:
            if len(ids) == 1:
                key = self._sides.source.keys(ids).get(ids[0])
                return {ids[0]: Seen(None, key, None, self._sides.index.find(ids, whole=False).get(ids[0], ()))}
            half = len(ids) // 2
            return self._part(ids[:half]) | self._part(ids[half:])

    def _seen(self, ids: Sequence[str]) -> dict[str, Seen]:
        found = self._sides.index.find(ids, whole=self._deep)
        keys = self._sides.source.keys(ids)
        hydration = transformed(self._sides.documents.hydrate(list(keys.values())), self._transform)
        self.left_out += len(hydration.left_out)
        embedded = self._embedding.vectors(hydration.drafts) if self._embedding else Vectors({})
        hydration, vectors = refusing(hydration, embedded.refused), embedded.of
        drafts = {draft.key: draft for draft in hydration.drafts}

        def agrees(draft: Draft, document: Found) -> bool:
            if not self._deep:
                return same_digest(draft, document)
            return same_document(draft, vectors.get(draft.key, {}), document)

        seen: dict[str, Seen] = {}
        for id_ in ids:
            key = keys.get(id_)
            draft = drafts.get(key) if key is not None else None
            difference = verdict(draft, found.get(id_, ()), agrees)
            if key in hydration.untold:
                seen[id_] = Seen(None, key, None, found.get(id_, ()))
            elif difference is not None:
                seen[id_] = Seen(difference, key, draft, found.get(id_, ()))
        return seen

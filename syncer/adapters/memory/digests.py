"""A table in memory and an index in memory as two sides to compare."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from syncer.adapters.memory.sink import MemoryIndex
from syncer.adapters.memory.source import MemoryDocuments
from syncer.adapters.memory.table import MemoryTable
from syncer.core.change import Document
from syncer.core.comparison import Digest, Entry, Found
from syncer.core.error import SourceUnavailable
from syncer.core.key import Key, document_id, parse_document_id
from syncer.core.vector import PIECE_FIELD, Vector

_PAGE_ROWS = 10


class MemorySourceDigests:
    """Implements `SourceDigests` on a table whose keys have so many parts."""

    def __init__(self, table: MemoryTable, parts: int = 1) -> None:
        self._table = table
        self._parts = parts
        self._cancelled = False

    def rows(self) -> int:
        return len(self._table.documents())

    def pages(self) -> Iterator[Sequence[Digest]]:
        drafts = MemoryDocuments(self._table).hydrate(list(self._table.documents())).drafts
        digests = sorted((document_id(draft.key), draft.hash, draft.routing or "") for draft in drafts)
        for start in range(0, len(digests), _PAGE_ROWS):
            if self._cancelled:
                raise SourceUnavailable("the comparison was interrupted")
            yield digests[start : start + _PAGE_ROWS]

    def cancel(self) -> None:
        self._cancelled = True

    def keys(self, ids: Sequence[str]) -> Mapping[str, Key]:
        keys: dict[str, Key] = {}
        for id_ in ids:
            try:
                key = parse_document_id(id_, self._parts)
            except ValueError:
                continue
            if document_id(key) == id_:
                keys[id_] = key
        return keys


class MemoryIndexDigests:
    """Implements `IndexDigests`."""

    def __init__(self, index: MemoryIndex, strangers: Mapping[Key, int] | None = None) -> None:
        """strangers: documents that carry no key, by the version at which they do not."""
        self._index = index
        self._strangers = strangers or {}

    def count(self) -> int:
        return len(self._index.hits())

    def pages(self) -> Iterator[Sequence[Entry]]:
        entries = sorted(
            (document_id(d.key), d.draft.hash, d.draft.routing or "", "")
            for d in self._index.hits()
            if not self._strange(d)
        )
        for start in range(0, len(entries), _PAGE_ROWS):
            yield entries[start : start + _PAGE_ROWS]

    def strangers(self) -> Iterator[Sequence[str]]:
        if ids := [document_id(document.key) for document in self._index.hits() if self._strange(document)]:
            yield ids

    def find(self, ids: Sequence[str], *, whole: bool) -> Mapping[str, Sequence[Found]]:
        found: dict[str, list[Found]] = {}
        for document in self._index.hits():
            if (id_ := document_id(document.key)) in ids:
                found.setdefault(id_, []).append(self._found(document, whole=whole))
        return found

    def _found(self, document: Document, *, whole: bool) -> Found:
        draft = document.draft
        vectors = {name: _value(vector) for name, vector in document.vectors.items()}
        source = json.loads(draft.body) | vectors if whole else None
        if self._strange(document):
            return Found(draft.routing or "", document.version, None, None, source)
        return Found(draft.routing or "", document.version, document_id(draft.key), draft.hash, source)

    def _strange(self, document: Document) -> bool:
        return self._strangers.get(document.key) == document.version


def _value(vector: Vector) -> list[Any]:
    """Return it as a search gives it back."""
    if isinstance(vector, tuple):
        return [{PIECE_FIELD: _value(piece)} for piece in vector]
    return list(struct.unpack(f"<{len(vector) // 4}f", vector))

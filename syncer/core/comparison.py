"""What an index should hold beside what it does: two sorted streams of digests, and single documents in full.

    source   (id, hash, routing), ids rising  ─┐
                                               ├─▶ ids that they do not agree on ─▶ looked at singly: verdict
    index    (key, hash, routing, …), by key  ─┘

Ids are compared by code points: the order of Elasticsearch's keywords, of Python, and of UTF-8 byte by byte.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from syncer.core.change import Draft
from syncer.core.error import FatalError
from syncer.core.key import document_id
from syncer.core.vector import PIECE_FIELD, Vector

#: Document id, hash and routing of a row; without hash where Postgres cannot turn the row into a document.
Digest = tuple[str, int | None, str]

#: `_syncer.key`, `_syncer.hash` and routing of a document, and its `_id` where that is not the key, else empty.
Entry = tuple[str, int, str, str]

#: Servers give the vectors of a cosine field back rounded: they keep them scaled to length 1.
_VECTOR_TOLERANCE = 1e-5


class Difference(StrEnum):
    """How the index differs from the source in one document id."""

    #: The row has no document, or none where it belongs.
    MISSING = "missing"
    #: The document is another one than the row makes.
    STALE = "stale"
    #: There is no such row, or it should not have a document.
    EXTRA = "extra"
    #: The row's document is right, and there are others of its id under other routings.
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Found:
    """One document in the index."""

    #: Empty: its id alone decides on its shard.
    routing: str
    version: int
    #: `_syncer` as it stands there; None: somebody else wrote the document.
    key: str | None
    hash: int | None
    #: All the rest, where it was asked for.
    source: Mapping[str, Any] | None = None
    #: Fields, dotted, whose values are vectors that the server may give back rounded.
    vectors: Set[str] = frozenset()


def suspects(source: Iterable[Digest], index: Iterable[Entry], *, every: bool = False) -> Iterator[str]:
    """Yield each id that the streams do not agree on, some perhaps twice, and rows without hash; or `every` id.

    Holds one entry of each. Raises FatalError where a stream is out of order: it would be taken for differences.
    """
    rows, entries = _rising_rows(source), _rising_entries(index)
    row, entry = next(rows, None), next(entries, None)
    while row is not None or entry is not None:
        if entry is not None and entry[3]:
            yield entry[3]
            entry = next(entries, None)
        elif entry is None or (row is not None and row[0] < entry[0]):
            assert row is not None
            yield row[0]
            row = next(rows, None)
        elif row is None or entry[0] < row[0]:
            # Of no row; or the second one of a key, whose row has gone by.
            yield entry[0]
            entry = next(entries, None)
        else:
            if every or row[1] != entry[1] or row[2] != entry[2]:
                yield row[0]
            row, entry = next(rows, None), next(entries, None)


def verdict(draft: Draft | None, found: Sequence[Found], agrees: Callable[[Draft, Found], bool]) -> Difference | None:
    """Return how the documents of one id differ from what the row is; None: they do not. draft: None for no row."""
    if draft is None:
        return Difference.EXTRA if found else None
    own = next((document for document in found if document.routing == (draft.routing or "")), None)
    if own is None:
        return Difference.MISSING
    if not agrees(draft, own):
        return Difference.STALE
    return Difference.DUPLICATE if len(found) > 1 else None


def same_digest(draft: Draft, document: Found) -> bool:
    """Tell whether a document says of itself that it was made of this very row."""
    return document.key == document_id(draft.key) and document.hash == draft.hash


def same_document(draft: Draft, vectors: Mapping[str, Vector], document: Found) -> bool:
    """Tell whether a document is what the row makes, field by field; vectors to within what servers round.

    Raises RecursionError where the row's JSON is nested deeper than Python parses.
    """
    assert document.source is not None
    source = dict(document.source)
    return (
        same_digest(draft, document)
        and all(_same_vector(vectors.get(name), source.pop(name, None)) for name in draft.texts)
        and same_json(json.loads(draft.body), source, document.vectors)
    )


def same_json(ours: Any, theirs: Any, vectors: Set[str] = frozenset()) -> bool:
    """Tell whether two JSON values are equal. Numbers are by value, 1 and 1.0 alike, and as doubles: some servers and
    readers keep no more digits. vectors: fields, dotted, that are compared to within what servers round.

    Not recursive: JSON may be nested deeper than Python's calls.
    """
    pairs = [("", ours, theirs)]
    while pairs:
        name, ours, theirs = pairs.pop()
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            for key in ours.keys() | theirs.keys():
                field = f"{name}.{key}" if name else key
                # A vector that is null comes back as none.
                if field not in vectors and (key not in ours or key not in theirs):
                    return False
                pairs.append((field, ours.get(key), theirs.get(key)))
        elif isinstance(ours, list) and isinstance(theirs, list):
            if len(ours) != len(theirs):
                return False
            if not (name in vectors and _close(ours, theirs)):
                pairs += ((name, value, other) for value, other in zip(ours, theirs, strict=True))
        elif not _same_value(ours, theirs):
            return False
    return True


def _rising_rows(source: Iterable[Digest]) -> Iterator[Digest]:
    last: str | None = None
    for row in source:
        if last is not None and row[0] <= last:
            raise FatalError(
                f"the rows to compare are out of order: {row[0]!r} comes after {last!r}",
                hint="the key must be unique, and the database's encoding one that Postgres can convert to UTF-8",
            )
        last = row[0]
        yield row


def _rising_entries(index: Iterable[Entry]) -> Iterator[Entry]:
    last = ""
    for entry in index:
        if entry[0] < last:
            raise FatalError(f"the documents to compare are out of order: {entry[0]!r} comes after {last!r}")
        last = entry[0]
        yield entry


def _same_value(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        return ours == theirs or _double(ours) == _double(theirs)
    return bool(ours == theirs)


def _same_vector(expected: Vector | None, there: Any) -> bool:
    if expected is None or not isinstance(there, list):
        return expected is None and there is None
    if isinstance(expected, tuple):
        return len(expected) == len(there) and all(map(_same_piece, expected, there))
    numbers = struct.unpack(f"<{len(expected) // 4}f", expected)
    return len(numbers) == len(there) and _close(numbers, there)


def _same_piece(expected: bytes, there: Any) -> bool:
    return isinstance(there, Mapping) and there.keys() == {PIECE_FIELD} and _same_vector(expected, there[PIECE_FIELD])


def _close(numbers: Sequence[Any], others: Sequence[Any]) -> bool:
    """Tell whether both are vectors, and each number is the other's to within what servers round."""
    if not all(isinstance(number, int | float) for number in (*numbers, *others)):
        return False
    tolerance = _VECTOR_TOLERANCE * max(map(abs, numbers), default=0.0)
    return all(abs(number - other) <= tolerance for number, other in zip(numbers, others, strict=True))


def _double(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
